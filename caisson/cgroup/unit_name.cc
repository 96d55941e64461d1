#include "caisson/cgroup/unit_name.h"

#include <algorithm>

namespace caisson::cgroup {
namespace {

constexpr std::size_t longest_name = 255;  // UNIT_NAME_MAX

Error invalid(const std::string& what) { return Error::of(Kind::invalid, what); }

bool is_unit_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view(":-_.\\@").find(c) != std::string_view::npos;
}

// source: systemd.unit(5), "unit name"
bool is_unit_name(std::string_view name) {
  return name.size() <= longest_name && !name.starts_with('.') && !name.starts_with('@') &&
         std::all_of(name.begin(), name.end(), is_unit_char);
}

}  // namespace

Result<UnitName> parse_unit_name(std::string_view cgroups_path, std::string_view id, Systemd systemd) {
  std::string_view slice;
  std::string_view prefix = "runc";
  std::string_view name = id;
  if (!cgroups_path.empty()) {
    const std::size_t first = cgroups_path.find(':');
    const std::size_t second = first == cgroups_path.npos ? first : cgroups_path.find(':', first + 1);
    if (second == cgroups_path.npos || cgroups_path.find(':', second + 1) != cgroups_path.npos)
      return invalid("expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got \"" +
                     std::string(cgroups_path) + "\" instead");
    slice = cgroups_path.substr(0, first);
    prefix = cgroups_path.substr(first + 1, second - first - 1);
    name = cgroups_path.substr(second + 1);
  }
  UnitName out;
  out.slice = !slice.empty() ? slice : systemd == Systemd::user ? "user.slice" : "system.slice";
  if (out.slice == "-") out.slice = "-.slice";
  TRY(expand_slice(out.slice));
  if (name.empty()) return invalid("cgroupsPath: \"" + std::string(cgroups_path) + "\" has no name");
  out.unit = name;
  if (out.is_slice()) {
    TRY(expand_slice(out.unit));
    if (out.unit == "-.slice") return invalid("cgroupsPath: the root slice cannot be a container's");
    return out;
  }
  out.unit = std::string(prefix) + "-" + out.unit + ".scope";
  if (!is_unit_name(out.unit)) return invalid("cgroupsPath: \"" + out.unit + "\" is not the name of a systemd unit");
  return out;
}

Result<std::string> expand_slice(std::string_view slice) {
  constexpr std::string_view suffix = ".slice";
  const Error wrong = invalid("invalid slice name: " + std::string(slice));
  if (!is_unit_name(slice) || !slice.ends_with(suffix) || slice.size() == suffix.size()) return wrong;
  if (slice == "-.slice") return std::string("/");
  const std::string_view name = slice.substr(0, slice.size() - suffix.size());
  std::string out;
  for (std::size_t at = 0; at <= name.size();) {
    const std::size_t end = std::min(name.find('-', at), name.size());
    if (end == at) return wrong;  // a dash at an end, or two
    out.append("/").append(name.substr(0, end)).append(suffix);
    at = end + 1;
  }
  return out;
}

Result<Placement> place_unit(const Layout& layout, const UnitName& name, const std::string& manager) {
  if (layout.hierarchies.empty()) return Error::of(Kind::unsupported, "no cgroup file system is mounted");
  std::string path = manager == "/" ? "" : manager;
  // A slice's own name says where it is.
  const std::string slice = TRY(expand_slice(name.is_slice() ? name.unit : name.slice));
  if (slice != "/") path += slice;
  if (!name.is_slice()) path += "/" + name.unit;
  Placement out;
  for (const Hierarchy& hierarchy : layout.hierarchies) {
    std::string below = path;
    const std::string& root = hierarchy.mount_root;
    if (root != "/" && below.starts_with(root + "/")) below.erase(0, root.size());  // the mount shows a part only
    out.directories.push_back({hierarchy.version, hierarchy.controllers, hierarchy.mount_point, std::move(below)});
  }
  return out;
}

}  // namespace caisson::cgroup

// Decides a container's cgroup directories, and writes and reads their text form.
// Layer: cgroup. Used by the runtime through placement.h.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/cgroup/placement.h"

#include <algorithm>

namespace caisson::cgroup {
namespace {

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

// "/a//./b/" -> "/a/b"; the root is "/". Fails on ".." and on control characters (the kernel refuses '\n' anyway).
Result<std::string> normalize(std::string_view path) {
  if (std::any_of(path.begin(), path.end(), is_control))
    return Error::of(Kind::invalid, "cgroupsPath: must not contain control characters");
  std::string out;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string_view part = path.substr(0, end);
    if (part == "..") return Error::of(Kind::invalid, "cgroupsPath: must not contain \"..\"");
    if (!part.empty() && part != ".") out.append("/").append(part);
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return out.empty() ? std::string("/") : out;
}

std::string join(const std::string& above, const std::string& below) { return above == "/" ? below : above + below; }

std::string parent(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == 0 || slash == path.npos ? "/" : path.substr(0, slash);
}

// Our own cgroup as a path below the mount point. A mount that does not show it stands for it.
std::string own_below_mount(const Hierarchy& hierarchy) {
  const std::string& own = hierarchy.own;
  const std::string& root = hierarchy.mount_root;
  if ((own + "/").find("/../") != own.npos) return "/";  // outside our cgroup namespace
  if (root == "/") return own;
  if (own == root || !own.starts_with(root + "/")) return "/";
  return own.substr(root.size());
}

std::string escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c != ' ' && c != '\\' && !is_control(c)) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '\\';
    for (const int shift : {6, 3, 0}) out += static_cast<char>('0' + ((byte >> shift) & 7));
  }
  return out;
}

bool unescape(std::string_view text, std::string& out) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_control(text[i])) return false;  // print() escapes them
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    if (i + 3 >= text.size()) return false;
    int value = 0;
    for (int digit = 0; digit < 3; ++digit) {
      const char c = text[++i];
      if (c < '0' || c > '7') return false;
      value = value * 8 + (c - '0');
    }
    if (value == 0 || value > 255) return false;
    out += static_cast<char>(value);
  }
  return true;
}

bool is_plain_path(const std::string& path) {
  return path.starts_with('/') && (path + "/").find("/../") == path.npos && (path + "/").find("//") == path.npos &&
         (path + "/").find("/./") == path.npos;
}

bool parse_directory(std::string_view line, Directory& out) {
  std::vector<std::string_view> fields;
  while (fields.size() < 5) {
    const std::size_t end = std::min(line.find(' '), line.size());
    fields.push_back(line.substr(0, end));
    if (end == line.size()) break;
    line.remove_prefix(end + 1);
  }
  if (fields.size() != 4 || (fields[0] != "v1" && fields[0] != "v2")) return false;
  out.version = fields[0] == "v1" ? Version::v1 : Version::v2;
  std::string list;
  if (!unescape(fields[1], list) || !unescape(fields[2], out.mount_point) || !unescape(fields[3], out.path))
    return false;
  for (std::size_t at = 0; list != "-" && at <= list.size();) {
    const std::size_t end = std::min(list.find(',', at), list.size());
    if (end == at) return false;
    out.controllers.push_back(list.substr(at, end - at));
    at = end + 1;
  }
  if (out.version == Version::v1 && out.controllers.empty()) return false;
  return is_plain_path(out.path) && out.path != "/" && (out.mount_point == "/" || is_plain_path(out.mount_point));
}

}  // namespace

bool Directory::has(std::string_view controller) const {
  return std::find(controllers.begin(), controllers.end(), controller) != controllers.end();
}

const Directory* Placement::find(std::string_view controller) const {
  const Directory* found = nullptr;
  for (const Directory& directory : directories) {
    if (!directory.has(controller)) continue;
    if (directory.version == Version::v1) return &directory;
    found = &directory;
  }
  return found;
}

const Directory* Placement::unified() const {
  for (const Directory& directory : directories)
    if (directory.version == Version::v2) return &directory;
  return nullptr;
}

Mode Placement::mode() const {
  if (directories.empty()) return Mode::none;
  const bool v2 = unified() != nullptr;
  const bool v1 = directories.size() > (v2 ? 1U : 0U);
  if (v1 && v2) return Mode::hybrid;
  return v1 ? Mode::v1 : Mode::v2;
}

Result<Placement> place(const Layout& layout, std::string_view cgroups_path, std::string_view id) {
  const Mode mode = layout.mode();
  if (mode == Mode::none) return Error::of(Kind::unsupported, "no cgroup file system is mounted");
  const bool absolute = cgroups_path.starts_with('/');
  const std::string inner = TRY(normalize(cgroups_path.empty() ? id : cgroups_path));
  if (inner == "/") return Error::of(Kind::invalid, "cgroupsPath: must not be the root of the hierarchy");
  Placement out;
  for (const Hierarchy& hierarchy : layout.hierarchies) {
    std::string base = absolute ? "/" : own_below_mount(hierarchy);
    if (!absolute && mode == Mode::v2) base = parent(base);
    out.directories.push_back({hierarchy.version, hierarchy.controllers, hierarchy.mount_point, join(base, inner)});
  }
  return out;
}

std::string print(const Placement& placement) {
  std::string out;
  for (const Directory& directory : placement.directories) {
    std::string list;
    for (const std::string& controller : directory.controllers) list += (list.empty() ? "" : ",") + controller;
    out += directory.version == Version::v1 ? "v1 " : "v2 ";
    out += list.empty() ? "-" : escape(list);
    out += " " + escape(directory.mount_point) + " " + escape(directory.path) + "\n";
  }
  return out;
}

Result<Placement> parse_placement(std::string_view text) {
  Placement out;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    Directory directory;
    if (!parse_directory(text.substr(0, end), directory))
      return Error::of(Kind::invalid, "cgroup placement, line " + std::to_string(number) + ": not a directory");
    out.directories.push_back(std::move(directory));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

}  // namespace caisson::cgroup

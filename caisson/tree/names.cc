#include "caisson/tree/names.h"

#include <algorithm>

namespace caisson::tree {
namespace {

struct Row {
  std::string_view before;  // of the component that has the name
  std::string_view after;
  std::string_view parent;  // the component above, with a '/' after it, must begin with it
  std::string_view engine;
  bool hex;  // the name is 64 hexadecimal digits
};

// With the systemd driver a name is between the engine's and ".scope"; with cgroupfs the directory above tells.
constexpr Row rows[] = {
    {"docker-", ".scope", "", "docker", true},
    {"", "", "docker/", "docker", true},
    {"libpod-", ".scope", "", "podman", true},
    {"libpod-", "", "", "podman", true},
    {"crio-", ".scope", "", "cri-o", true},
    {"crio-", "", "", "cri-o", true},
    {"cri-containerd-", ".scope", "", "containerd", true},
    {"", "", "kubepods", "containerd", true},
    {"", "", "pod", "containerd", true},
    {"", "", "buildkit/", "buildkit", false},
    {"lxc.payload.", "", "", "lxc", false},
    {"", "", "lxc.payload/", "lxc", false},
    {"", "", "lxc/", "lxc", false},
    {"systemd-nspawn@", ".service", "", "systemd-nspawn", false},
    {"machine-", ".scope", "machine.slice/", "systemd-nspawn", false},
    {"", "", "", "", true},
};

bool is_hex(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == text.npos;
}

bool matches(const Row& row, std::string_view component, std::string_view parent, std::string& id) {
  if (!(std::string(parent) + "/").starts_with(row.parent) || component.size() <= row.before.size() + row.after.size())
    return false;
  if (!component.starts_with(row.before) || !component.ends_with(row.after)) return false;
  component.remove_prefix(row.before.size());
  component.remove_suffix(row.after.size());
  if (row.hex && !is_hex(component)) return false;
  id = component;
  return true;
}

}  // namespace

EngineName name_of_cgroup(std::string_view path) {
  while (!path.empty()) {
    const std::size_t slash = path.rfind('/');
    const std::string_view component = path.substr(slash == path.npos ? 0 : slash + 1);
    path = path.substr(0, slash == path.npos ? 0 : slash);
    const std::string_view parent = path.substr(path.rfind('/') + 1);
    std::string id;
    for (const Row& row : rows)
      if (matches(row, component, parent, id)) return {.engine = std::string(row.engine), .id = std::move(id)};
  }
  return {};
}

std::string directory_of_cgroup(std::string_view path) {
  while (!path.empty()) {
    const std::size_t slash = path.rfind('/');
    std::string_view name = path.substr(slash == path.npos ? 0 : slash + 1);
    path = path.substr(0, slash == path.npos ? 0 : slash);
    if (name.empty() || name == "init.scope" || name == "container" || name == "payload" || name.ends_with(".slice"))
      continue;
    if (name.ends_with(".scope")) name.remove_suffix(6);
    for (const std::string_view driver : {"runc-", "crun-"})
      if (name.starts_with(driver)) name.remove_prefix(driver.size());
    return std::string(name);
  }
  return "";
}

}  // namespace caisson::tree

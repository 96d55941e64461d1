// A container's cgroup directories as the mounts it sees below /sys/fs/cgroup. Pure.
// Layer: runtime. Declared in rootfs.h; used by creation.cc and checkpoint.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/runtime/rootfs.h"

namespace caisson::runtime {
namespace {

// "cpu,cpuacct" as both the directory's name and (for named hierarchies with "none,") the mount option.
CgroupMount cgroup_mount(const cgroup::Directory& d, bool only_v2) {
  CgroupMount out;
  out.v2 = d.version == cgroup::Version::v2;
  out.directory = d.absolute();
  out.path = d.path;
  if (out.v2) {
    out.name = only_v2 ? "" : "unified";
    return out;
  }
  for (const std::string& controller : d.controllers) out.options += (out.options.empty() ? "" : ",") + controller;
  const bool named = d.controllers.size() == 1 && d.controllers[0].starts_with("name=");
  out.name = d.mount_point.substr(d.mount_point.rfind('/') + 1);
  if (named) out.options = "none," + out.options;
  if (d.controllers.size() > 1)
    for (const std::string& controller : d.controllers)
      if (controller != out.name) out.links.push_back(controller);
  return out;
}

}  // namespace

std::vector<CgroupMount> cgroup_mounts(const cgroup::Placement& placement) {
  std::vector<CgroupMount> out;
  for (const cgroup::Directory& d : placement.directories)
    out.push_back(cgroup_mount(d, placement.directories.size() == 1));
  return out;
}

}  // namespace caisson::runtime

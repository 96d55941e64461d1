// Placement: the directories, one in each hierarchy, that are one container's cgroup.
// Layer: cgroup. Pure. A driver (here: plain cgroupfs) makes one; group.h acts on it; the state file keeps its text.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "caisson/cgroup/layout.h"

namespace caisson::cgroup {

struct Directory {
  Version version = Version::v1;
  std::vector<std::string> controllers;  // as Hierarchy::controllers
  std::string mount_point;               // "/sys/fs/cgroup/memory"
  std::string path;                      // below the mount point, with a leading '/': "/own/ID"; never "/"

  std::string absolute() const { return mount_point == "/" ? path : mount_point + path; }
  bool has(std::string_view controller) const;
};

struct Placement {
  std::vector<Directory> directories;

  const Directory* find(std::string_view controller) const;  // v1 first, then v2
  const Directory* unified() const;
  Mode mode() const;
};

// Where runc's cgroupfs driver puts a container:
//   cgroups_path empty     "<own cgroup>/ID" in each hierarchy
//   absolute               below the hierarchy's mount point
//   relative               below our own cgroup; "slice:prefix:name" is such a relative name without the systemd driver
// On a v2-only machine relative means below the *parent* of our own cgroup, which holds processes and so cannot have
// controllers for children (as runc).
//   errors  invalid: a ".." or a control character in the path, or a path that is the hierarchy's root
//           unsupported: no cgroup file system is mounted
Result<Placement> place(const Layout& layout, std::string_view cgroups_path, std::string_view id);

// One line a directory: "v1 cpu,cpuacct /sys/fs/cgroup/cpu,cpuacct /own/ID", paths escaped as in mountinfo.
std::string print(const Placement& placement);
//   errors  invalid: a line that place() could not have made; the whole text is then refused
Result<Placement> parse_placement(std::string_view text);

}  // namespace caisson::cgroup

// Layout: which cgroup hierarchies this machine has, where they are mounted, and where we are in each.
// Layer: cgroup. Read once per run; placement.h turns it into the directories of one container.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "caisson/base/result.h"

namespace caisson::cgroup {

enum class Version : unsigned char { v1, v2 };

struct Hierarchy {
  Version version = Version::v1;
  // v1: the co-mounted set, "cpu","cpuacct", or a named one, "name=systemd".
  // v2: what cgroup.controllers lists at the mount point; may be empty.
  std::vector<std::string> controllers;
  std::string mount_point;  // "/sys/fs/cgroup/cpu,cpuacct"
  std::string mount_root;   // the directory of the hierarchy that the mount shows: "/", or "/docker/ID" in a container
  std::string own;          // our own cgroup, as /proc/self/cgroup says; seen from our cgroup namespace

  bool has(std::string_view controller) const;
};

enum class Mode : unsigned char { none, v1, hybrid, v2 };

struct Layout {
  std::vector<Hierarchy> hierarchies;  // each hierarchy once, in the order of /proc/self/mountinfo

  const Hierarchy* find(std::string_view controller) const;  // v1 first, then v2; nullptr when nobody has it
  const Hierarchy* unified() const;                          // the v2 hierarchy, or nullptr
  Mode mode() const;
};

// Pure. The controllers of the v2 hierarchy stay empty: they are in a file (load_layout reads it).
// A hierarchy that is mounted several times counts once: a mount that shows our own cgroup wins, then one below
// /sys/fs/cgroup, then the first. Mounts that another one hides do not count.
//   source  proc_pid_mountinfo(5), cgroups(7) "/proc/pid/cgroup"
Layout parse_layout(std::string_view mountinfo, std::string_view proc_cgroup);

// A word list as in cgroup.controllers.
std::vector<std::string> split_words(std::string_view text);

// Reads both files of /proc/self, and cgroup.controllers of the v2 mount.
Result<Layout> load_layout();

}  // namespace caisson::cgroup

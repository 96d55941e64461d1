// Making and removing cgroup directories, v1 cpusets, v2 controllers: what Group::create and ::remove are built of.
// Layer: cgroup, internal. Used by group.cc.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "caisson/base/result.h"
#include "caisson/cgroup/placement.h"

namespace caisson::cgroup {

// mkdir -p. What it made is appended to `made`, outermost first; nothing is appended when the directory was there.
Result<void> make_group(const Directory& directory, std::vector<std::string>& made);

// rmdir -r: children first. Retries while a group is busy, until `limit` has passed. Gone is success.
Result<void> remove_group(const std::string& path, std::chrono::milliseconds limit);

// A new v1 cpuset has neither cpus nor mems and takes no process: fills the empty ones from the nearest ancestor.
//   own  which of the two files the caller is about to write itself
struct CpusetOwn {
  bool cpus = false;
  bool mems = false;
};
Result<void> inherit_cpuset(const Directory& directory, CpusetOwn own);

// Puts "+controller" into cgroup.subtree_control of every directory above, where it is not there yet. A controller
// that an ancestor cannot enable is left out: who needs it finds its files missing.
//   top  the hierarchy's root. On a hybrid it is left as it is: what is enabled there is taken from v1 for the whole
//        machine, in all groups, and stays so after the container. Who wants it enables it once by hand.
//        source: cgroup-v2.rst "Mounting": a controller is free for v1 only while v2 does not use it
enum class Top : bool { leave, enable };
void enable_controllers(const Directory& directory, const std::vector<std::string>& controllers, Top top);

// A v2 cgroup below one with processes can be "domain invalid": made threaded if only threaded controllers are needed.
Result<void> settle_type(const Directory& directory, bool needs_domain);

// The absolute paths of all cgroups below `path`, itself first, children after their parents. Gone ones are left out.
std::vector<std::string> list_groups(const std::string& path);

}  // namespace caisson::cgroup

// How a shim leaves whoever started it: no descriptor, terminal, directory or cgroup of the caller's is kept.
// Layer: shim. Used by shim.cc.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "caisson/base/result.h"

namespace caisson::shim {

// In the background: nothing of the caller's but its descriptors that we name. stderr is the log from now on.
Result<void> leave_caller(const std::string& log_path);

// Its own, made by the creator; a hierarchy that refuses leaves us where we are. The files are closed.
void join_cgroups(const std::vector<int>& tasks_files);

// What the caller of a container runtime has open is not ours to keep open: pipes would never end.
//   kept  in order
void close_others(const std::vector<int>& kept);

}  // namespace caisson::shim

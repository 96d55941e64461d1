// What a process is given from outside, because inside it may not raise it: rlimits, scheduling, OOM score.
// Layer: runtime. Used by creation.cc and exec.cc on a process that waits.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <string>

#include "caisson/base/result.h"
#include "caisson/runtime/process_plan.h"

namespace caisson::runtime {

// A process in the host's user namespace takes its rlimits itself, before it changes its user: prlimit(2) on a process
// of another user needs CAP_SYS_RESOURCE even to lower one. In a user namespace of its own it may not raise them, so
// that they are given from outside.
enum class RlimitsBy : bool { itself, us };

//   errors  os: naming the limit, as runc does
Result<void> give_limits(pid_t pid, const ProcessPlan& plan, RlimitsBy by);

// pid 0: the calling process.
Result<void> set_rlimits(pid_t pid, const ProcessPlan& plan);

// All CPUs that the cgroup allows, whatever the caller was bound to; where that is refused, the caller's. source: runc
void reset_affinity();

// sched_setaffinity(2) with a list of CPUs; an empty list leaves it.
Result<void> set_affinity(pid_t pid, const std::string& cpus);

// What this process may give: its own permitted capabilities.
Result<std::uint64_t> permitted_capabilities();

}  // namespace caisson::runtime

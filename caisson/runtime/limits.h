// What a process is given from outside, because inside it may not raise it: rlimits, scheduling, OOM score.
// Layer: runtime. Used by creation.cc and exec.cc on a process that waits.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <string>

#include "caisson/base/result.h"
#include "caisson/runtime/process_plan.h"

namespace caisson::runtime {

//   errors  os: naming the limit: "error setting rlimit type 7: operation not permitted" as runc says it
Result<void> give_limits(pid_t pid, const ProcessPlan& plan);

// sched_setaffinity(2) with a list of CPUs; an empty list leaves it.
Result<void> set_affinity(pid_t pid, const std::string& cpus);

// What this process may give: its own permitted capabilities.
Result<std::uint64_t> permitted_capabilities();

}  // namespace caisson::runtime

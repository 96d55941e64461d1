// ptrace(2): a child that is followed, call by call, with all that it starts.
// Layer: sys. Used by trace.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <linux/ptrace.h>
#include <sys/types.h>

#include <string>
#include <vector>

#include "caisson/base/result.h"

namespace caisson::sys {

// A child that becomes `argv` (looked for in PATH) when the first byte comes; it is followed from before that, with
// every process and thread that it starts, which end with us. Signals of the child are as they were before `mask`.
//   errors  os EPERM: another tracer, or a policy
struct Followed {
  pid_t pid;
  int go;  // write a byte here; the caller closes it
};
Result<Followed> start_followed(const std::vector<std::string>& argv, const void* mask);

// How a stopped task goes on: to its next call or return of one, or stopped still but for signals (a job that is held).
enum class Resume : unsigned char { to_call, held };
// A task that has been killed meanwhile is no error.
void resume(pid_t tid, Resume how, int signal);

// The call that a task is stopped at. errors: os ESRCH
Result<ptrace_syscall_info> call_of(pid_t tid);

}  // namespace caisson::sys

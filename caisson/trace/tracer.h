// Tracer: runs a command and follows all that it starts, from call to call.
// Layer: trace. Used by main.cc.
// SPDX-License-Identifier: Apache-2.0
//
// Every call stops twice: where it begins, before any seccomp filter sees it, and where it returns. A filter of ours
// would cost less, but a nest's own is asked first, and what it answers would not be seen; and without privilege it
// would need no_new_privs, which the command could see.
#pragma once

#include <string>
#include <vector>

#include "caisson/base/result.h"
#include "caisson/trace/report.h"

namespace caisson::trace {

struct Outcome {
  Report report;
  int wait_status = 0;  // the command's, as wait(2) has it
};

// Ends when the last process has: what the command leaves running is followed, too. Signals sent to us go to the
// command; those of the terminal it gets from there.
Result<Outcome> follow(const std::vector<std::string>& command);

}  // namespace caisson::trace

// kill(2), for pids that are known not to end meanwhile: of a frozen cgroup. Others are signalled by Pidfd.
// Layer: sys. Used by cgroup.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include "caisson/base/result.h"

namespace caisson::sys {

//   errors  invalid: a pid that means a group or everybody; os ESRCH: ended
Result<void> send_signal(pid_t pid, int signal);

}  // namespace caisson::sys

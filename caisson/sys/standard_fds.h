// Descriptors 0, 1 and 2 are open, so that no file we open becomes somebody's stderr.
// Layer: sys. Used by every program's first line.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "caisson/base/result.h"

namespace caisson::sys {

// Opens /dev/null for those that are closed. One system call when none is.
Result<void> open_standard_fds();

}  // namespace caisson::sys

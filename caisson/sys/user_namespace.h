// Are we the machine's root, or root of a user namespace only?
// Layer: sys. Used by runtime to choose its defaults.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "caisson/base/result.h"

namespace caisson::sys {

// True unless /proc/self/uid_map is the initial namespace's identity map.
Result<bool> in_user_namespace();

}  // namespace caisson::sys

// Are we the machine's root, or root of a user namespace only?
// Layer: sys. Used by runtime to choose its defaults.
// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace caisson::sys {

// True unless /proc/self/uid_map is the initial namespace's identity map; false if it cannot be read.
bool in_user_namespace();

}  // namespace caisson::sys

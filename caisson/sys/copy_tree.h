// Copies a directory's content into another, as `cp -a` does: owners, modes, times, links, device nodes.
// Layer: sys. Used for tmpcopyup.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "caisson/base/result.h"

namespace caisson::sys {

// `from` and `to` are directory descriptors opened for reading, borrowed. Stays on `from`'s file system, follows no
// link, goes 100 levels deep at most. Extended attributes are copied where the target takes them.
Result<void> copy_tree(int from, int to);

}  // namespace caisson::sys

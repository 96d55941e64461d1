// Names that change at once: symbolic links replaced by rename, and rename itself.
// Layer: sys. Used by nest's records.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "caisson/base/result.h"

namespace caisson::sys {

// A reader sees the old target or the new one.
Result<void> replace_link(const std::string& path, const std::string& target);

Result<void> rename_path(const std::string& from, const std::string& to);  // rename(2)

}  // namespace caisson::sys

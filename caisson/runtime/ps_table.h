// The lines of a ps(1) table that belong to some processes.
// Layer: runtime (pure). Used by command_ps.cc.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "caisson/base/result.h"

namespace caisson::runtime {

// The header, and the lines whose word below "PID" is one of `pids`.
//   errors  invalid: "couldn't find PID field in ps output"
Result<std::string> filter_ps(std::string_view table, const std::vector<pid_t>& pids);

}  // namespace caisson::runtime

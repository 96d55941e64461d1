// A program of the host, run to its end, and what it printed.
// Layer: sys. Used by runtime's `ps`.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "caisson/base/result.h"

namespace caisson::sys {

struct ProgramOutput {
  int status;        // as a shell shows it
  std::string text;  // stdout and stderr together
};

// Looked for in PATH. stdin is ours; no descriptor above 2 is given to it.
//   errors  os ENOENT: there is no such program
Result<ProgramOutput> run_program(const std::vector<std::string>& args);

}  // namespace caisson::sys

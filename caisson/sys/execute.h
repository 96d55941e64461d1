// Other programs: run one and wait for it, or become it.
// Layer: sys. Used by nest, whose other half is the runtime's executable.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "caisson/base/result.h"
#include "caisson/sys/unique_fd.h"

namespace caisson::sys {

struct Finished {
  int status = 0;      // as a shell shows it
  std::string output;  // of stdout, when it was asked for
};

enum class Stdout : bool { inherit, capture };  // capture: stdin and stderr are /dev/null

// argv[0] is what the program sees as its name. It dies with us (PR_SET_PDEATHSIG).
//   errors  os: the program could not be executed
Result<Finished> execute(const std::string& path, const std::vector<std::string>& argv, Stdout output);

// execve(2) with our environment: returns only when it failed.
Error become(const std::string& path, const std::vector<std::string>& argv);

// An anonymous file (memfd) with this text, which execve passes on, numbered `least` or above.
// source: memfd_create(2)
Result<int> make_inherited_file(const std::string& name, const std::string& text, int least);

// The same file at a number from `least` on, which execve passes on. source: fcntl(2) F_DUPFD
Result<UniqueFd> duplicate_inherited(int fd, int least);

}  // namespace caisson::sys

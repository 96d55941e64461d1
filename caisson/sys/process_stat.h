// One line of /proc/PID/stat: is the process there, and is it the one we knew?
// Layer: sys. Used by whoever stores a pid in a file.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string_view>

#include "caisson/base/result.h"

namespace caisson::sys {

struct ProcessStat {
  char state = '?';  // R S D T Z X ...
  pid_t parent = 0;
  std::uint64_t start_time = 0;  // clock ticks since boot; with the pid it names a process for ever

  bool gone() const { return state == 'Z' || state == 'X' || state == 'x'; }
};

// The command name may hold blanks and ')': the fields follow the last ')'. Source: proc(5).
std::optional<ProcessStat> parse_process_stat(std::string_view line);

// errors  ESRCH: no such process
Result<ProcessStat> process_stat(pid_t pid);

// True if `pid` runs, is not a zombie, and is the process that started then. start_time 0 matches any.
// False only when it has ended or is somebody else's pid by now. start_time 0: whoever has the pid.
Result<bool> is_running(pid_t pid, std::uint64_t start_time);

}  // namespace caisson::sys

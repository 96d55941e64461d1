#include "caisson/sys/signal.h"

#include <string>

#include "caisson/sys/raw.h"

namespace caisson::sys {

Result<void> send_signal(pid_t pid, int signal) {
  if (pid <= 0) return Error::of(Kind::invalid, "kill: not a process: " + std::to_string(pid));
  if (const long r = raw::call(SYS_kill, pid, signal); r < 0)
    return Error::os(static_cast<int>(-r), "kill " + std::to_string(pid));
  return ok();
}

}  // namespace caisson::sys

// Waits for a process in the foreground: passes signals on, relays its terminal, returns its exit status.
// Layer: runtime. Used by run and exec without --detach.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <signal.h>
#include <sys/types.h>
#include <termios.h>

#include <optional>

#include "caisson/base/result.h"
#include "caisson/sys/unique_fd.h"

namespace caisson::runtime {

// Blocks every signal and collects them for wait(); made before the process is, which undoes it for itself.
class Foreground {
 public:
  enum class Subreaper : bool { no, yes };  // orphans of the container come to us and are reaped
  static Result<Foreground> begin(Subreaper subreaper);
  Foreground(Foreground&&) noexcept = default;
  Foreground& operator=(Foreground&&) = delete;
  Foreground(const Foreground&) = delete;
  Foreground& operator=(const Foreground&) = delete;
  ~Foreground();

  // For a container with a terminal: our end of the socket that its master comes by. Our own terminal becomes raw.
  Result<void> take_terminal(int socket);

  // Until `pid`, our child, has ended; the status as a shell shows it. What is still on the terminal is copied first.
  Result<int> wait(pid_t pid);

 private:
  Foreground(sys::UniqueFd signals, const sigset_t& old) : signals_(std::move(signals)), old_(old) {}
  struct Ended {
    bool ended = false;
    int status = 0;
  };
  Result<Ended> take_signals(pid_t pid) const;
  void copy_window_size() const;

  sys::UniqueFd signals_;
  sigset_t old_;
  sys::UniqueFd terminal_;
  std::optional<termios> saved_;  // how our own terminal was
};

// In a new child: no signal blocked, none ignored. A shell's nohup or a caller's mask is not the container's.
void reset_signals();

}  // namespace caisson::runtime

// Processes: clone, pidfd, signal, wait.
// Layer: sys. Used by runtime and nest.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>

#include "caisson/base/result.h"
#include "caisson/sys/unique_fd.h"

namespace caisson::sys {

// clone3(2) that returns twice, as fork(2) does; 0 in the child. Only a process with one thread may call it and
// go on to allocate in the child. SIGCHLD is the exit signal unless CLONE_PARENT is among the flags.
//   cgroup  a v2 directory descriptor for CLONE_INTO_CGROUP, or -1
Result<pid_t> clone_process(std::uint64_t flags, int cgroup = -1);

// The exit status as a shell shows it: the code, or 128 + the signal.
int shell_status(int wait_status);

// waitpid(2), restarted; the wait status.
Result<int> wait_for(pid_t pid);

class Pidfd {
 public:
  //   errors  not_found: no such process
  static Result<Pidfd> open(pid_t pid);

  //   errors  not_found: it has ended
  Result<void> send(int signal) const;
  // True when it ended within the time. It need not be our child. source: pidfd_open(2), "poll"
  Result<bool> wait_end(std::chrono::milliseconds limit) const;
  int get() const { return fd_.get(); }

 private:
  explicit Pidfd(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

// A child that is ours to end: killed and reaped by the destructor unless released.
class Process {
 public:
  explicit Process(pid_t pid) : pid_(pid) {}
  Process(Process&& other) noexcept : pid_(other.release()) {}
  Process& operator=(Process&& other) noexcept;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process();

  pid_t pid() const { return pid_; }
  [[nodiscard]] pid_t release();
  Result<int> wait();  // reaps; the wait status

 private:
  pid_t pid_;
};

}  // namespace caisson::sys

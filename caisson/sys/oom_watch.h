// Tells when a memory cgroup kills for want of memory, and when a process ends: one wait for both.
// Layer: sys. Used by runtime's `events`.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "caisson/base/result.h"
#include "caisson/sys/unique_fd.h"

namespace caisson::sys {

class OomWatch {
 public:
  enum class Event : unsigned char { nothing, oom, ended };

  static OomWatch none() { return OomWatch(); }
  // `directory` is a v1 memory cgroup: an eventfd hears of memory.oom_control.
  //   source  kernel Documentation/admin-guide/cgroup-v1/memory.rst, "OOM Control"
  static Result<OomWatch> v1(const std::string& directory);
  // A v2 one: memory.events wakes poll(2), and its oom_kill counter says whether that was it.
  //   source  kernel Documentation/admin-guide/cgroup-v2.rst, "memory.events"
  static Result<OomWatch> v2(const std::string& directory);

  // Until one of them happens or the time is over; `pidfd` is borrowed.
  Result<Event> wait(int pidfd, std::chrono::milliseconds limit);

 private:
  OomWatch() = default;
  Result<bool> happened();
  UniqueFd control_;  // v1: memory.oom_control, which must stay open
  UniqueFd events_;   // v1: the eventfd; v2: memory.events
  bool is_v2_ = false;
  std::uint64_t kills_ = 0;
};

}  // namespace caisson::sys

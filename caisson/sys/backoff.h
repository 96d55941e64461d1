// Waiting without a descriptor to poll: sleep, and waits that grow until a deadline.
// Layer: sys. Used by cgroup; whoever can poll a descriptor does that instead.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

namespace caisson::sys {

using Instant = std::chrono::steady_clock::time_point;

inline Instant now() { return std::chrono::steady_clock::now(); }

// clock_nanosleep(2); a signal may end it early.
void sleep_for(std::chrono::microseconds time);

// Waits that grow: 1, 2, 4 ... 64 ms, until the deadline. False when it has passed.
class Backoff {
 public:
  explicit Backoff(std::chrono::milliseconds limit) : deadline_(now() + limit) {}
  bool wait();

 private:
  Instant deadline_;
  std::chrono::microseconds next_{1000};
};

}  // namespace caisson::sys

#include "caisson/sys/backoff.h"

#include <algorithm>
#include <ctime>

namespace caisson::sys {

void sleep_for(std::chrono::microseconds time) {
  const auto whole = std::chrono::duration_cast<std::chrono::seconds>(time);
  const timespec wait{static_cast<time_t>(whole.count()), static_cast<long>((time - whole).count() * 1000)};
  (void)::clock_nanosleep(CLOCK_MONOTONIC, 0, &wait, nullptr);
}

bool Backoff::wait() {
  const Instant at = now();
  if (at >= deadline_) return false;
  const auto left = std::chrono::duration_cast<std::chrono::microseconds>(deadline_ - at);
  sleep_for(std::min(next_, left + std::chrono::microseconds(1)));
  next_ = std::min(next_ * 2, std::chrono::microseconds(64000));
  return true;
}

}  // namespace caisson::sys

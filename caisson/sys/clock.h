// Wall clock times as RFC 3339 text, always UTC.
// Layer: sys. Used by state files, logs and stats.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ctime>
#include <string>

namespace caisson::sys {

timespec wall_clock();

// Without gmtime_r(3), which reads /etc/localtime on its first use.
std::string rfc3339(std::time_t seconds);        // "2026-11-30T22:47:25Z"
std::string rfc3339_nano(const timespec& time);  // "2026-11-30T22:47:25.0123Z", no trailing zeros, as Go prints it

}  // namespace caisson::sys

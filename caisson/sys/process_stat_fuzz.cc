// Fuzz: a line of /proc/PID/stat, whose command name is anybody's, never crashes us.
// Layer: sys, fuzz target.
// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "caisson/sys/process_stat.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  (void)caisson::sys::parse_process_stat({reinterpret_cast<const char*>(data), size});
  return 0;
}

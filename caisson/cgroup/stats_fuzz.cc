// Fuzz: cgroup files of any form never crash the readers, and a list never grows beyond its limit.
// Layer: cgroup, fuzz target.
// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "caisson/cgroup/files.h"
#include "caisson/cgroup/stats.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace cgroup = caisson::cgroup;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  cgroup::Stats stats;
  stats.memory.pressure = cgroup::parse_pressure(text);
  cgroup::parse_io_stat(text, stats.io);
  (void)cgroup::parse_blkio(text);
  (void)cgroup::parse_number(text);
  stats.cpuset.cpus = cgroup::parse_list(text);
  if (stats.cpuset.cpus.size() > 65536) std::abort();
  (void)cgroup::stats_json("box", stats);
  return 0;
}

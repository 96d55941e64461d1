// What a container's cgroups count, as the JSON that runc's `events` prints and go-runc decodes.
// Layer: runtime. Used by command_events.cc.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "caisson/cgroup/placement.h"

namespace caisson::runtime {

// The "data" of a stats event. A file that is not there, or a controller, counts nothing.
std::string read_stats(const cgroup::Placement& placement);

// Pure parts.
std::map<std::string, std::uint64_t> parse_keyed(std::string_view text);  // "key 7\n": memory.stat, cpu.stat
std::vector<unsigned> parse_ranges(std::string_view text);                // "0-2,7": cpuset.cpus
std::string parse_blkio(std::string_view text);  // "8:0 Read 7\n" to [{"major":8,"minor":0,"op":"Read","value":7}]
std::string parse_io_stat(std::string_view text, bool bytes);  // v2's "8:0 rbytes=7 wbytes=0 rios=1 ...", likewise

}  // namespace caisson::runtime

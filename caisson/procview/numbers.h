// Numbers: what a nest may use and has used, as plain data, and the parsers of the kernel's texts behind them.
// Layer: procview. Pure. Filled by gather.cc, read by the renderers (render.h).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace caisson::procview {

inline constexpr std::uint64_t no_limit = std::numeric_limits<std::uint64_t>::max();

// Bytes, but for counts of events.
struct Memory {
  std::uint64_t limit = no_limit;
  std::uint64_t usage = 0;
  std::uint64_t swap_limit = no_limit;  // swap alone, on v1 too
  std::uint64_t swap_usage = 0;
  std::uint64_t anon = 0, file = 0, shmem = 0, mapped = 0, dirty = 0, writeback = 0;
  std::uint64_t inactive_anon = 0, active_anon = 0, inactive_file = 0, active_file = 0, unevictable = 0;
  std::uint64_t slab_reclaimable = 0, slab_unreclaimable = 0, kernel_stack = 0, page_tables = 0;
  std::uint64_t huge_anon = 0, swap_cached = 0;
  std::uint64_t faults = 0, major_faults = 0, oom_kills = 0;
};

// Nanoseconds of CPU time.
struct CpuTime {
  std::uint64_t user = 0, system = 0;
};

struct CpuUse {
  CpuTime total;
  std::map<unsigned, CpuTime> each;  // by the number of the CPU; empty on v2, which does not tell them apart
};

struct Disk {
  std::uint64_t reads = 0, read_bytes = 0, writes = 0, written_bytes = 0, discards = 0, discarded_bytes = 0;
};
using Disks = std::map<std::string, Disk>;  // by "8:0"

struct Loads {
  double one = 0, five = 0, fifteen = 0;
  unsigned running = 0, tasks = 0;
  std::int64_t last_pid = 0;
};

// Since the nest's start.
struct Age {
  double seconds = 0;
  std::int64_t boot = 0;  // seconds since the epoch
};

// ---- parsers

// "NAME VALUE" lines; the value of a name, or nothing.
std::optional<std::uint64_t> field(std::string_view text, std::string_view name);

// A file that holds one number; "max" is no_limit, and so is v1's largest number. Nothing: not a number.
std::optional<std::uint64_t> parse_limit(std::string_view text);

// memory.stat. On v1 the numbers of the whole hierarchy ("total_…"), with the limits of the cgroups above.
void parse_memory_stat_v1(std::string_view text, Memory& out);
void parse_memory_stat_v2(std::string_view text, Memory& out);

// How many CPUs a quota is worth, rounded up; nothing: no quota. v1: two files; v2: cpu.max, "max 100000".
std::optional<unsigned> cpus_of_quota(std::string_view quota, std::string_view period);
std::optional<unsigned> cpus_of_max(std::string_view text);

// cpuacct.usage_all: "cpu user system" and a line a CPU.
CpuUse parse_usage_all(std::string_view text);
// v2 cpu.stat: usage_usec, user_usec, system_usec.
CpuUse parse_cpu_stat(std::string_view text);

// blkio.throttle.io_serviced and io_service_bytes of v1; io.stat of v2.
Disks parse_blkio(std::string_view serviced, std::string_view bytes);
Disks parse_io_stat(std::string_view text);

// "0-2,7" -> 0 1 2 7, sorted, each once; at most 65536 of them, below 65536.
std::vector<unsigned> parse_list(std::string_view text);
std::string list_text(const std::vector<unsigned>& numbers);  // without a newline
// "ff,00000003" <-> the numbers of the bits that are set. The text has as many words as `like`.
std::vector<unsigned> parse_mask(std::string_view text);
std::string mask_text(const std::vector<unsigned>& numbers, std::string_view like);

std::vector<unsigned> both(const std::vector<unsigned>& a, const std::vector<unsigned>& b);  // sorted ones

}  // namespace caisson::procview

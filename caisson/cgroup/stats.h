// Stats: what a group has used, in the fields of runc's `events --stats`.
// Layer: cgroup. Used by the runtime's events command.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "caisson/base/result.h"
#include "caisson/cgroup/placement.h"

namespace caisson::cgroup {

// Pressure stall information of one resource. source: Documentation/accounting/psi.rst
struct Pressure {
  struct Line {
    std::uint64_t avg10 = 0, avg60 = 0, avg300 = 0;  // hundredths of a percent
    std::uint64_t total = 0;                         // microseconds
  };
  std::optional<Line> some, full;
};

struct CpuStats {
  std::uint64_t total = 0, kernel = 0, user = 0;  // nanoseconds, as all times here
  std::vector<std::uint64_t> per_cpu, per_cpu_kernel, per_cpu_user;
  std::uint64_t periods = 0, throttled_periods = 0, throttled_time = 0;
  std::optional<Pressure> pressure;
};

struct CpusetStats {
  std::vector<std::uint64_t> cpus, mems;
  std::map<std::string, std::int64_t> flags;  // v1 cpuset.NAME
};

struct MemoryUse {
  std::uint64_t limit = 0, usage = 0, max = 0, failures = 0;
};

struct MemoryStats {
  std::uint64_t cache = 0;
  MemoryUse usage, swap, kernel, kernel_tcp;  // swap: memory and swap together, on v2 too
  std::map<std::string, std::uint64_t> raw;   // memory.stat
  std::optional<Pressure> pressure;
};

struct IoEntry {
  std::uint64_t major = 0, minor = 0;
  std::string operation;  // "Read"; empty where the kernel does not tell them apart
  std::uint64_t value = 0;
};

struct IoStats {
  std::map<std::string, std::vector<IoEntry>> tables;  // runc's name ("ioServiceBytesRecursive") -> rows
  std::optional<Pressure> pressure;
};

struct Stats {
  CpuStats cpu;
  CpusetStats cpuset;
  MemoryStats memory;
  std::uint64_t pids = 0;
  std::uint64_t pids_limit = 0;  // 0: none
  IoStats io;
  std::map<std::string, MemoryUse> hugetlb;  // by page size
};

// Files that a kernel does not have count as 0, as in runc.
//   errors  not_found: the group is gone
Result<Stats> read_stats(const Placement& placement);

// {"type":"stats","id":"ID","data":{...}} and a newline: one event, with the keys and omissions of runc 1.5.
std::string stats_json(std::string_view id, const Stats& stats);

// ---- the parsers, pure

Pressure parse_pressure(std::string_view text);
std::vector<IoEntry> parse_blkio(std::string_view text);       // v1: "8:0 Read 512" and "8:0 512"
void parse_io_stat(std::string_view text, IoStats& out);       // v2: "8:0 rbytes=1 wbytes=2 rios=3 wios=4 ..."
std::vector<std::uint64_t> parse_list(std::string_view text);  // "0-2,7" -> 0 1 2 7; at most 65536 of them

}  // namespace caisson::cgroup

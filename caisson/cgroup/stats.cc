// Reads a group's statistics from v1 and v2 files into one form.
// Layer: cgroup. Used by the runtime's events command through stats.h; stats_json.cc prints them.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/cgroup/stats.h"

#include <algorithm>

#include "caisson/cgroup/files.h"
#include "caisson/sys/file.h"

namespace caisson::cgroup {
namespace {

constexpr std::uint64_t ns_per_us = 1000;
constexpr std::uint64_t ns_per_tick = 10'000'000;  // USER_HZ is 100 on every Linux ABI

std::string text_of(const std::string& directory, std::string_view file) {
  auto text = read_value(directory, file);
  return text ? *text : std::string();
}

std::uint64_t number_of(const std::string& directory, std::string_view file) {
  return parse_number(text_of(directory, file)).value_or(0);
}

std::vector<std::uint64_t> numbers_of(const std::string& directory, std::string_view file) {
  std::vector<std::uint64_t> out;
  const std::string text = text_of(directory, file);
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view word = take_word(rest);
    if (word.empty()) break;
    out.push_back(parse_number(word).value_or(0));
  }
  return out;
}

std::optional<Pressure> pressure_of(const std::string& directory, std::string_view file) {
  auto text = read_value(directory, file);  // EOPNOTSUPP when booted with psi=0
  if (!text) return std::nullopt;
  return parse_pressure(*text);
}

std::map<std::string, std::uint64_t> flat_keyed(const std::string& text) {
  std::map<std::string, std::uint64_t> out;
  for (std::string_view rest = text; !rest.empty();) {
    std::string_view line = take_line(rest);
    const std::string key(take_word(line));
    if (const auto value = parse_number(take_word(line)); value && !key.empty()) out[key] = *value;
  }
  return out;
}

// "50.25" -> 5025
std::uint64_t hundredths(std::string_view text) {
  const std::size_t dot = text.find('.');
  std::uint64_t out = parse_number(text.substr(0, dot)).value_or(0) * 100;
  if (dot == text.npos || text.size() < dot + 3) return out;
  return out + parse_number(text.substr(dot + 1, 2)).value_or(0);
}

// ---- cpu

void read_cpu_v1(const Placement& placement, CpuStats& out) {
  if (const Directory* cpu = placement.find("cpu")) {
    const std::string stat = text_of(cpu->absolute(), "cpu.stat");
    out.periods = find_number(stat, "nr_periods").value_or(0);
    out.throttled_periods = find_number(stat, "nr_throttled").value_or(0);
    out.throttled_time = find_number(stat, "throttled_time").value_or(0);
  }
  const Directory* accounting = placement.find("cpuacct");
  if (accounting == nullptr) return;
  const std::string here = accounting->absolute();
  const std::string stat = text_of(here, "cpuacct.stat");
  out.user = find_number(stat, "user").value_or(0) * ns_per_tick;
  out.kernel = find_number(stat, "system").value_or(0) * ns_per_tick;
  out.total = number_of(here, "cpuacct.usage");
  out.per_cpu = numbers_of(here, "cpuacct.usage_percpu");
  out.per_cpu_user = numbers_of(here, "cpuacct.usage_percpu_user");
  out.per_cpu_kernel = numbers_of(here, "cpuacct.usage_percpu_sys");
}

void read_cpu_v2(const std::string& here, CpuStats& out) {
  const std::string stat = text_of(here, "cpu.stat");
  out.total = find_number(stat, "usage_usec").value_or(0) * ns_per_us;
  out.user = find_number(stat, "user_usec").value_or(0) * ns_per_us;
  out.kernel = find_number(stat, "system_usec").value_or(0) * ns_per_us;
  out.periods = find_number(stat, "nr_periods").value_or(0);
  out.throttled_periods = find_number(stat, "nr_throttled").value_or(0);
  out.throttled_time = find_number(stat, "throttled_usec").value_or(0) * ns_per_us;
  out.pressure = pressure_of(here, "cpu.pressure");
}

void read_cpuset(const Directory& directory, CpusetStats& out) {
  const std::string here = directory.absolute();
  if (directory.version == Version::v2) {
    out.cpus = parse_list(text_of(here, "cpuset.cpus.effective"));
    out.mems = parse_list(text_of(here, "cpuset.mems.effective"));
    return;
  }
  out.cpus = parse_list(text_of(here, "cpuset.cpus"));
  out.mems = parse_list(text_of(here, "cpuset.mems"));
  for (const char* flag : {"cpu_exclusive", "mem_hardwall", "mem_exclusive", "memory_migrate", "memory_spread_page",
                           "memory_spread_slab", "memory_pressure", "sched_load_balance", "sched_relax_domain_level"}) {
    const std::string text = text_of(here, std::string("cpuset.") + flag);
    const bool negative = text.starts_with('-');
    const auto value =
        static_cast<std::int64_t>(parse_number(std::string_view(text).substr(negative ? 1 : 0)).value_or(0));
    out.flags[flag] = negative ? -value : value;
  }
}

// ---- memory

MemoryUse memory_use_v1(const std::string& here, const std::string& prefix) {
  return {number_of(here, prefix + ".limit_in_bytes"), number_of(here, prefix + ".usage_in_bytes"),
          number_of(here, prefix + ".max_usage_in_bytes"), number_of(here, prefix + ".failcnt")};
}

void read_memory_v1(const std::string& here, MemoryStats& out) {
  out.raw = flat_keyed(text_of(here, "memory.stat"));
  if (const auto cache = out.raw.find("cache"); cache != out.raw.end()) out.cache = cache->second;
  out.usage = memory_use_v1(here, "memory");
  out.swap = memory_use_v1(here, "memory.memsw");
  out.kernel = memory_use_v1(here, "memory.kmem");
  out.kernel_tcp = memory_use_v1(here, "memory.kmem.tcp");
}

void read_memory_v2(const std::string& here, MemoryStats& out) {
  out.raw = flat_keyed(text_of(here, "memory.stat"));
  if (const auto cache = out.raw.find("file"); cache != out.raw.end()) out.cache = cache->second;
  const std::string events = text_of(here, "memory.events");
  out.usage = {number_of(here, "memory.max"), number_of(here, "memory.current"), number_of(here, "memory.peak"),
               find_number(events, "max").value_or(0)};
  out.swap = {number_of(here, "memory.swap.max"), number_of(here, "memory.swap.current"),
              number_of(here, "memory.swap.peak"), 0};
  // v1 counts memory and swap together, and so does everybody who reads these fields.
  out.swap.usage += out.usage.usage;
  if (out.swap.limit != UINT64_MAX)
    out.swap.limit = out.usage.limit == UINT64_MAX ? UINT64_MAX : out.swap.limit + out.usage.limit;
  out.pressure = pressure_of(here, "memory.pressure");
}

// ---- block I/O

void read_blkio_v1(const std::string& here, IoStats& out) {
  struct Row {
    const char* name;
    const char* file;
  };
  // The first scheduler whose first file has rows tells; the throttling layer sees every device.
  const std::vector<std::vector<Row>> groups = {
      {{"ioServicedRecursive", "blkio.bfq.io_serviced_recursive"},
       {"ioServiceBytesRecursive", "blkio.bfq.io_service_bytes_recursive"},
       {"sectorsRecursive", "blkio.bfq.sectors_recursive"},
       {"ioServiceTimeRecursive", "blkio.bfq.io_service_time_recursive"},
       {"ioWaitTimeRecursive", "blkio.bfq.io_wait_time_recursive"},
       {"ioMergedRecursive", "blkio.bfq.io_merged_recursive"},
       {"ioQueueRecursive", "blkio.bfq.io_queued_recursive"},
       {"ioTimeRecursive", "blkio.bfq.time_recursive"}},
      {{"ioServicedRecursive", "blkio.throttle.io_serviced_recursive"},
       {"ioServiceBytesRecursive", "blkio.throttle.io_service_bytes_recursive"}},
  };
  for (const auto& group : groups) {
    for (const Row& row : group) {
      std::vector<IoEntry> entries = parse_blkio(text_of(here, row.file));
      if (entries.empty() && &row == &group.front()) break;
      if (!entries.empty()) out.tables[row.name] = std::move(entries);
    }
    if (!out.tables.empty()) return;
  }
}

// ---- hugetlb

void read_hugetlb(const Directory& directory, std::map<std::string, MemoryUse>& out) {
  const std::string here = directory.absolute();
  auto entries = sys::list_directory(here);
  if (!entries) return;
  const bool v1 = directory.version == Version::v1;
  const std::string_view suffix = v1 ? ".usage_in_bytes" : ".current";
  for (const sys::DirectoryEntry& entry : *entries) {
    const std::string_view name = entry.name;
    if (!name.starts_with("hugetlb.") || !name.ends_with(suffix) || name.find(".rsvd.") != name.npos) continue;
    const std::string prefix(name.substr(0, name.size() - suffix.size()));
    MemoryUse& use = out[prefix.substr(8)];
    use.usage = number_of(here, name);
    use.max = v1 ? number_of(here, prefix + ".max_usage_in_bytes") : 0;
    use.failures =
        v1 ? number_of(here, prefix + ".failcnt") : find_number(text_of(here, prefix + ".events"), "max").value_or(0);
  }
}

}  // namespace

Pressure parse_pressure(std::string_view text) {
  Pressure out;
  while (!text.empty()) {
    std::string_view line = take_line(text);
    const std::string_view kind = take_word(line);
    Pressure::Line values;
    while (!line.empty()) {
      const std::string_view word = take_word(line);
      const std::size_t equals = std::min(word.find('='), word.size());
      const std::string_view key = word.substr(0, equals);
      const std::string_view value = word.substr(std::min(equals + 1, word.size()));
      if (key == "avg10") values.avg10 = hundredths(value);
      if (key == "avg60") values.avg60 = hundredths(value);
      if (key == "avg300") values.avg300 = hundredths(value);
      if (key == "total") values.total = parse_number(value).value_or(0);
    }
    if (kind == "some") out.some = values;
    if (kind == "full") out.full = values;
  }
  return out;
}

namespace {

// "8:16" into an entry; false when it is not a device.
bool parse_device(std::string_view text, IoEntry& out) {
  const std::size_t colon = text.find(':');
  if (colon == text.npos) return false;
  const auto major = parse_number(text.substr(0, colon));
  const auto minor = parse_number(text.substr(colon + 1));
  if (!major || !minor) return false;
  out.major = *major;
  out.minor = *minor;
  return true;
}

}  // namespace

std::vector<IoEntry> parse_blkio(std::string_view text) {
  std::vector<IoEntry> out;
  while (!text.empty()) {
    std::string_view line = take_line(text);
    IoEntry entry;
    if (!parse_device(take_word(line), entry)) continue;  // the closing "Total 512"
    std::string_view word = take_word(line);
    if (!parse_number(word)) {
      entry.operation = word;
      word = take_word(line);
    }
    const auto value = parse_number(word);
    if (!value) continue;
    entry.value = *value;
    out.push_back(std::move(entry));
  }
  return out;
}

void parse_io_stat(std::string_view text, IoStats& out) {
  struct Row {
    std::string_view key;
    const char* table;
    const char* operation;
  };
  constexpr Row rows[] = {{"rbytes", "ioServiceBytesRecursive", "Read"},
                          {"wbytes", "ioServiceBytesRecursive", "Write"},
                          {"rios", "ioServicedRecursive", "Read"},
                          {"wios", "ioServicedRecursive", "Write"}};
  while (!text.empty()) {
    std::string_view line = take_line(text);
    IoEntry entry;
    if (!parse_device(take_word(line), entry)) continue;
    while (!line.empty()) {
      const std::string_view word = take_word(line);
      const std::size_t equals = word.find('=');
      if (equals == word.npos) continue;
      const auto value = parse_number(word.substr(equals + 1));
      for (const Row& row : rows) {
        if (!value || row.key != word.substr(0, equals)) continue;
        entry.operation = row.operation;
        entry.value = *value;
        out.tables[row.table].push_back(entry);
      }
    }
  }
}

std::vector<std::uint64_t> parse_list(std::string_view text) {
  constexpr std::size_t most = 65536;
  std::vector<std::uint64_t> out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(','), text.size());
    const std::string_view part = text.substr(0, end);
    const std::size_t dash = std::min(part.find('-'), part.size());
    const auto first = parse_number(part.substr(0, dash));
    const auto last = dash == part.size() ? first : parse_number(part.substr(dash + 1));
    if (first && last && *last < most)
      for (std::uint64_t i = *first; i <= *last && out.size() < most; ++i) out.push_back(i);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

Result<Stats> read_stats(const Placement& placement) {
  if (placement.directories.empty() || !sys::exists(placement.directories.front().absolute()))
    return Error::of(Kind::not_found, "the container's cgroup does not exist");
  Stats out;
  const bool v2 = placement.mode() == Mode::v2;
  if (v2)
    read_cpu_v2(placement.unified()->absolute(), out.cpu);
  else
    read_cpu_v1(placement, out.cpu);
  if (const Directory* cpuset = placement.find("cpuset")) read_cpuset(*cpuset, out.cpuset);
  if (const Directory* memory = placement.find("memory")) {
    if (memory->version == Version::v1)
      read_memory_v1(memory->absolute(), out.memory);
    else
      read_memory_v2(memory->absolute(), out.memory);
  }
  if (const Directory* pids = placement.find("pids")) {
    out.pids = number_of(pids->absolute(), "pids.current");
    const std::uint64_t limit = number_of(pids->absolute(), "pids.max");
    out.pids_limit = limit == UINT64_MAX ? 0 : limit;
  }
  if (const Directory* io = placement.find("blkio"); io != nullptr && io->version == Version::v1) {
    read_blkio_v1(io->absolute(), out.io);
  } else if (const Directory* io2 = placement.find("io")) {
    parse_io_stat(text_of(io2->absolute(), "io.stat"), out.io);
    out.io.pressure = pressure_of(io2->absolute(), "io.pressure");
  }
  if (const Directory* hugetlb = placement.find("hugetlb")) read_hugetlb(*hugetlb, out.hugetlb);
  return out;
}

}  // namespace caisson::cgroup

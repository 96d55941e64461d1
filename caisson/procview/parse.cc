// The parsers of numbers.h: total functions over the kernel's texts. What they do not know they leave out.
// Layer: procview. Pure.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>

#include "caisson/cgroup/stats.h"
#include "caisson/procview/names.h"
#include "caisson/procview/numbers.h"
#include "caisson/procview/words.h"

namespace caisson::procview {

namespace {

using StatField = Named<std::uint64_t Memory::*>;

constexpr Names stat_v1({
    StatField{"total_cache", &Memory::file},
    StatField{"total_rss", &Memory::anon},
    StatField{"total_rss_huge", &Memory::huge_anon},
    StatField{"total_shmem", &Memory::shmem},
    StatField{"total_mapped_file", &Memory::mapped},
    StatField{"total_dirty", &Memory::dirty},
    StatField{"total_writeback", &Memory::writeback},
    StatField{"total_swap", &Memory::swap_usage},
    StatField{"total_swapcached", &Memory::swap_cached},
    StatField{"total_pgfault", &Memory::faults},
    StatField{"total_pgmajfault", &Memory::major_faults},
    StatField{"total_inactive_anon", &Memory::inactive_anon},
    StatField{"total_active_anon", &Memory::active_anon},
    StatField{"total_inactive_file", &Memory::inactive_file},
    StatField{"total_active_file", &Memory::active_file},
    StatField{"total_unevictable", &Memory::unevictable},
});

constexpr Names stat_v2({
    StatField{"file", &Memory::file},
    StatField{"anon", &Memory::anon},
    StatField{"anon_thp", &Memory::huge_anon},
    StatField{"shmem", &Memory::shmem},
    StatField{"file_mapped", &Memory::mapped},
    StatField{"file_dirty", &Memory::dirty},
    StatField{"file_writeback", &Memory::writeback},
    StatField{"swapcached", &Memory::swap_cached},
    StatField{"kernel_stack", &Memory::kernel_stack},
    StatField{"pagetables", &Memory::page_tables},
    StatField{"slab_reclaimable", &Memory::slab_reclaimable},
    StatField{"slab_unreclaimable", &Memory::slab_unreclaimable},
    StatField{"pgfault", &Memory::faults},
    StatField{"pgmajfault", &Memory::major_faults},
    StatField{"inactive_anon", &Memory::inactive_anon},
    StatField{"active_anon", &Memory::active_anon},
    StatField{"inactive_file", &Memory::inactive_file},
    StatField{"active_file", &Memory::active_file},
    StatField{"unevictable", &Memory::unevictable},
});

template <class Fields>
void read_fields(std::string_view text, const Fields& fields, Memory& out) {
  for (Lines lines(text); lines.next();) {
    const std::size_t space = lines.line.find(' ');
    if (space == std::string_view::npos) continue;
    if (const auto* member = fields.find(lines.line.substr(0, space)))
      out.** member = number_of(lines.line.substr(space + 1)).value_or(0);
  }
}

// v1's largest limit is LONG_MAX rounded down to a page.
constexpr std::uint64_t unlimited_v1 = 0x7ffffffffffff000;

}  // namespace

std::optional<std::uint64_t> field(std::string_view text, std::string_view name) {
  for (Lines lines(text); lines.next();) {
    const bool has = lines.line.starts_with(name) && lines.line.size() > name.size();
    if (!has || (lines.line[name.size()] != ' ' && lines.line[name.size()] != '\t')) continue;
    Words words(lines.line.substr(name.size()));
    if (words.next()) return number_of(words.word);
  }
  return std::nullopt;
}

std::optional<std::uint64_t> parse_limit(std::string_view text) {
  Words words(text);
  if (!words.next()) return std::nullopt;
  if (words.word == "max") return no_limit;
  const std::optional<std::uint64_t> value = number_of(words.word);
  return value && *value >= unlimited_v1 ? no_limit : value;
}

void parse_memory_stat_v1(std::string_view text, Memory& out) {
  read_fields(text, stat_v1, out);
  const std::uint64_t limit = field(text, "hierarchical_memory_limit").value_or(no_limit);
  if (limit < unlimited_v1) out.limit = std::min(out.limit, limit);
  const std::uint64_t both_limits = field(text, "hierarchical_memsw_limit").value_or(no_limit);
  if (both_limits < unlimited_v1 && out.limit != no_limit)
    out.swap_limit = std::min(out.swap_limit, both_limits - std::min(both_limits, out.limit));
}

void parse_memory_stat_v2(std::string_view text, Memory& out) { read_fields(text, stat_v2, out); }

std::optional<unsigned> cpus_of_quota(std::string_view quota, std::string_view period) {
  Words first(quota);
  Words second(period);
  if (!first.next() || !second.next()) return std::nullopt;
  const auto share = number_of(first.word);
  const auto whole = number_of(second.word);
  if (!share || !whole || *share == 0 || *whole == 0) return std::nullopt;
  return static_cast<unsigned>(std::min<std::uint64_t>((*share - 1) / *whole + 1, 65536));
}

std::optional<unsigned> cpus_of_max(std::string_view text) {
  Words words(text);
  if (!words.next()) return std::nullopt;
  const std::string_view quota = words.word;
  return words.next() ? cpus_of_quota(quota, words.word) : std::nullopt;
}

CpuUse parse_usage_all(std::string_view text) {
  CpuUse out;
  for (Lines lines(text); lines.next();) {
    Words words(lines.line);
    if (!words.next()) continue;
    const auto cpu = number_of(words.word);
    if (!cpu || *cpu > 65535 || !words.next()) continue;
    CpuTime time;
    time.user = number_of(words.word).value_or(0);
    if (words.next()) time.system = number_of(words.word).value_or(0);
    out.each[static_cast<unsigned>(*cpu)] = time;
    out.total.user += time.user;
    out.total.system += time.system;
  }
  return out;
}

CpuUse parse_cpu_stat(std::string_view text) {
  CpuUse out;
  out.total.user = field(text, "user_usec").value_or(0) * 1000;
  out.total.system = field(text, "system_usec").value_or(0) * 1000;
  return out;
}

Disks parse_blkio(std::string_view serviced, std::string_view bytes) {
  Disks out;
  const auto add = [&out](std::string_view text, std::uint64_t Disk::* read, std::uint64_t Disk::* write,
                          std::uint64_t Disk::* discard) {
    for (const cgroup::IoEntry& entry : cgroup::parse_blkio(text)) {
      if (entry.operation.empty()) continue;
      Disk& disk = out[std::to_string(entry.major) + ":" + std::to_string(entry.minor)];
      if (entry.operation == "Read") disk.*read += entry.value;
      if (entry.operation == "Write") disk.*write += entry.value;
      if (entry.operation == "Discard") disk.*discard += entry.value;
    }
  };
  add(serviced, &Disk::reads, &Disk::writes, &Disk::discards);
  add(bytes, &Disk::read_bytes, &Disk::written_bytes, &Disk::discarded_bytes);
  return out;
}

Disks parse_io_stat(std::string_view text) {
  Disks out;
  for (Lines lines(text); lines.next();) {
    Words words(lines.line);
    if (!words.next() || words.word.find(':') == std::string_view::npos) continue;
    Disk& disk = out[std::string(words.word)];
    while (words.next()) {
      const std::size_t equals = words.word.find('=');
      if (equals == std::string_view::npos) continue;
      const std::string_view name = words.word.substr(0, equals);
      const std::uint64_t value = number_of(words.word.substr(equals + 1)).value_or(0);
      if (name == "rbytes") disk.read_bytes = value;
      if (name == "wbytes") disk.written_bytes = value;
      if (name == "dbytes") disk.discarded_bytes = value;
      if (name == "rios") disk.reads = value;
      if (name == "wios") disk.writes = value;
      if (name == "dios") disk.discards = value;
    }
  }
  return out;
}

std::vector<unsigned> parse_list(std::string_view text) {
  std::vector<unsigned> out;
  text = text.substr(0, std::min(text.find_first_of(" \n"), text.size()));
  for (const std::uint64_t number : cgroup::parse_list(text))
    if (number < 65536) out.push_back(static_cast<unsigned>(number));
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

std::string list_text(const std::vector<unsigned>& numbers) {
  std::string out;
  for (std::size_t i = 0; i < numbers.size();) {
    std::size_t last = i;
    while (last + 1 < numbers.size() && numbers[last + 1] == numbers[last] + 1) ++last;
    if (!out.empty()) out += ',';
    out += std::to_string(numbers[i]);
    if (last > i) out += '-' + std::to_string(numbers[last]);
    i = last + 1;
  }
  return out;
}

std::vector<unsigned> parse_mask(std::string_view text) {
  std::vector<unsigned> out;
  unsigned bit = 0;
  for (std::size_t at = text.size(); at-- > 0 && bit < 65536;) {
    const char c = text[at];
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) continue;  // commas between words, the newline
    for (unsigned i = 0; i < 4; ++i)
      if (digit >> i & 1) out.push_back(bit + i);
    bit += 4;
  }
  return out;
}

std::string mask_text(const std::vector<unsigned>& numbers, std::string_view like) {
  std::string out(like);
  unsigned bit = 0;
  for (std::size_t at = out.size(); at-- > 0;) {
    const char c = out[at];
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) continue;
    unsigned digit = 0;
    for (unsigned i = 0; i < 4; ++i)
      if (std::binary_search(numbers.begin(), numbers.end(), bit + i)) digit |= 1u << i;
    out[at] = "0123456789abcdef"[digit];
    bit += 4;
  }
  return out;
}

std::vector<unsigned> both(const std::vector<unsigned>& a, const std::vector<unsigned>& b) {
  std::vector<unsigned> out;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
  return out;
}

}  // namespace caisson::procview

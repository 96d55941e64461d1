// Memory as a nest sees it: meminfo, node meminfo, swaps, vmstat.
// Layer: procview. Pure.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "caisson/procview/render.h"
#include "caisson/procview/words.h"

namespace caisson::procview {

namespace {

constexpr std::uint64_t page = 4096;

std::uint64_t host_bytes(std::string_view host, std::string_view name) { return field(host, name).value_or(0) * 1024; }

std::uint64_t less(std::uint64_t a, std::uint64_t b) { return a > b ? a - b : 0; }

// The value of one line of meminfo in bytes; nothing: the host's line is kept.
std::optional<std::uint64_t> meminfo_value(std::string_view name, const Memory& m, const MemoryView& view) {
  struct Value {
    std::string_view name;
    std::uint64_t bytes;
  };
  const std::array values = {
      Value{"MemTotal:", view.total},
      Value{"MemFree:", view.free},
      Value{"MemUsed:", view.used},
      Value{"MemAvailable:", view.available},
      Value{"Cached:", less(m.file, m.swap_cached)},
      Value{"FilePages:", m.file},
      Value{"SwapCached:", m.swap_cached},
      Value{"Active:", m.active_anon + m.active_file},
      Value{"Inactive:", m.inactive_anon + m.inactive_file},
      Value{"Active(anon):", m.active_anon},
      Value{"Inactive(anon):", m.inactive_anon},
      Value{"Active(file):", m.active_file},
      Value{"Inactive(file):", m.inactive_file},
      Value{"Unevictable:", m.unevictable},
      Value{"SwapTotal:", view.swap_total},
      Value{"SwapFree:", view.swap_free},
      Value{"Dirty:", m.dirty},
      Value{"Writeback:", m.writeback},
      Value{"AnonPages:", m.anon},
      Value{"Mapped:", m.mapped},
      Value{"Shmem:", m.shmem},
      Value{"KReclaimable:", m.slab_reclaimable},
      Value{"Slab:", m.slab_reclaimable + m.slab_unreclaimable},
      Value{"SReclaimable:", m.slab_reclaimable},
      Value{"SUnreclaim:", m.slab_unreclaimable},
      Value{"KernelStack:", m.kernel_stack},
      Value{"PageTables:", m.page_tables},
      Value{"CommitLimit:", view.total / 2 + view.swap_total},
      Value{"Committed_AS:", m.anon + m.shmem + m.swap_usage},
      Value{"AnonHugePages:", m.huge_anon},
  };
  for (const Value& value : values)
    if (value.name == name) return value.bytes;
  // What a cgroup does not count, and what says something about the machine.
  constexpr std::array kept = {"VmallocTotal:",   "HugePages_Total:", "HugePages_Free:", "HugePages_Rsvd:",
                               "HugePages_Surp:", "Hugepagesize:",    "Hugetlb:"};
  if (std::find(kept.begin(), kept.end(), name) != kept.end() || name.starts_with("DirectMap")) return std::nullopt;
  return 0;
}

void add_line(std::string& out, const std::string& prefix, std::string_view line, const Memory& memory,
              const MemoryView& view) {
  Words words(line);
  if (!words.next()) return;
  const std::string_view name = words.word;
  if (const auto bytes = meminfo_value(name, memory, view))
    append(out, "%s%-16s%8lu kB\n", prefix.c_str(), std::string(name).c_str(), *bytes / 1024);
  else
    out.append(prefix).append(line).append("\n");
}

}  // namespace

MemoryView view_memory(std::string_view host, const Memory& memory) {
  MemoryView out;
  const std::uint64_t host_total = host_bytes(host, "MemTotal:");
  out.total = std::min(memory.limit, host_total);
  out.used = std::min(memory.usage, out.total);
  out.free = std::min(less(out.total, memory.usage), host_bytes(host, "MemFree:"));
  const std::uint64_t reclaimable = memory.inactive_file + memory.active_file + memory.slab_reclaimable;
  out.available = std::min({less(out.total, memory.usage) + reclaimable, out.total, host_bytes(host, "MemAvailable:")});
  out.available = std::max(out.available, out.free);
  out.swap_total = std::min(memory.swap_limit, host_bytes(host, "SwapTotal:"));
  out.swap_free = std::min(less(out.swap_total, memory.swap_usage), host_bytes(host, "SwapFree:"));
  out.file = memory.file;
  out.shmem = memory.shmem;
  return out;
}

std::string render_meminfo(std::string_view host, const Memory& memory) {
  const MemoryView view = view_memory(host, memory);
  std::string out;
  out.reserve(host.size() + 64);
  for (Lines lines(host); lines.next();) add_line(out, "", lines.line, memory, view);
  return out;
}

std::string render_node_meminfo(std::string_view host, std::uint64_t host_total, const Memory& memory) {
  // Lines begin with "Node 0 ".
  std::string plain;
  std::string prefix;
  for (Lines lines(host); lines.next();) {
    Words words(lines.line);
    if (!words.next() || !words.next()) continue;
    prefix = "Node " + std::string(words.word) + " ";
    plain.append(words.rest.substr(std::min(words.rest.find_first_not_of(' '), words.rest.size()))).append("\n");
  }
  const std::uint64_t node_total = host_bytes(plain, "MemTotal:");
  const double share =
      host_total == 0 ? 1 : std::min(1.0, static_cast<double>(node_total) / static_cast<double>(host_total));
  const auto part = [share](std::uint64_t bytes) {
    return bytes == no_limit ? no_limit : static_cast<std::uint64_t>(static_cast<double>(bytes) * share);
  };
  Memory shared = memory;
  for (auto member :
       {&Memory::limit, &Memory::usage, &Memory::anon, &Memory::file, &Memory::shmem, &Memory::mapped, &Memory::dirty,
        &Memory::writeback, &Memory::inactive_anon, &Memory::active_anon, &Memory::inactive_file, &Memory::active_file,
        &Memory::unevictable, &Memory::slab_reclaimable, &Memory::slab_unreclaimable, &Memory::kernel_stack,
        &Memory::page_tables, &Memory::huge_anon, &Memory::swap_cached})
    shared.*member = part(shared.*member);
  MemoryView view = view_memory(plain, shared);
  view.used = less(view.total, view.free);
  std::string out;
  for (Lines lines(plain); lines.next();) add_line(out, prefix, lines.line, shared, view);
  return out;
}

std::string render_swaps(std::string_view host_meminfo, const Memory& memory) {
  std::string out = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
  const MemoryView view = view_memory(host_meminfo, memory);
  if (view.swap_total > 0)
    append(out, "none\t\t\t\t\tvirtual\t\t%lu\t%lu\t0\n", view.swap_total / 1024,
           (view.swap_total - view.swap_free) / 1024);
  return out;
}

std::string render_slabinfo(std::string_view host) {
  std::string out;
  for (Lines lines(host); lines.next() && out.size() < 4096;)
    if (lines.line.starts_with("slabinfo") || lines.line.starts_with("#")) out.append(lines.line).append("\n");
  return out.empty() ? "slabinfo - version: 2.1\n" : out;
}

std::string render_vmstat(std::string_view host, std::string_view host_meminfo, const Memory& m, const Disks& disks) {
  const MemoryView view = view_memory(host_meminfo, m);
  std::uint64_t in = 0;
  std::uint64_t written = 0;
  for (const auto& [device, disk] : disks) {
    in += disk.read_bytes;
    written += disk.written_bytes;
  }
  struct Value {
    std::string_view name;
    std::uint64_t value;
  };
  const std::array values = {
      Value{"nr_free_pages", view.free / page},
      Value{"nr_inactive_anon", m.inactive_anon / page},
      Value{"nr_zone_inactive_anon", m.inactive_anon / page},
      Value{"nr_active_anon", m.active_anon / page},
      Value{"nr_zone_active_anon", m.active_anon / page},
      Value{"nr_inactive_file", m.inactive_file / page},
      Value{"nr_zone_inactive_file", m.inactive_file / page},
      Value{"nr_active_file", m.active_file / page},
      Value{"nr_zone_active_file", m.active_file / page},
      Value{"nr_unevictable", m.unevictable / page},
      Value{"nr_zone_unevictable", m.unevictable / page},
      Value{"nr_slab_reclaimable", m.slab_reclaimable / page},
      Value{"nr_slab_unreclaimable", m.slab_unreclaimable / page},
      Value{"nr_anon_pages", m.anon / page},
      Value{"nr_mapped", m.mapped / page},
      Value{"nr_file_pages", m.file / page},
      Value{"nr_dirty", m.dirty / page},
      Value{"nr_writeback", m.writeback / page},
      Value{"nr_shmem", m.shmem / page},
      Value{"nr_kernel_stack", m.kernel_stack / 1024},
      Value{"nr_page_table_pages", m.page_tables / page},
      Value{"nr_swapcached", m.swap_cached / page},
      Value{"pgpgin", in / 1024},
      Value{"pgpgout", written / 1024},
      Value{"pgfault", m.faults},
      Value{"pgmajfault", m.major_faults},
      Value{"oom_kill", m.oom_kills},
  };
  std::string out;
  out.reserve(host.size());
  for (Lines lines(host); lines.next();) {
    Words words(lines.line);
    if (!words.next()) continue;
    const auto known = std::find_if(values.begin(), values.end(), [&](const Value& v) { return v.name == words.word; });
    out.append(words.word);
    append(out, " %lu\n", known == values.end() ? 0 : known->value);
  }
  return out;
}

}  // namespace caisson::procview

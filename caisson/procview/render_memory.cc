// Memory as a nest sees it: meminfo, node meminfo, swaps, vmstat.
// Layer: procview. Pure.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>
#include <utility>

#include "caisson/procview/names.h"
#include "caisson/procview/render.h"
#include "caisson/procview/words.h"

namespace caisson::procview {

struct VmstatSource {
  const Memory& m;
  const MemoryView& view;
  std::uint64_t in, written;
};

namespace {

constexpr std::uint64_t page = 4096;

std::uint64_t host_bytes(std::string_view host, std::string_view name) { return field(host, name).value_or(0) * 1024; }

std::uint64_t less(std::uint64_t a, std::uint64_t b) { return a > b ? a - b : 0; }

using MeminfoValue = std::uint64_t (*)(const Memory& m, const MemoryView& view);

// The value of a line in bytes; null: the host's line is kept, for it says something about the machine.
constexpr Names meminfo_values({
    Named<MeminfoValue>{"MemTotal:", +[](const Memory&, const MemoryView& view) { return view.total; }},
    Named<MeminfoValue>{"MemFree:", +[](const Memory&, const MemoryView& view) { return view.free; }},
    Named<MeminfoValue>{"MemUsed:", +[](const Memory&, const MemoryView& view) { return view.used; }},
    Named<MeminfoValue>{"MemAvailable:", +[](const Memory&, const MemoryView& view) { return view.available; }},
    Named<MeminfoValue>{"Cached:", +[](const Memory& m, const MemoryView&) { return less(m.file, m.swap_cached); }},
    Named<MeminfoValue>{"FilePages:", +[](const Memory& m, const MemoryView&) { return m.file; }},
    Named<MeminfoValue>{"SwapCached:", +[](const Memory& m, const MemoryView&) { return m.swap_cached; }},
    Named<MeminfoValue>{"Active:", +[](const Memory& m, const MemoryView&) { return m.active_anon + m.active_file; }},
    Named<MeminfoValue>{"Inactive:",
                        +[](const Memory& m, const MemoryView&) { return m.inactive_anon + m.inactive_file; }},
    Named<MeminfoValue>{"Active(anon):", +[](const Memory& m, const MemoryView&) { return m.active_anon; }},
    Named<MeminfoValue>{"Inactive(anon):", +[](const Memory& m, const MemoryView&) { return m.inactive_anon; }},
    Named<MeminfoValue>{"Active(file):", +[](const Memory& m, const MemoryView&) { return m.active_file; }},
    Named<MeminfoValue>{"Inactive(file):", +[](const Memory& m, const MemoryView&) { return m.inactive_file; }},
    Named<MeminfoValue>{"Unevictable:", +[](const Memory& m, const MemoryView&) { return m.unevictable; }},
    Named<MeminfoValue>{"SwapTotal:", +[](const Memory&, const MemoryView& view) { return view.swap_total; }},
    Named<MeminfoValue>{"SwapFree:", +[](const Memory&, const MemoryView& view) { return view.swap_free; }},
    Named<MeminfoValue>{"Dirty:", +[](const Memory& m, const MemoryView&) { return m.dirty; }},
    Named<MeminfoValue>{"Writeback:", +[](const Memory& m, const MemoryView&) { return m.writeback; }},
    Named<MeminfoValue>{"AnonPages:", +[](const Memory& m, const MemoryView&) { return m.anon; }},
    Named<MeminfoValue>{"Mapped:", +[](const Memory& m, const MemoryView&) { return m.mapped; }},
    Named<MeminfoValue>{"Shmem:", +[](const Memory& m, const MemoryView&) { return m.shmem; }},
    Named<MeminfoValue>{"KReclaimable:", +[](const Memory& m, const MemoryView&) { return m.slab_reclaimable; }},
    Named<MeminfoValue>{"Slab:",
                        +[](const Memory& m, const MemoryView&) { return m.slab_reclaimable + m.slab_unreclaimable; }},
    Named<MeminfoValue>{"SReclaimable:", +[](const Memory& m, const MemoryView&) { return m.slab_reclaimable; }},
    Named<MeminfoValue>{"SUnreclaim:", +[](const Memory& m, const MemoryView&) { return m.slab_unreclaimable; }},
    Named<MeminfoValue>{"KernelStack:", +[](const Memory& m, const MemoryView&) { return m.kernel_stack; }},
    Named<MeminfoValue>{"PageTables:", +[](const Memory& m, const MemoryView&) { return m.page_tables; }},
    Named<MeminfoValue>{"CommitLimit:",
                        +[](const Memory&, const MemoryView& view) { return view.total / 2 + view.swap_total; }},
    Named<MeminfoValue>{"Committed_AS:",
                        +[](const Memory& m, const MemoryView&) { return m.anon + m.shmem + m.swap_usage; }},
    Named<MeminfoValue>{"AnonHugePages:", +[](const Memory& m, const MemoryView&) { return m.huge_anon; }},
    Named<MeminfoValue>{"VmallocTotal:", nullptr},
    Named<MeminfoValue>{"HugePages_Total:", nullptr},
    Named<MeminfoValue>{"HugePages_Free:", nullptr},
    Named<MeminfoValue>{"HugePages_Rsvd:", nullptr},
    Named<MeminfoValue>{"HugePages_Surp:", nullptr},
    Named<MeminfoValue>{"Hugepagesize:", nullptr},
    Named<MeminfoValue>{"Hugetlb:", nullptr},
});

void append_number(std::string& out, std::uint64_t value, std::size_t width = 0) {
  char digits[20];
  const auto size = static_cast<std::size_t>(std::to_chars(digits, digits + sizeof digits, value).ptr - digits);
  if (size < width) out.append(width - size, ' ');
  out.append(digits, size);
}

void add_line(std::string& out, const std::string& prefix, std::string_view line, const Memory& memory,
              const MemoryView& view) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  const std::string_view name = line.substr(0, colon + 1);
  const MeminfoValue* known = meminfo_values.find(name);
  out.append(prefix);
  if ((known != nullptr && *known == nullptr) || name.starts_with("DirectMap")) {
    out.append(line).append("\n");
    return;
  }
  out.append(name);
  if (name.size() < 16) out.append(16 - name.size(), ' ');
  // What a cgroup does not count is 0.
  append_number(out, known == nullptr ? 0 : (*known)(memory, view) / 1024, 8);
  out.append(" kB\n");
}

using VmstatValue = std::uint64_t (*)(const VmstatSource& s);

constexpr Names vmstat_values({
    Named<VmstatValue>{"nr_free_pages", +[](const VmstatSource& s) { return s.view.free / page; }},
    Named<VmstatValue>{"nr_inactive_anon", +[](const VmstatSource& s) { return s.m.inactive_anon / page; }},
    Named<VmstatValue>{"nr_zone_inactive_anon", +[](const VmstatSource& s) { return s.m.inactive_anon / page; }},
    Named<VmstatValue>{"nr_active_anon", +[](const VmstatSource& s) { return s.m.active_anon / page; }},
    Named<VmstatValue>{"nr_zone_active_anon", +[](const VmstatSource& s) { return s.m.active_anon / page; }},
    Named<VmstatValue>{"nr_inactive_file", +[](const VmstatSource& s) { return s.m.inactive_file / page; }},
    Named<VmstatValue>{"nr_zone_inactive_file", +[](const VmstatSource& s) { return s.m.inactive_file / page; }},
    Named<VmstatValue>{"nr_active_file", +[](const VmstatSource& s) { return s.m.active_file / page; }},
    Named<VmstatValue>{"nr_zone_active_file", +[](const VmstatSource& s) { return s.m.active_file / page; }},
    Named<VmstatValue>{"nr_unevictable", +[](const VmstatSource& s) { return s.m.unevictable / page; }},
    Named<VmstatValue>{"nr_zone_unevictable", +[](const VmstatSource& s) { return s.m.unevictable / page; }},
    Named<VmstatValue>{"nr_slab_reclaimable", +[](const VmstatSource& s) { return s.m.slab_reclaimable / page; }},
    Named<VmstatValue>{"nr_slab_unreclaimable", +[](const VmstatSource& s) { return s.m.slab_unreclaimable / page; }},
    Named<VmstatValue>{"nr_anon_pages", +[](const VmstatSource& s) { return s.m.anon / page; }},
    Named<VmstatValue>{"nr_mapped", +[](const VmstatSource& s) { return s.m.mapped / page; }},
    Named<VmstatValue>{"nr_file_pages", +[](const VmstatSource& s) { return s.m.file / page; }},
    Named<VmstatValue>{"nr_dirty", +[](const VmstatSource& s) { return s.m.dirty / page; }},
    Named<VmstatValue>{"nr_writeback", +[](const VmstatSource& s) { return s.m.writeback / page; }},
    Named<VmstatValue>{"nr_shmem", +[](const VmstatSource& s) { return s.m.shmem / page; }},
    Named<VmstatValue>{"nr_kernel_stack", +[](const VmstatSource& s) { return s.m.kernel_stack / 1024; }},
    Named<VmstatValue>{"nr_page_table_pages", +[](const VmstatSource& s) { return s.m.page_tables / page; }},
    Named<VmstatValue>{"nr_swapcached", +[](const VmstatSource& s) { return s.m.swap_cached / page; }},
    Named<VmstatValue>{"pgpgin", +[](const VmstatSource& s) { return s.in / 1024; }},
    Named<VmstatValue>{"pgpgout", +[](const VmstatSource& s) { return s.written / 1024; }},
    Named<VmstatValue>{"pgfault", +[](const VmstatSource& s) { return s.m.faults; }},
    Named<VmstatValue>{"pgmajfault", +[](const VmstatSource& s) { return s.m.major_faults; }},
    Named<VmstatValue>{"oom_kill", +[](const VmstatSource& s) { return s.m.oom_kills; }},
});

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

VmstatForm::VmstatForm(std::string_view host) {
  for (Lines lines(host); lines.next();) {
    const std::string_view name = lines.line.substr(0, std::min(lines.line.find(' '), lines.line.size()));
    if (name.empty()) continue;
    rest_.append(name);
    const VmstatValue* value = vmstat_values.find(name);
    rest_.append(value == nullptr ? " 0\n" : " ");
    if (value != nullptr) parts_.push_back({std::exchange(rest_, "\n"), *value});
  }
}

std::string VmstatForm::render(std::string_view host_meminfo, const Memory& memory, const Disks& disks) const {
  const MemoryView view = view_memory(host_meminfo, memory);
  VmstatSource source{memory, view, 0, 0};
  for (const auto& [device, disk] : disks) {
    source.in += disk.read_bytes;
    source.written += disk.written_bytes;
  }
  std::string out;
  out.reserve(4096);
  for (const Part& part : parts_) {
    out.append(part.before);
    append_number(out, part.value(source));
  }
  return out.append(rest_);
}

}  // namespace caisson::procview

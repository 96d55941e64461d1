// The renderers: a host's text and a nest's numbers in, the nest's text out.
// Layer: procview. Pure. Used by content.cc.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/sysinfo.h>

#include <string>
#include <string_view>
#include <vector>

#include "caisson/procview/numbers.h"

namespace caisson::procview {

// ---- memory

// Bytes. Never more than the host has: without a limit, free and available are what the host really has left.
struct MemoryView {
  std::uint64_t total = 0, free = 0, available = 0, used = 0;
  std::uint64_t swap_total = 0, swap_free = 0;
  std::uint64_t file = 0, shmem = 0;
};
MemoryView view_memory(std::string_view host_meminfo, const Memory& memory);

std::string render_meminfo(std::string_view host, const Memory& memory);
// `host_total`: the machine's memory in bytes; the nest's is shared among the nodes in proportion.
std::string render_node_meminfo(std::string_view host, std::uint64_t host_total, const Memory& memory);
std::string render_swaps(std::string_view host_meminfo, const Memory& memory);
// vmstat: the names and their order are one kernel's for good, and so is what is 0.
class VmstatForm {
 public:
  explicit VmstatForm(std::string_view host);
  std::string render(std::string_view host_meminfo, const Memory& memory, const Disks& disks) const;

 private:
  struct Part {
    std::string before;
    std::uint64_t (*value)(const struct VmstatSource&);
  };
  std::vector<Part> parts_;
  std::string rest_;
};

std::string render_slabinfo(std::string_view host);

// ---- CPUs

// Those of the cpuset, and of them only as many as the quota is worth.
std::vector<unsigned> view_cpus(const std::vector<unsigned>& cpuset, std::optional<unsigned> quota);

std::string render_cpuinfo(std::string_view host, const std::vector<unsigned>& cpus);
// The time of a nest's CPUs that is not its own work is idle time. `ticks`: of sysconf(_SC_CLK_TCK).
std::string render_stat(std::string_view host, const std::vector<unsigned>& cpus, const CpuUse& use, const Age& age,
                        long ticks);
std::string render_uptime(const Age& age, std::size_t cpus, const CpuUse& use);
std::string render_loadavg(const Loads& loads);

// ---- devices

std::string render_diskstats(std::string_view host, const Disks& disks);
std::string render_partitions(std::string_view host, const std::vector<std::string>& devices);

// ---- the rest

std::string render_product_uuid(std::string_view host, std::string_view id);
struct sysinfo make_sysinfo(const MemoryView& memory, const Age& age, const Loads& loads);

// A new mean after `seconds` in which `active` tasks ran or waited. source: linux kernel/sched/loadavg.c
void age_loads(Loads& loads, double active, double seconds);

}  // namespace caisson::procview

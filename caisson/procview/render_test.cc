// Laws of the renderers: the nest's numbers in the host's form, and nothing of the host's that is not the nest's.
// Layer: procview, test.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/procview/render.h"

#include <gmock/gmock.h>

#include <algorithm>

namespace caisson::procview {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::uint64_t mebi = 1 << 20;

constexpr std::string_view host_meminfo =
    "MemTotal:        8388608 kB\nMemFree:         4194304 kB\nMemAvailable:    6291456 kB\nBuffers:            1000 "
    "kB\n"
    "Cached:          1000000 kB\nSwapTotal:       2097152 kB\nSwapFree:        2097152 kB\nActive(anon):       5000 "
    "kB\n"
    "HugePages_Total:       0\nHugepagesize:       2048 kB\nDirectMap4k:      100 kB\n";

Memory limited() {
  Memory m;
  m.limit = 256 * mebi;
  m.usage = 100 * mebi;
  m.swap_limit = 64 * mebi;
  m.swap_usage = 4 * mebi;
  m.file = 30 * mebi;
  m.inactive_file = 20 * mebi;
  m.active_file = 10 * mebi;
  m.anon = m.active_anon = 70 * mebi;
  return m;
}

TEST(Render, MeminfoIsTheLimitAndTheUse) {
  const std::string text = render_meminfo(host_meminfo, limited());
  EXPECT_EQ(field(text, "MemTotal:"), 262144u);
  EXPECT_EQ(field(text, "MemFree:"), 156u * 1024);
  EXPECT_EQ(field(text, "MemAvailable:"), 186u * 1024);
  EXPECT_EQ(field(text, "Cached:"), 30u * 1024);
  EXPECT_EQ(field(text, "Active(anon):"), 70u * 1024);
  EXPECT_EQ(field(text, "SwapTotal:"), 65536u);
  EXPECT_EQ(field(text, "SwapFree:"), 60u * 1024);
}

TEST(Render, MeminfoKeepsTheHostsLinesInTheirOrderAndZeroesWhatNoCgroupCounts) {
  const std::string text = render_meminfo(host_meminfo, limited());
  EXPECT_THAT(text, HasSubstr("MemTotal:         262144 kB\n"));
  EXPECT_EQ(field(text, "Buffers:"), 0u);
  EXPECT_THAT(text, HasSubstr("Hugepagesize:       2048 kB\n"));
  EXPECT_THAT(text, HasSubstr("DirectMap4k:      100 kB\n"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), std::count(host_meminfo.begin(), host_meminfo.end(), '\n'));
}

TEST(Render, NobodyHasMoreThanTheMachine) {
  Memory m = limited();
  m.limit = no_limit;
  m.swap_limit = no_limit;
  const MemoryView view = view_memory(host_meminfo, m);
  EXPECT_EQ(view.total, 8388608ULL * 1024);
  EXPECT_EQ(view.free, 4194304ULL * 1024);
  EXPECT_EQ(view.swap_total, 2097152ULL * 1024);
  m.limit = 10 * mebi;  // less than is used
  EXPECT_EQ(view_memory(host_meminfo, m).free, 0u);
  EXPECT_EQ(view_memory("", m).total, 0u);
}

TEST(Render, ANodeHasItsShareOfMemory) {
  const std::string text = render_node_meminfo("Node 1 MemTotal:       4194304 kB\nNode 1 MemFree:        2097152 kB\n",
                                               8388608ULL * 1024, limited());
  EXPECT_THAT(text, HasSubstr("Node 1 MemTotal:         131072 kB\n"));
  EXPECT_THAT(text, HasSubstr("Node 1 MemFree:           79872 kB\n"));
}

TEST(Render, SwapsIsOneLineOrNone) {
  EXPECT_THAT(render_swaps(host_meminfo, limited()), HasSubstr("\nnone\t\t\t\t\tvirtual\t\t65536\t4096\t0\n"));
  Memory none = limited();
  none.swap_limit = 0;
  EXPECT_EQ(render_swaps(host_meminfo, none), "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
}

TEST(Render, VmstatCountsWhatTheCgroupCounts) {
  Disks disks;
  disks["8:0"].read_bytes = 4096;
  const VmstatForm form("nr_free_pages 9\nnr_anon_pages 9\npgpgin 9\nnew 9\n");
  const std::string text = form.render(host_meminfo, limited(), disks);
  EXPECT_EQ(text, "nr_free_pages 39936\nnr_anon_pages 17920\npgpgin 4\nnew 0\n");
  EXPECT_EQ(VmstatForm("").render(host_meminfo, limited(), disks), "");
}

TEST(Render, AQuotaTakesTheFirstCpusOfTheSet) {
  EXPECT_THAT(view_cpus({1, 3, 5}, 2), ElementsAre(1, 3));
  EXPECT_THAT(view_cpus({1, 3}, 9), ElementsAre(1, 3));
  EXPECT_THAT(view_cpus({1, 3}, 0), ElementsAre(1));
  EXPECT_THAT(view_cpus({1, 3}, std::nullopt), ElementsAre(1, 3));
}

TEST(Render, CpuinfoHasTheNestsCpusWithTheirNumbers) {
  EXPECT_EQ(render_cpuinfo("processor\t: 0\nmodel\t: a\n\nprocessor\t: 1\nmodel\t: b\n\nHardware\t: x\n", {1}),
            "processor\t: 1\nmodel\t: b\n\nHardware\t: x\n");
}

TEST(Render, StatIsTheNestsTimeAndTheRestIsIdle) {
  CpuUse use;
  use.total = {3'000'000'000, 1'000'000'000};
  use.each[1] = use.total;
  const Age age{.seconds = 10, .boot = 1234};
  EXPECT_EQ(render_stat("cpu  9 9\ncpu0 9\ncpu1 9\nintr 7\nbtime 1\nprocesses 5\n", {1}, use, age, 100),
            "cpu  300 0 100 600 0 0 0 0 0 0\ncpu1 300 0 100 600 0 0 0 0 0 0\nintr 7\nbtime 1234\nprocesses 5\n");
  // Time spent on a CPU that it has no more is shared among those it has.
  EXPECT_THAT(render_stat("cpu  9\n", {0, 2}, use, age, 100), HasSubstr("cpu2 150 0 50 800 "));
}

TEST(Render, UptimeIsItsAgeAndTheIdleTimeOfItsCpus) {
  CpuUse use;
  use.total = {1'000'000'000, 500'000'000};
  EXPECT_EQ(render_uptime({.seconds = 2.5, .boot = 0}, 2, use), "2.50 3.50\n");
  use.total.user = 900'000'000'000;
  EXPECT_EQ(render_uptime({.seconds = 2.5, .boot = 0}, 2, use), "2.50 0.00\n");
}

TEST(Render, LoadAgesAsTheKernelsDoes) {
  Loads loads;
  age_loads(loads, 1, 60);
  EXPECT_NEAR(loads.one, 0.632, 0.001);
  EXPECT_NEAR(loads.five, 0.181, 0.001);
  age_loads(loads, 0, 0);
  EXPECT_NEAR(loads.one, 0.632, 0.001);
  EXPECT_EQ(render_loadavg({0.5, 0.25, 0, 1, 7, 42}), "0.50 0.25 0.00 1/7 42\n");
}

TEST(Render, DiskstatsShowsWhatTheCgroupCountedInTheHostsForm) {
  constexpr std::string_view host = "   8       0 sda 100 1 2 3\n   8      16 sdb 100 1 2 3\n";
  const Disks v1 = parse_blkio("8:0 Read 3\n8:0 Write 4\n", "8:0 Read 4096\n8:0 Write 1024\n");
  const Disks v2 = parse_io_stat("8:0 rbytes=4096 wbytes=1024 rios=3 wios=4 dbytes=0 dios=0\n");
  const std::string line = "   8       0 sda 3 0 8 0 4 0 2 0 0 0 0 0 0 0 0 0 0\n";
  EXPECT_EQ(render_diskstats(host, v1), line);
  EXPECT_EQ(render_diskstats(host, v2), line);
  EXPECT_EQ(render_diskstats(host, {}), "");
}

TEST(Render, PartitionsAreThoseThatWereGiven) {
  constexpr std::string_view host =
      "major minor  #blocks  name\n\n   8        0   1000 sda\n   8        1    900 sda1\n";
  EXPECT_EQ(render_partitions(host, {"8:1"}), "major minor  #blocks  name\n\n   8        1    900 sda1\n");
  EXPECT_EQ(render_partitions(host, {}), "major minor  #blocks  name\n\n");
}

TEST(Render, SlabinfoHasItsHeadAndNoCache) {
  EXPECT_EQ(render_slabinfo("slabinfo - version: 2.1\n# name <active_objs>\ndentry 1 2\n"),
            "slabinfo - version: 2.1\n# name <active_objs>\n");
  EXPECT_EQ(render_slabinfo(""), "slabinfo - version: 2.1\n");
}

TEST(Render, EveryNestHasAnIdentityOfItsOwn) {
  EXPECT_EQ(render_product_uuid("11111111-2222-3333-4444-555555555555\n", "0123456789ab"),
            "11111111-2222-3333-4444-0123456789ab\n");
  EXPECT_EQ(render_product_uuid("", "my-nest"), "00000000-0000-0000-0000-00000000000e\n");
}

TEST(Render, SysinfoHasTheSameNumbers) {
  const struct sysinfo info =
      make_sysinfo(view_memory(host_meminfo, limited()), {.seconds = 7.9, .boot = 0}, {1, 0, 0, 1, 70000, 1});
  EXPECT_EQ(info.totalram, 256 * mebi);
  EXPECT_EQ(info.uptime, 7);
  EXPECT_EQ(info.loads[0], 65536u);
  EXPECT_EQ(info.procs, 65535u);
  EXPECT_EQ(info.mem_unit, 1u);
}

}  // namespace
}  // namespace caisson::procview

// Laws of the statistics: runc's keys, whatever files the kernel has.
// Layer: cgroup, test.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/cgroup/stats.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <stdlib.h>

#include "caisson/sys/file.h"

namespace caisson::cgroup {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(Stats, AnEmptyOnePrintsLikeRunc) {
  EXPECT_EQ(
      stats_json("box", {}),
      R"({"type":"stats","id":"box","data":{"cpu":{"usage":{"kernel":0,"user":0},"throttling":{}},)"
      R"("cpuset":{"cpu_exclusive":0,"mem_hardwall":0,"mem_exclusive":0,"memory_migrate":0,)"
      R"("memory_spread_page":0,"memory_spread_slab":0,"memory_pressure":0,"sched_load_balance":0,)"
      R"("sched_relax_domain_level":0},"memory":{"usage":{"limit":0,"failcnt":0},"swap":{"limit":0,"failcnt":0},)"
      R"("kernel":{"limit":0,"failcnt":0},"kernelTCP":{"limit":0,"failcnt":0}},"pids":{},"blkio":{},"hugetlb":{},)"
      R"("intel_rdt":{},"network_interfaces":null}})"
      "\n");
}

TEST(Stats, FilledFieldsAppear) {
  Stats stats;
  stats.cpu.per_cpu = {1, 0};
  stats.cpu.throttled_time = 7;
  stats.cpuset.cpus = {0, 3};
  stats.cpuset.flags["sched_relax_domain_level"] = -1;
  stats.memory.raw = {{"cache", 5}, {"rss", 6}};
  stats.pids_limit = 9;
  stats.io.tables["ioServicedRecursive"] = {{8, 0, "Read", 3}, {8, 16, "", 0}};
  stats.hugetlb["2MB"] = {0, 1, 2, 3};
  stats.cpu.pressure = Pressure{Pressure::Line{150, 5025, 7, 99}, std::nullopt};
  const std::string text = stats_json("a\"b", stats);
  EXPECT_THAT(text, HasSubstr(R"("id":"a\"b")"));
  EXPECT_THAT(text, HasSubstr(R"("percpu":[1,0])"));
  EXPECT_THAT(
      text,
      HasSubstr(
          R"("throttling":{"throttledTime":7},"psi":{"some":{"avg10":1.5,"avg60":50.25,"avg300":0.07,"total":99}})"));
  EXPECT_THAT(text, HasSubstr(R"("cpuset":{"cpus":[0,3],"cpu_exclusive":0)"));
  EXPECT_THAT(text, HasSubstr(R"("sched_relax_domain_level":-1)"));
  EXPECT_THAT(text, HasSubstr(R"("raw":{"cache":5,"rss":6})"));
  EXPECT_THAT(text, HasSubstr(R"("pids":{"limit":9})"));
  EXPECT_THAT(text, HasSubstr(R"("ioServicedRecursive":[{"major":8,"op":"Read","value":3},{"major":8,"minor":16}])"));
  EXPECT_THAT(text, HasSubstr(R"("hugetlb":{"2MB":{"usage":1,"max":2,"failcnt":3}})"));
}

TEST(Stats, ListsAreRanges) {
  EXPECT_THAT(parse_list("0-2,7"), ElementsAre(0, 1, 2, 7));
  EXPECT_THAT(parse_list(""), IsEmpty());
  EXPECT_THAT(parse_list("5-3,x,-,0-99999999999,4"), ElementsAre(4));
}

TEST(Stats, BlkioRowsWithAndWithoutOperation) {
  const auto rows = parse_blkio("8:0 Read 512\n8:16 77\nTotal 589\nnonsense\n8:0 Write\n");
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].operation, "Read");
  EXPECT_EQ(rows[0].value, 512U);
  EXPECT_EQ(rows[1].minor, 16U);
  EXPECT_EQ(rows[1].operation, "");
}

TEST(Stats, PressureReadsHundredths) {
  const Pressure pressure = parse_pressure("some avg10=0.00 avg60=1.05 avg300=99.99 total=12\nfull total=x avg10\n");
  EXPECT_EQ(pressure.some->avg60, 105U);
  EXPECT_EQ(pressure.some->avg300, 9999U);
  EXPECT_EQ(pressure.some->total, 12U);
  EXPECT_EQ(pressure.full->total, 0U);
}

// A directory that stands for a v2 cgroup.
TEST(Stats, V2FilesBecomeTheSameFields) {
  char name[] = "/tmp/caisson-stats-XXXXXX";
  ASSERT_NE(::mkdtemp(name), nullptr);
  const std::string root = name;
  auto make = [&](const char* file, const char* text) {
    ASSERT_TRUE(sys::replace_file(root + "/" + file, text, 0600));
  };
  make("cpu.stat", "usage_usec 30\nuser_usec 20\nsystem_usec 10\nnr_periods 4\nnr_throttled 2\nthrottled_usec 5\n");
  make("memory.stat", "anon 1\nfile 4096\n");
  make("memory.current", "8192\n");
  make("memory.max", "16384\n");
  make("memory.events", "low 0\nmax 3\n");
  make("memory.swap.current", "1000\n");
  make("memory.swap.max", "2000\n");
  make("pids.current", "2\n");
  make("pids.max", "max\n");
  make("io.stat", "8:0 rbytes=100 wbytes=200 rios=1 wios=2 dbytes=0 dios=0\n");
  make("cpuset.cpus.effective", "0-1\n");
  make("hugetlb.2MB.current", "4\n");
  make("hugetlb.2MB.events", "max 5\n");
  make("memory.pressure", "some avg10=1.00 avg60=0.00 avg300=0.00 total=8\n");
  const std::size_t slash = root.rfind('/');
  const Placement placement{
      {{Version::v2, {"cpuset", "cpu", "io", "memory", "hugetlb", "pids"}, root.substr(0, slash), root.substr(slash)}}};
  auto stats = read_stats(placement);
  ASSERT_TRUE(sys::remove_tree_at(AT_FDCWD, root));
  ASSERT_TRUE(stats);
  EXPECT_EQ(stats->cpu.total, 30000U);
  EXPECT_EQ(stats->cpu.throttled_time, 5000U);
  EXPECT_EQ(stats->memory.cache, 4096U);
  EXPECT_EQ(stats->memory.usage.failures, 3U);
  EXPECT_EQ(stats->memory.swap.usage, 9192U);
  EXPECT_EQ(stats->memory.swap.limit, 18384U);
  EXPECT_EQ(stats->pids, 2U);
  EXPECT_EQ(stats->pids_limit, 0U);
  EXPECT_THAT(stats->cpuset.cpus, ElementsAre(0, 1));
  EXPECT_EQ(stats->hugetlb["2MB"].failures, 5U);
  EXPECT_EQ(stats->io.tables["ioServicedRecursive"].size(), 2U);
  EXPECT_EQ(stats->memory.pressure->some->avg10, 100U);
  EXPECT_EQ(read_stats(placement).error().kind(), Kind::not_found);
}

}  // namespace
}  // namespace caisson::cgroup

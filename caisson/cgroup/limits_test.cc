// Laws of the limits: which value goes into which file, in which order, on v1, v2 and both.
// Layer: cgroup, test.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/cgroup/limits.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "caisson/sys/file.h"

// A designated initializer names what it sets; the rest is absent on purpose.
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

namespace caisson::cgroup {
namespace {

Placement v1() {
  Placement out;
  for (const char* controller :
       {"cpuset", "memory", "pids", "blkio", "hugetlb", "net_cls", "net_prio", "rdma", "cpu", "devices"})
    out.directories.push_back({Version::v1, {controller}, std::string("/c/") + controller, "/b"});
  return out;
}

Placement v2() {
  return {{{Version::v2, {"cpuset", "cpu", "io", "memory", "hugetlb", "pids", "rdma", "misc"}, "/c", "/b"}}};
}

Placement hybrid() {
  return {{{Version::v1, {"memory"}, "/c/memory", "/b"}, {Version::v2, {"hugetlb"}, "/c/unified", "/b"}}};
}

// "memory.max=1 pids.max=2": the plan, without directories; a fallback is "|file=value".
std::string plan(const oci::Resources& resources, const Placement& placement, const Current& current = {}) {
  auto settings = plan_settings(resources, placement, current);
  if (!settings) return "error: " + settings.error().message();
  std::string out;
  for (const Setting& setting : *settings) {
    out += (out.empty() ? "" : ", ") + setting.file + "=" + setting.value;
    if (!setting.other_file.empty()) out += "|" + setting.other_file + "=" + setting.other_value;
  }
  return out;
}

oci::Resources with(const oci::Memory& memory) {
  oci::Resources out;
  out.memory = memory;
  return out;
}
oci::Resources with(const oci::Cpu& cpu) {
  oci::Resources out;
  out.cpu = cpu;
  return out;
}

TEST(Limits, SharesBecomeWeightByTheQuadraticFormula) {
  EXPECT_EQ(weight_from_shares(0), 0U);
  EXPECT_EQ(weight_from_shares(1), 1U);
  EXPECT_EQ(weight_from_shares(2), 1U);
  EXPECT_EQ(weight_from_shares(1024), 100U);
  EXPECT_EQ(weight_from_shares(262144), 10000U);
  EXPECT_EQ(weight_from_shares(300000), 10000U);
  for (std::uint64_t shares = 3; shares < 262144; shares = shares * 5 / 4 + 1)
    EXPECT_LE(weight_from_shares(shares), weight_from_shares(shares * 5 / 4 + 1));
}

TEST(Limits, BlkioWeightBecomesIoWeight) {
  EXPECT_EQ(io_weight_from_blkio(0), 0U);
  EXPECT_EQ(io_weight_from_blkio(10), 1U);
  EXPECT_EQ(io_weight_from_blkio(1000), 10000U);
}

TEST(Limits, ValuesThatAskForNothingNeedNoController) {
  oci::Resources resources;
  resources.memory = oci::Memory{.limit = 0, .reservation = 0, .swap = 0, .disable_oom_killer = false};
  resources.cpu = oci::Cpu{.shares = 0, .quota = 0, .period = 0, .realtime_runtime = 0};
  resources.pids = oci::Pids{};
  resources.block_io = oci::BlockIo{.weight = 0};
  resources.network = oci::NetworkLimits{.class_id = 0};
  EXPECT_EQ(plan(resources, Placement{}), "");
}

TEST(Limits, AControllerThatIsNotMountedIsNamed) {
  oci::Resources resources;
  resources.pids = oci::Pids{100};
  EXPECT_EQ(plan(resources, hybrid()), "error: cannot set pids.limit: cgroup controller pids is not mounted");
  EXPECT_EQ(plan_settings(resources, hybrid()).error().kind(), Kind::unsupported);
  resources = {};
  resources.network = oci::NetworkLimits{.class_id = 1};
  EXPECT_NE(plan(resources, v2()).find("net_cls is not mounted"), std::string::npos);
}

TEST(Limits, V1MemoryAndSwapKeepTheirOrderValid) {
  const auto both = with(oci::Memory{.limit = 100, .swap = 200});
  // Shrinking below the old limit: the limit first. Growing: memory+swap first.
  EXPECT_EQ(plan(both, v1(), {1000}), "memory.limit_in_bytes=100, memory.memsw.limit_in_bytes=200");
  EXPECT_EQ(plan(both, v1(), {150}), "memory.memsw.limit_in_bytes=200, memory.limit_in_bytes=100");
  EXPECT_EQ(plan(with(oci::Memory{.limit = 100, .swap = -1}), v1(), {150}),
            "memory.memsw.limit_in_bytes=-1, memory.limit_in_bytes=100");
  EXPECT_EQ(plan(both, v1()), "memory.limit_in_bytes=100, memory.memsw.limit_in_bytes=200");
}

TEST(Limits, UnlimitedMemoryMeansUnlimitedSwap) {
  EXPECT_EQ(plan(with(oci::Memory{.limit = -1}), v1()), "memory.memsw.limit_in_bytes=-1, memory.limit_in_bytes=-1");
  EXPECT_EQ(plan(with(oci::Memory{.limit = -1}), v2()), "memory.swap.max=max, memory.max=max");
}

TEST(Limits, V2SwapIsWithoutMemory) {
  EXPECT_EQ(plan(with(oci::Memory{.limit = 100, .swap = 150}), v2()), "memory.swap.max=50, memory.max=100");
  EXPECT_EQ(plan(with(oci::Memory{.limit = 100, .swap = 100}), v2()), "memory.swap.max=0, memory.max=100");
  EXPECT_EQ(plan(with(oci::Memory{.limit = 100, .swap = -1}), v2()), "memory.swap.max=max, memory.max=100");
  EXPECT_EQ(plan(with(oci::Memory{.reservation = 7}), v2()), "memory.low=7");
  EXPECT_NE(plan(with(oci::Memory{.limit = 100, .swap = 50}), v2()).find("should be >="), std::string::npos);
  EXPECT_NE(plan(with(oci::Memory{.swap = 50}), v2()).find("without memory limit"), std::string::npos);
}

TEST(Limits, V1MemoryRest) {
  EXPECT_EQ(plan(with(oci::Memory{.reservation = 9, .swappiness = 60, .disable_oom_killer = true}), v1()),
            "memory.soft_limit_in_bytes=9, memory.oom_control=1, memory.swappiness=60");
  EXPECT_NE(plan(with(oci::Memory{.swappiness = 101}), v1()).find("valid range is 0-100"), std::string::npos);
  EXPECT_FALSE(plan_settings(with(oci::Memory{.limit = -2}), v1()));
}

TEST(Limits, CpuOnV1) {
  oci::Cpu cpu{.shares = 512, .quota = 5000, .burst = 100, .period = 10000, .cpus = "0-1", .mems = "0"};
  EXPECT_EQ(plan(with(cpu), v1()),
            "cpuset.cpus=0-1, cpuset.mems=0, cpu.shares=512, cpu.cfs_period_us=10000, cpu.cfs_burst_us=100, "
            "cpu.cfs_quota_us=5000");
  EXPECT_EQ(plan(with(oci::Cpu{.quota = -1}), v1()), "cpu.cfs_quota_us=-1");
  EXPECT_EQ(plan(with(oci::Cpu{.realtime_runtime = 5, .realtime_period = 10}), v1()),
            "cpu.rt_period_us=10, cpu.rt_runtime_us=5");
  EXPECT_NE(plan(with(oci::Cpu{.shares = 1}), v1()).find("minimum allowed cpu-shares is 2"), std::string::npos);
  EXPECT_NE(plan(with(oci::Cpu{.shares = 262145}), v1()).find("maximum allowed cpu-shares"), std::string::npos);
}

TEST(Limits, CpuOnV2) {
  EXPECT_EQ(plan(with(oci::Cpu{.shares = 1024, .quota = 5000, .period = 10000}), v2()),
            "cpu.weight=100, cpu.max=5000 10000");
  EXPECT_EQ(plan(with(oci::Cpu{.quota = 5000}), v2()), "cpu.max=5000 100000");
  EXPECT_EQ(plan(with(oci::Cpu{.quota = -1}), v2()), "cpu.max=max 100000");
  EXPECT_EQ(plan(with(oci::Cpu{.period = 50000}), v2()), "cpu.max=max 50000");
  EXPECT_FALSE(plan_settings(with(oci::Cpu{.realtime_runtime = 5}), v2()));
}

TEST(Limits, HalfOfAPairKeepsTheOtherHalf) {
  Current current{.memory_limit = 100, .swap_limit = 50, .cpu_quota = "5000", .cpu_period = 20000};
  EXPECT_EQ(plan(with(oci::Cpu{.quota = 7000}), v2(), current), "cpu.max=7000 20000");
  EXPECT_EQ(plan(with(oci::Cpu{.period = 50000}), v2(), current), "cpu.max=5000 50000");
  EXPECT_EQ(plan(with(oci::Memory{.limit = 120}), v2(), current), "memory.swap.max=30, memory.max=120");
  EXPECT_EQ(plan(with(oci::Memory{.swap = 110}), v2(), current), "memory.swap.max=10");
  EXPECT_NE(plan(with(oci::Memory{.limit = 151}), v2(), current).find("should be >="), std::string::npos);
  current.swap_limit = UINT64_MAX;
  EXPECT_EQ(plan(with(oci::Memory{.limit = 151}), v2(), current), "memory.max=151");
}

TEST(Limits, AnIdleGroupGetsItsWeightWhileItIsNotIdle) {
  EXPECT_EQ(plan(with(oci::Cpu{.shares = 1024, .idle = 1}), v2()), "cpu.weight=100, cpu.idle=1");
  EXPECT_EQ(plan(with(oci::Cpu{.shares = 1024, .idle = 0}), v2()), "cpu.idle=0, cpu.weight=100");
  EXPECT_EQ(plan(with(oci::Cpu{.shares = 1024, .idle = 0}), v1()), "cpu.idle=0, cpu.shares=1024");
}

TEST(Limits, PidsZeroIsOneAndNegativeIsNoLimit) {
  oci::Resources resources;
  for (const auto& [limit, value] : std::map<std::int64_t, std::string>{{0, "1"}, {-1, "max"}, {-9, "max"}, {7, "7"}}) {
    resources.pids = oci::Pids{limit};
    EXPECT_EQ(plan(resources, v1()), "pids.max=" + value);
    EXPECT_EQ(plan(resources, v2()), "pids.max=" + value);
  }
}

TEST(Limits, BlockIo) {
  oci::Resources resources;
  resources.block_io = oci::BlockIo{.weight = 1000, .weight_device = {{8, 0, 500, std::nullopt}}};
  resources.block_io->throttle_read_bps_device = {{8, 0, 100}};
  resources.block_io->throttle_write_iops_device = {{8, 16, 0}};
  EXPECT_EQ(plan(resources, v1()),
            "blkio.weight=1000|blkio.bfq.weight=1000, "
            "blkio.weight_device=8:0 500|blkio.bfq.weight_device=8:0 500, "
            "blkio.throttle.read_bps_device=8:0 100, blkio.throttle.write_iops_device=8:16 0");
  EXPECT_EQ(plan(resources, v2()),
            "io.bfq.weight=1000|io.weight=10000, io.bfq.weight=8:0 500|io.weight=8:0 4950, "
            "io.max=8:0 rbps=100, io.max=8:16 wiops=max");
  resources.block_io = oci::BlockIo{.leaf_weight = 10};
  EXPECT_EQ(plan(resources, v1()), "blkio.leaf_weight=10");
}

TEST(Limits, HugetlbIsSetWhereItLives) {
  oci::Resources resources;
  resources.hugepage_limits = {{"2MB", 4096}};
  EXPECT_EQ(plan(resources, v1()), "hugetlb.2MB.limit_in_bytes=4096, hugetlb.2MB.rsvd.limit_in_bytes=4096");
  EXPECT_EQ(plan(resources, hybrid()), "hugetlb.2MB.max=4096, hugetlb.2MB.rsvd.max=4096");
  EXPECT_EQ(plan_settings(resources, hybrid())->front().directory, "/c/unified/b");
  EXPECT_EQ(controllers_of(*plan_settings(resources, hybrid()), *hybrid().unified()),
            std::vector<std::string>{"hugetlb"});
  for (const char* size : {"", "MB", "2MB/../x", "../2MB", "2 MB", "2M"}) {
    resources.hugepage_limits = {{size, 1}};
    EXPECT_FALSE(plan_settings(resources, v1())) << size;
  }
}

TEST(Limits, NetworkAndRdma) {
  oci::Resources resources;
  resources.network = oci::NetworkLimits{1048577, {{"eth0", 5}, {"lo", 1}}};
  resources.rdma = {{"mlx5_0", {2, 2000}}, {"mlx5_1", {}}};
  EXPECT_EQ(plan(resources, v1()),
            "net_cls.classid=1048577, net_prio.ifpriomap=eth0 5, net_prio.ifpriomap=lo 1, "
            "rdma.max=mlx5_0 hca_handle=2 hca_object=2000");
  resources.network->priorities = {{"a\nb", 1}};
  EXPECT_FALSE(plan_settings(resources, v1()));
}

TEST(Limits, UnifiedIsForV2Only) {
  oci::Resources resources;
  resources.unified = {{"memory.high", "5"}, {"cgroup.max.depth", "3"}, {"io.max", "8:0 rbps=1\n8:16 rbps=2\n"}};
  EXPECT_EQ(plan(resources, v2()), "cgroup.max.depth=3, io.max=8:0 rbps=1, io.max=8:16 rbps=2, memory.high=5");
  EXPECT_NE(plan(resources, v1()).find("cannot use unified on cgroup v1"), std::string::npos);
  for (const char* file : {"../x.y", "nodot", ".x", "net_cls.classid"}) {
    resources.unified = {{file, "1"}};
    EXPECT_FALSE(plan_settings(resources, v2())) << file;
  }
}

// ---- writing, into a directory that stands for a cgroup

class Writes : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/caisson-limits-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    root_ = name;
  }
  void TearDown() override { (void)sys::remove_tree_at(AT_FDCWD, root_); }
  void make(const std::string& file, const std::string& text = "") {
    ASSERT_TRUE(sys::replace_file(root_ + "/" + file, text, 0600));
  }
  std::string text(const std::string& file) { return *sys::read_file(root_ + "/" + file); }
  Setting setting(const std::string& file, const std::string& value) {
    return {root_, file, value, Setting::Missing::fail, false, false, "", ""};
  }
  std::string root_;
};

TEST_F(Writes, AnErrorNamesFileAndValue) {
  auto done = write_settings({setting("pids.max", "7")});
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message().find("write \"7\" to: " + root_ + "/pids.max"), std::string::npos)
      << done.error().message();
}

TEST_F(Writes, AV2ControllerThatIsNotEnabledIsNamed) {
  make("cgroup.controllers", "cpu io\n");
  auto done = write_settings({setting("memory.max", "7")});
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message().find("controller memory is not enabled"), std::string::npos);
}

TEST_F(Writes, TheOtherFileIsTakenWhenTheFirstIsMissing) {
  make("io.weight");
  Setting weight = setting("io.bfq.weight", "500");
  weight.other_file = "io.weight";
  weight.other_value = "4950";
  ASSERT_TRUE(write_settings({weight}));
  EXPECT_EQ(text("io.weight"), "4950");
  Setting optional = setting("cpu.max.burst", "5");
  optional.missing = Setting::Missing::ignore;
  EXPECT_TRUE(write_settings({optional}));
}

TEST_F(Writes, LimitsInForceAreReadWhereOneOfTwoChanges) {
  make("memory.max", "100\n");
  make("memory.swap.max", "max\n");
  make("cpu.max", "max 20000\n");
  const std::size_t slash = root_.rfind('/');
  const Placement placement{{{Version::v2, {"memory", "cpu"}, root_.substr(0, slash), root_.substr(slash)}}};
  auto current = read_current(with(oci::Memory{.limit = 5}), placement);
  ASSERT_TRUE(current);
  EXPECT_EQ(current->memory_limit, 100U);
  EXPECT_EQ(current->swap_limit, UINT64_MAX);
  EXPECT_EQ(current->cpu_period, 100000U);
  current = read_current(with(oci::Cpu{.quota = 5}), placement);
  EXPECT_EQ(current->cpu_quota, "max");
  EXPECT_EQ(current->cpu_period, 20000U);
  EXPECT_EQ(read_current(with(oci::Memory{.limit = 5, .swap = 6}), placement)->memory_limit, UINT64_MAX);
}

TEST_F(Writes, CheckBeforeUpdateRefusesALimitBelowTheUsage) {
  make("memory.current", "5000\n");
  const std::size_t slash = root_.rfind('/');
  const Directory directory{Version::v2, {"memory"}, root_.substr(0, slash), root_.substr(slash)};
  EXPECT_FALSE(check_memory_usage(oci::Memory{.limit = 4000, .check_before_update = true}, directory));
  EXPECT_FALSE(check_memory_usage(oci::Memory{.swap = 5000, .check_before_update = true}, directory));
  EXPECT_TRUE(check_memory_usage(oci::Memory{.limit = 6000, .check_before_update = true}, directory));
  EXPECT_TRUE(check_memory_usage(oci::Memory{.limit = 4000}, directory));
}

}  // namespace
}  // namespace caisson::cgroup

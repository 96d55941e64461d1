// Laws of a group's limits and device rules, read back from this machine's kernel. Needs root.
// Layer: cgroup, test.
// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "caisson/cgroup/limits.h"
#include "caisson/cgroup/machine_for_test.h"
#include "caisson/oci/resources.h"

// A designated initializer names what it sets; the rest is absent on purpose.
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

namespace caisson::cgroup {
namespace {

TEST_F(LimitsOnThisMachine, LimitsAreInForceBeforeAnyoneJoins) {
  if (!has_v1("memory") || !has_v1("pids") || !has_v1("cpu")) GTEST_SKIP() << "needs v1 memory, pids and cpu";
  oci::Resources resources;
  resources.memory = oci::Memory{.limit = 64 << 20, .reservation = 32 << 20, .swap = 128 << 20};
  resources.pids = oci::Pids{20};
  resources.cpu = oci::Cpu{.shares = 512, .quota = 50000, .period = 100000};
  Group group = make(&resources);
  EXPECT_EQ(text("memory", "memory.limit_in_bytes"), std::to_string(64 << 20));
  EXPECT_EQ(text("memory", "memory.memsw.limit_in_bytes"), std::to_string(128 << 20));
  EXPECT_EQ(text("memory", "memory.soft_limit_in_bytes"), std::to_string(32 << 20));
  EXPECT_EQ(text("pids", "pids.max"), "20");
  EXPECT_EQ(text("cpu", "cpu.shares"), "512");
  EXPECT_EQ(text("cpu", "cpu.cfs_quota_us"), "50000");
  // Both directions, past the old values.
  for (const std::int64_t limit : {std::int64_t{256} << 20, std::int64_t{32} << 20}) {
    oci::Resources update;
    update.memory = oci::Memory{.limit = limit, .swap = limit * 2};
    auto applied = group.apply_resources(update);
    ASSERT_TRUE(applied) << applied.error().message();
    EXPECT_EQ(text("memory", "memory.limit_in_bytes"), std::to_string(limit));
    EXPECT_EQ(text("memory", "memory.memsw.limit_in_bytes"), std::to_string(limit * 2));
  }
  oci::Resources unlimited;
  unlimited.memory = oci::Memory{.limit = -1};
  unlimited.pids = oci::Pids{-1};
  ASSERT_TRUE(group.apply_resources(unlimited));
  EXPECT_EQ(text("pids", "pids.max"), "max");
}

TEST_F(LimitsOnThisMachine, PeriodBelowTheOldQuotaIsSetWithTheNewQuota) {
  if (!has_v1("cpu")) GTEST_SKIP() << "needs v1 cpu";
  oci::Resources resources;
  resources.cpu = oci::Cpu{.quota = 100000, .period = 100000};
  Group group = make(&resources);
  resources.cpu = oci::Cpu{.quota = 2000, .period = 2000};
  auto applied = group.apply_resources(resources);
  ASSERT_TRUE(applied) << applied.error().message();
  EXPECT_EQ(text("cpu", "cpu.cfs_period_us"), "2000");
  EXPECT_EQ(text("cpu", "cpu.cfs_quota_us"), "2000");
}

TEST_F(LimitsOnThisMachine, ANewCpusetHasTheCpusOfItsParent) {
  if (!has_v1("cpuset")) GTEST_SKIP() << "needs v1 cpuset";
  Group group = make();
  const Directory* cpuset = placement_.find("cpuset");
  EXPECT_FALSE(text("cpuset", "cpuset.mems").empty());
  EXPECT_EQ(text("cpuset", "cpuset.cpus"), *read_value(cpuset->mount_point, "cpuset.cpus"));
  group.discard();
  oci::Resources resources;
  resources.cpu = oci::Cpu{.cpus = "0"};
  make(&resources);
  EXPECT_EQ(text("cpuset", "cpuset.cpus"), "0");
}

// Where the host has not enabled it in the root of its v2 hierarchy, we do not either, and say so.
TEST_F(LimitsOnThisMachine, HugetlbOfAHybridIsUsedIfTheHostEnabledIt) {
  const Directory* hugetlb = placement_.find("hugetlb");
  if (hugetlb == nullptr || hugetlb->version != Version::v2) GTEST_SKIP() << "needs hugetlb in the v2 hierarchy";
  if (!sys::exists("/sys/kernel/mm/hugepages/hugepages-2048kB")) GTEST_SKIP() << "needs 2MB pages";
  oci::Resources resources;
  resources.hugepage_limits = {{"2MB", 4 << 20}};
  const std::string before = *read_value(hugetlb->mount_point, "cgroup.subtree_control");
  if (before.find("hugetlb") == before.npos) {
    const auto refused = Group::create(placement_, &resources);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message().find("cgroup controller hugetlb is not enabled for"), std::string::npos);
    EXPECT_EQ(*read_value(hugetlb->mount_point, "cgroup.subtree_control"), before);
    return;
  }
  Group group = make(&resources);
  EXPECT_EQ(text("hugetlb", "hugetlb.2MB.max"), std::to_string(4 << 20));
}

TEST_F(LimitsOnThisMachine, AFailureLeavesNoDirectory) {
  oci::Resources resources;
  resources.cpu = oci::Cpu{.cpus = "4095"};
  auto group = Group::create(placement_, &resources);
  ASSERT_FALSE(group);
  EXPECT_NE(group.error().message().find("write \"4095\" to"), std::string::npos) << group.error().message();
  for (Directory directory : placement_.directories) {
    directory.path = directory.path.substr(0, directory.path.rfind('/'));
    EXPECT_FALSE(sys::exists(directory.absolute()));
  }
}

TEST_F(V2OnThisMachine, LimitsReachTheirFilesAndUpdatesKeepTheOtherHalf) {
  const Directory& directory = *placement_.unified();
  if (!directory.has("memory") || !directory.has("pids") || !directory.has("cpu") || !directory.has("cpuset"))
    GTEST_SKIP() << "needs memory, pids, cpu and cpuset in the v2 hierarchy";
  oci::Resources resources;
  resources.memory = oci::Memory{.limit = 64 << 20, .reservation = 32 << 20, .swap = 128 << 20};
  resources.pids = oci::Pids{20};
  resources.cpu = oci::Cpu{.shares = 1024, .quota = 50000, .period = 100000, .cpus = "0"};
  Group group = make(&resources);
  EXPECT_EQ(text("memory", "memory.max"), std::to_string(64 << 20));
  EXPECT_EQ(text("memory", "memory.low"), std::to_string(32 << 20));
  EXPECT_EQ(text("pids", "pids.max"), "20");
  EXPECT_EQ(text("cpu", "cpu.weight"), "100");
  EXPECT_EQ(text("cpu", "cpu.max"), "50000 100000");
  EXPECT_EQ(text("cpuset", "cpuset.cpus"), "0");
  oci::Resources update;
  update.cpu = oci::Cpu{.quota = 20000};
  update.memory = oci::Memory{.limit = 96 << 20};
  auto applied = group.apply_resources(update);
  ASSERT_TRUE(applied) << applied.error().message();
  EXPECT_EQ(text("cpu", "cpu.max"), "20000 100000");
  EXPECT_EQ(text("memory", "memory.max"), std::to_string(96 << 20));
  if (sys::exists(directory.absolute() + "/memory.swap.max")) {
    EXPECT_EQ(text("memory", "memory.swap.max"), std::to_string(32 << 20));
  }
  update.cpu = oci::Cpu{.period = 40000};
  update.memory = oci::Memory{.limit = -1};
  update.pids = oci::Pids{-1};
  ASSERT_TRUE(group.apply_resources(update));
  EXPECT_EQ(text("cpu", "cpu.max"), "20000 40000");
  EXPECT_EQ(text("memory", "memory.max"), "max");
  EXPECT_EQ(text("pids", "pids.max"), "max");
  update = {};
  update.cpu = oci::Cpu{.idle = 1};
  applied = group.apply_resources(update);
  ASSERT_TRUE(applied) << applied.error().message();
  update.cpu = oci::Cpu{.shares = 2048, .idle = 0};
  applied = group.apply_resources(update);
  ASSERT_TRUE(applied) << applied.error().message();
  EXPECT_EQ(text("cpu", "cpu.weight"), std::to_string(weight_from_shares(2048)));
}

// The kernel cannot reclaim what is not there to be reclaimed: the usage says by how much it failed.
TEST_F(V2OnThisMachine, AUsedGroupRefusesAMemoryLimitBelowItsUsageWhenAskedToCheck) {
  if (!placement_.unified()->has("memory")) GTEST_SKIP() << "needs memory in the v2 hierarchy";
  Group group = make();
  JoinFds fds = *group.join_fds();
  sys::Process child = start_member(fds);
  ASSERT_TRUE(eventually([&] {
    auto usage = read_value(placement_.unified()->absolute(), "memory.current");
    return usage && parse_number(*usage).value_or(0) > 8192;
  }));
  oci::Resources update;
  update.memory = oci::Memory{.limit = 4096, .check_before_update = true};
  auto applied = group.apply_resources(update);
  ASSERT_FALSE(applied);
  EXPECT_NE(applied.error().message().find("rejecting memory limit 4096 <= usage"), std::string::npos);
}

// What systemd and kubelet do inside: children with controllers, and everybody in a leaf.
// A member tries to make and open a node; the exit status is a bit for each thing that was refused.
int refused_to_member(const Group& group, const std::string& node) {
  JoinFds fds = *group.join_fds();
  auto pid = sys::clone_process(0, fds.unified ? fds.unified.get() : -1);
  if (!pid) return -1;
  if (*pid == 0) {
    for (const sys::UniqueFd& tasks : fds.tasks)
      if (::write(tasks.get(), "0", 1) != 1) ::_exit(64);
    int refused = 0;
    if (::open("/dev/null", O_RDWR | O_CLOEXEC) < 0) refused |= 1;
    if (::open("/dev/zero", O_RDONLY | O_CLOEXEC) < 0) refused |= 2;
    if (::mknod(node.c_str(), S_IFCHR | 0600, ::makedev(1, 8)) < 0) refused |= 4;
    ::unlink(node.c_str());
    ::_exit(refused);
  }
  sys::Process child(*pid);
  auto status = child.wait();
  return status && WIFEXITED(*status) ? WEXITSTATUS(*status) : -1;
}

oci::Resources null_only() {
  oci::Resources resources;
  resources.devices = {{false, "a", {}, {}, "rwm"}, {true, "c", 1, 3, "rwm"}};
  return resources;
}

TEST_F(LimitsOnThisMachine, V1DeviceRulesHold) {
  if (!has_v1("devices")) GTEST_SKIP() << "needs v1 devices";
  const oci::Resources resources = null_only();
  Group group = make(&resources);
  EXPECT_EQ(text("devices", "devices.list"), "c 1:3 rwm");
  EXPECT_EQ(refused_to_member(group, "/tmp/" + name_), 6);
}

TEST_F(V2OnThisMachine, DeviceProgramHoldsAndIsReplaced) {
  oci::Resources resources = null_only();
  auto group = Group::create(placement_, &resources);
  if (!group && (group.error().is(EPERM) || group.error().is(EINVAL)))
    GTEST_SKIP() << "needs CONFIG_CGROUP_BPF and CAP_BPF: " << group.error().message();
  ASSERT_TRUE(group) << group.error().message();
  EXPECT_EQ(refused_to_member(*group, "/tmp/" + name_), 6);
  resources.devices.push_back({true, "c", 1, -1, "rwm"});
  auto applied = group->replace_device_rules(resources.devices);
  ASSERT_TRUE(applied) << applied.error().message();
  EXPECT_EQ(refused_to_member(*group, "/tmp/" + name_), 0);
  ASSERT_TRUE(group->replace_device_rules(null_only().devices));
  ASSERT_TRUE(group->apply_resources(resources));  // an update leaves them
  EXPECT_EQ(refused_to_member(*group, "/tmp/" + name_), 6);
}

}  // namespace
}  // namespace caisson::cgroup

// Laws of a group on this machine's own cgroups. Needs root; makes and removes only its own directories.
// Layer: cgroup, test.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/cgroup/group.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <functional>

#include "caisson/cgroup/files.h"
#include "caisson/cgroup/limits.h"
#include "caisson/oci/resources.h"
#include "caisson/sys/backoff.h"
#include "caisson/sys/directory.h"
#include "caisson/sys/file.h"
#include "caisson/sys/process.h"

// A designated initializer names what it sets; the rest is absent on purpose.
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

namespace caisson::cgroup {
namespace {

using std::chrono_literals::operator""s;

bool eventually(const std::function<bool()>& condition) {
  sys::Backoff backoff(30s);
  while (!condition())
    if (!backoff.wait()) return false;
  return true;
}

// A member that waits to be killed. Exits at once if it cannot join.
sys::Process start_member(const JoinFds& fds) {
  auto pid = sys::clone_process(0, fds.unified ? fds.unified.get() : -1);
  if (!pid) return sys::Process(-1);
  if (*pid != 0) return sys::Process(*pid);
  for (const sys::UniqueFd& tasks : fds.tasks)
    if (::write(tasks.get(), "0", 1) != 1) ::_exit(1);
  for (;;) ::pause();
}

// Which of the machine's hierarchies a group lives in.
enum class Where : unsigned char { everywhere, v2_only };

class OnThisMachine : public ::testing::Test {
 protected:
  void set_up(Where where) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    auto layout = load_layout();
    ASSERT_TRUE(layout) << layout.error().message();
    if (layout->mode() == Mode::none) GTEST_SKIP() << "no cgroup file system is mounted";
    name_ = "caisson-test-" + std::to_string(::getpid());
    placement_ = *place(*layout, name_ + "/box", "unused");
    if (where == Where::v2_only) {
      if (placement_.unified() == nullptr) GTEST_SKIP() << "needs a v2 hierarchy";
      placement_ = {{*placement_.unified()}};
    }
    auto probe = Group::create(placement_, nullptr);
    if (!probe && (probe.error().is(EROFS) || probe.error().is(EACCES) || probe.error().is(EPERM)))
      GTEST_SKIP() << "may not make cgroups here: " << probe.error().message();
    ASSERT_TRUE(probe) << probe.error().message();
    probe->discard();
  }

  void TearDown() override {
    Group group = Group::open(placement_);
    (void)group.kill_all(SIGKILL);
    while (::waitpid(-1, nullptr, WNOHANG) > 0) continue;
    EXPECT_TRUE(group.remove());
    for (Directory directory : placement_.directories) {
      directory.path = directory.path.substr(0, directory.path.rfind('/'));
      (void)sys::remove_directory(directory.absolute());
      EXPECT_FALSE(sys::exists(directory.absolute())) << directory.absolute();
    }
  }

  Group make(const oci::Resources* resources = nullptr) {
    auto group = Group::create(placement_, resources);
    EXPECT_TRUE(group) << group.error().message();
    return group ? std::move(*group) : Group::open({});
  }

  bool has_v1(const char* controller) const {
    const Directory* found = placement_.find(controller);
    return found != nullptr && found->version == Version::v1;
  }
  std::string text(const char* controller, const char* file) const {
    auto value = read_value(placement_.find(controller)->absolute(), file);
    return value ? *value : value.error().message();
  }

  std::string name_;
  Placement placement_;
};

class GroupOnThisMachine : public OnThisMachine, public ::testing::WithParamInterface<Where> {
 protected:
  void SetUp() override { set_up(GetParam()); }
};
INSTANTIATE_TEST_SUITE_P(Cgroups, GroupOnThisMachine, ::testing::Values(Where::everywhere, Where::v2_only),
                         [](const auto& where) {
                           return std::string(where.param == Where::everywhere ? "Everywhere" : "V2Only");
                         });

class LimitsOnThisMachine : public OnThisMachine {
 protected:
  void SetUp() override { set_up(Where::everywhere); }
};
class V2OnThisMachine : public OnThisMachine {
 protected:
  void SetUp() override { set_up(Where::v2_only); }
};

bool has(const Group& group, pid_t pid) {
  auto pids = group.pids();
  return pids && std::find(pids->begin(), pids->end(), pid) != pids->end();
}

TEST_P(GroupOnThisMachine, AChildJoinsEveryHierarchy) {
  Group group = make();
  JoinFds fds = *group.join_fds();
  sys::Process child = start_member(fds);
  ASSERT_GT(child.pid(), 0);
  ASSERT_TRUE(eventually([&] {
    for (const Directory& directory : placement_.directories) {
      auto procs = read_value(directory.absolute(), "cgroup.procs");
      if (!procs || *procs != std::to_string(child.pid())) return false;
    }
    return true;
  }));
  EXPECT_TRUE(has(group, child.pid()));
}

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

TEST_F(LimitsOnThisMachine, HugetlbIsEnabledWhereOnlyUnifiedHasIt) {
  const Directory* hugetlb = placement_.find("hugetlb");
  if (hugetlb == nullptr || hugetlb->version != Version::v2) GTEST_SKIP() << "needs hugetlb in the v2 hierarchy";
  if (!sys::exists("/sys/kernel/mm/hugepages/hugepages-2048kB")) GTEST_SKIP() << "needs 2MB pages";
  oci::Resources resources;
  resources.hugepage_limits = {{"2MB", 4 << 20}};
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

TEST_P(GroupOnThisMachine, AUsedGroupIsRefusedAndKept) {
  Group group = make();
  JoinFds fds = *group.join_fds();
  sys::Process child = start_member(fds);
  ASSERT_TRUE(eventually([&] { return has(group, child.pid()); }));
  auto second = Group::create(placement_, nullptr);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().message(), "container's cgroup is not empty: 1 process(es) found");
  EXPECT_TRUE(has(group, child.pid()));
}

TEST_P(GroupOnThisMachine, DiscardWaitsForTheKilledAndTakesTheParentsItMade) {
  Group group = make();
  JoinFds fds = *group.join_fds();
  {
    sys::Process child = start_member(fds);
    ASSERT_TRUE(eventually([&] { return has(group, child.pid()); }));
    ASSERT_TRUE(group.kill_all(SIGKILL));
    group.discard();
  }
  for (Directory directory : placement_.directories) {
    directory.path = directory.path.substr(0, directory.path.rfind('/'));
    EXPECT_FALSE(sys::exists(directory.absolute()));
  }
}

TEST_P(GroupOnThisMachine, AnEmptyGroupThatIsThereIsUsed) {
  Group group = make();
  auto second = Group::create(placement_, nullptr);
  EXPECT_TRUE(second) << second.error().message();
}

TEST_P(GroupOnThisMachine, AFrozenGroupStaysSoUntilItIsThawed) {
  Group group = make();
  JoinFds fds = *group.join_fds();
  sys::Process child = start_member(fds);
  ASSERT_TRUE(eventually([&] { return has(group, child.pid()); }));
  EXPECT_FALSE(*group.is_frozen());
  auto frozen = group.freeze();
  ASSERT_TRUE(frozen) << frozen.error().message();
  EXPECT_TRUE(*group.is_frozen());
  // A signal leaves a paused group paused. (A fatal one ends a frozen process at once on v2, on v1 when it thaws.)
  ASSERT_TRUE(group.kill_all(SIGURG));
  EXPECT_TRUE(*group.is_frozen());
  EXPECT_EQ(::waitpid(child.pid(), nullptr, WNOHANG), 0);
  ASSERT_TRUE(group.thaw());
  EXPECT_FALSE(*group.is_frozen());
  ASSERT_TRUE(group.kill_all(SIGTERM));
  EXPECT_FALSE(*group.is_frozen());
  auto status = child.wait();
  ASSERT_TRUE(status);
  EXPECT_TRUE(WIFSIGNALED(*status) && WTERMSIG(*status) == SIGTERM);
}

TEST_P(GroupOnThisMachine, KillReachesAFrozenGroupAndItsForks) {
  Group group = make();
  JoinFds fds = *group.join_fds();
  sys::Process child = start_member(fds);
  sys::Process other = start_member(fds);
  ASSERT_TRUE(eventually([&] { return has(group, child.pid()) && has(group, other.pid()); }));
  ASSERT_TRUE(group.freeze());
  auto killed = group.kill_all(SIGKILL);
  ASSERT_TRUE(killed) << killed.error().message();
  for (sys::Process* process : {&child, &other}) {
    auto status = process->wait();
    ASSERT_TRUE(status);
    EXPECT_TRUE(WIFSIGNALED(*status) && WTERMSIG(*status) == SIGKILL);
  }
  EXPECT_TRUE(group.pids()->empty());
}

TEST_P(GroupOnThisMachine, SubGroupsAreListedKilledAndRemoved) {
  Group group = make();
  Placement inner = placement_;
  for (Directory& directory : inner.directories) directory.path += "/nested/deep";
  auto nested = Group::create(inner, nullptr);
  ASSERT_TRUE(nested) << nested.error().message();
  JoinFds fds = *nested->join_fds();
  sys::Process child = start_member(fds);
  ASSERT_TRUE(eventually([&] { return has(group, child.pid()); }));
  ASSERT_TRUE(group.kill_all(SIGKILL));
  ASSERT_TRUE(child.wait());
  auto removed = group.remove();
  ASSERT_TRUE(removed) << removed.error().message();
  for (const Directory& directory : placement_.directories) EXPECT_FALSE(sys::exists(directory.absolute()));
}

TEST_P(GroupOnThisMachine, EverythingOnAGroupThatIsGoneIsQuiet) {
  Group group = Group::open(placement_);
  EXPECT_TRUE(group.pids()->empty());
  EXPECT_FALSE(*group.is_frozen());
  EXPECT_TRUE(group.kill_all(SIGKILL));
  EXPECT_TRUE(group.kill_all(SIGTERM));
  EXPECT_TRUE(group.remove());
  EXPECT_FALSE(group.join_fds());
}

TEST_P(GroupOnThisMachine, ExecJoinsTheSubGroupItNames) {
  Group group = make();
  for (const Directory& directory : placement_.directories)
    ASSERT_TRUE(sys::make_directory_at(AT_FDCWD, directory.absolute() + "/sub", 0755));
  if (const Directory* cpuset = placement_.find("cpuset"); cpuset != nullptr && cpuset->version == Version::v1) {
    for (const char* file : {"cpuset.cpus", "cpuset.mems"})
      ASSERT_TRUE(write_value(cpuset->absolute() + "/sub", file, *read_value(cpuset->absolute(), file)));
  }
  auto fds = group.join_fds_for_exec(::getpid(), {{"", "sub"}});
  ASSERT_TRUE(fds) << fds.error().message();
  sys::Process child = start_member(*fds);
  ASSERT_TRUE(eventually([&] {
    auto procs = read_value(placement_.directories.front().absolute() + "/sub", "cgroup.procs");
    return procs && *procs == std::to_string(child.pid());
  }));
  EXPECT_FALSE(group.join_fds_for_exec(::getpid(), {{"", "../other"}}));
  EXPECT_FALSE(group.join_fds_for_exec(::getpid(), {{"nonesuch", "sub"}}));
  EXPECT_FALSE(group.join_fds_for_exec(::getpid(), {{"", "missing"}}));
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
TEST_F(V2OnThisMachine, ExecFollowsInitIntoItsLeafWhenTheGroupTakesNoProcess) {
  const Directory& directory = *placement_.unified();
  if (directory.controllers.empty()) GTEST_SKIP() << "needs a v2 controller";
  Group group = make();
  const std::string leaf = directory.absolute() + "/leaf";
  ASSERT_TRUE(sys::make_directory_at(AT_FDCWD, leaf, 0755));
  auto enabled = write_value(directory.absolute(), "cgroup.subtree_control", "+" + directory.controllers.front());
  ASSERT_TRUE(enabled) << enabled.error().message();
  JoinFds inner;
  inner.unified = *sys::open_file(leaf, O_PATH | O_DIRECTORY);
  sys::Process init = start_member(inner);
  ASSERT_GT(init.pid(), 0);
  JoinFds top = *group.join_fds();
  EXPECT_FALSE(sys::clone_process(0, top.unified.get()));  // EBUSY
  auto fds = group.join_fds_for_exec(init.pid());
  ASSERT_TRUE(fds) << fds.error().message();
  sys::Process second = start_member(*fds);
  ASSERT_GT(second.pid(), 0);
  ASSERT_TRUE(eventually([&] {
    auto procs = read_value(leaf, "cgroup.procs");
    return procs && procs->find(std::to_string(second.pid())) != procs->npos;
  }));
}

TEST_P(GroupOnThisMachine, DelegationGivesTheManagersFilesAndKeepsTheLimits) {
  Group group = make();
  ASSERT_TRUE(group.delegate(54321, 54322));
  for (const Directory& directory : placement_.directories) {
    struct stat st{};
    ASSERT_EQ(::stat(directory.absolute().c_str(), &st), 0);
    EXPECT_EQ(st.st_uid, 54321U);
    ASSERT_EQ(::stat((directory.absolute() + "/cgroup.procs").c_str(), &st), 0);
    EXPECT_EQ(st.st_gid, 54322U);
    EXPECT_EQ(st.st_uid, 54321U);
  }
  if (!has_v1("pids")) return;
  struct stat st{};
  ASSERT_EQ(::stat((placement_.find("pids")->absolute() + "/pids.max").c_str(), &st), 0);
  EXPECT_EQ(st.st_uid, 0U);
}

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

// Laws of a group's life on this machine: joined, frozen, killed, given away, removed. Needs root.
// Layer: cgroup, test.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/cgroup/group.h"

#include <sys/stat.h>

#include "caisson/cgroup/machine_for_test.h"

namespace caisson::cgroup {
namespace {

INSTANTIATE_TEST_SUITE_P(Cgroups, GroupOnThisMachine, ::testing::Values(Where::everywhere, Where::v2_only),
                         [](const auto& where) {
                           return std::string(where.param == Where::everywhere ? "Everywhere" : "V2Only");
                         });

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

TEST_P(GroupOnThisMachine, OnlyAGroupWithoutProcessesIsRemovedAsEmpty) {
  Group group = make();
  JoinFds fds = *group.join_fds();
  {
    sys::Process child = start_member(fds);
    ASSERT_TRUE(eventually([&] { return has(group, child.pid()); }));
    EXPECT_FALSE(group.remove_empty());
    EXPECT_TRUE(has(group, child.pid()));
  }
  EXPECT_TRUE(eventually([&] { return group.remove_empty(); }));
  for (const Directory& directory : placement_.directories) EXPECT_FALSE(sys::exists(directory.absolute()));
  EXPECT_FALSE(Group::open({}).remove_empty());
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

TEST_P(GroupOnThisMachine, WhatAnEngineInsideFrozeIsKilledToo) {
  Group group = make();
  Placement inner = placement_;
  for (Directory& directory : inner.directories) directory.path += "/nested";
  auto nested = Group::create(inner, nullptr);
  ASSERT_TRUE(nested) << nested.error().message();
  JoinFds fds = *nested->join_fds();
  sys::Process child = start_member(fds);
  ASSERT_TRUE(eventually([&] { return has(*nested, child.pid()); }));
  ASSERT_TRUE(nested->freeze());
  EXPECT_FALSE(*group.is_frozen());
  ASSERT_TRUE(group.kill_all(SIGKILL));
  auto status = child.wait();
  ASSERT_TRUE(status);
  EXPECT_TRUE(WIFSIGNALED(*status));
  EXPECT_TRUE(group.remove());
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

}  // namespace
}  // namespace caisson::cgroup

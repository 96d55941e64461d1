// Laws of the directory work, in a temporary tree that stands for cgroupfs.
// Layer: cgroup, test.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/cgroup/tree.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "caisson/cgroup/group.h"
#include "caisson/oci/resources.h"
#include "caisson/sys/file.h"

namespace caisson::cgroup {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using std::chrono_literals::operator""ms;

class Tree : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/caisson-tree-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    root_ = name;
  }
  void TearDown() override { (void)sys::remove_tree_at(AT_FDCWD, root_); }

  void make(const std::string& file, const std::string& text = "") {
    ASSERT_TRUE(sys::make_directories(root_ + "/" + file.substr(0, file.rfind('/') + 1), 0755));
    ASSERT_TRUE(sys::replace_file(root_ + "/" + file, text, 0600));
  }
  std::string text(const std::string& file) { return *sys::read_file(root_ + "/" + file); }
  Directory v2(const std::string& path, std::vector<std::string> controllers = {"cpu", "memory"}) {
    return {Version::v2, std::move(controllers), root_, path};
  }
  std::string root_;
};

TEST_F(Tree, OnlyWhatWasMadeIsRemembered) {
  std::vector<std::string> made;
  ASSERT_TRUE(make_group(v2("/a/b/c"), made));
  EXPECT_THAT(made, ElementsAre(root_ + "/a", root_ + "/a/b", root_ + "/a/b/c"));
  made.clear();
  ASSERT_TRUE(make_group(v2("/a/b/c"), made));
  EXPECT_THAT(made, IsEmpty());
  ASSERT_TRUE(make_group(v2("/a/b/d"), made));
  EXPECT_THAT(made, ElementsAre(root_ + "/a/b/d"));
}

TEST_F(Tree, CreationsAndUndoingsSideBySideDoNotTripOverSharedParents) {
  std::vector<pid_t> children;
  for (int child = 0; child < 4; ++child) {
    const pid_t pid = ::fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
      for (int round = 0; round < 200; ++round) {
        auto group = Group::create({{v2("/pods/pod/box" + std::to_string(child))}}, nullptr);
        if (!group) ::_exit(1);
        group->discard();
      }
      ::_exit(0);
    }
    children.push_back(pid);
  }
  for (const pid_t pid : children) {
    int status = 0;
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    EXPECT_EQ(status, 0);
  }
}

TEST_F(Tree, RemovalTakesChildrenFirstAndNothingAbove) {
  std::vector<std::string> made;
  ASSERT_TRUE(make_group(v2("/a/box/x/y"), made));
  ASSERT_TRUE(make_group(v2("/a/box/z"), made));
  EXPECT_EQ(list_groups(root_ + "/a/box").size(), 4U);
  ASSERT_TRUE(remove_group(root_ + "/a/box", 10ms));
  EXPECT_FALSE(sys::exists(root_ + "/a/box"));
  EXPECT_TRUE(sys::exists(root_ + "/a"));
  EXPECT_TRUE(remove_group(root_ + "/a/box", 10ms));
  EXPECT_THAT(list_groups(root_ + "/a/box"), IsEmpty());
}

TEST_F(Tree, ABusyGroupIsAnErrorAfterTheLimit) {
  make("a/x/file");  // keeps the directory, as a process keeps a cgroup
  auto removed = remove_group(root_ + "/a", 20ms);
  ASSERT_FALSE(removed);
  EXPECT_TRUE(removed.error().is(EBUSY)) << removed.error().message();
}

TEST_F(Tree, AnEmptyCpusetIsFilledFromTheNearestAncestorThatIsNot) {
  for (const char* path : {"", "a/", "a/b/", "a/b/box/"}) {
    make(std::string(path) + "cpuset.cpus", *path == '\0' ? "0-7\n" : "");
    make(std::string(path) + "cpuset.mems", *path == '\0' ? "0\n" : "");
  }
  make("a/cpuset.cpus", "2-3\n");
  const Directory box{Version::v1, {"cpuset"}, root_, "/a/b/box"};
  ASSERT_TRUE(inherit_cpuset(box, {true, false}));
  EXPECT_EQ(text("a/cpuset.cpus"), "2-3\n");
  EXPECT_EQ(text("a/cpuset.mems"), "0");
  EXPECT_EQ(text("a/b/cpuset.cpus"), "2-3");
  EXPECT_EQ(text("a/b/cpuset.mems"), "0");
  EXPECT_EQ(text("a/b/box/cpuset.cpus"), "");  // the caller's
  EXPECT_EQ(text("a/b/box/cpuset.mems"), "0");
}

TEST_F(Tree, ControllersAreEnabledDownThePathAndNowhereElse) {
  for (const char* path : {"", "a/", "a/box/"}) make(std::string(path) + "cgroup.subtree_control");
  make("cgroup.subtree_control", "cpu\n");
  enable_controllers(v2("/a/box"), {"cpu", "memory"}, Top::enable);
  EXPECT_EQ(text("cgroup.subtree_control").substr(0, 7), "+memory");
  EXPECT_EQ(text("a/cgroup.subtree_control"), "+cpu +memory");
  EXPECT_EQ(text("a/box/cgroup.subtree_control"), "");
}

TEST_F(Tree, AHybridsRootIsLeftAsTheHostHasIt) {
  make("cgroup.subtree_control", "");
  make("a/cgroup.subtree_control", "");
  enable_controllers(v2("/a/box"), {"hugetlb"}, Top::leave);
  EXPECT_EQ(text("cgroup.subtree_control"), "");
  EXPECT_EQ(text("a/cgroup.subtree_control"), "+hugetlb");
  enable_controllers(v2("/box"), {"hugetlb"}, Top::leave);
  EXPECT_EQ(text("cgroup.subtree_control"), "");
}

TEST_F(Tree, NothingIsWrittenWhenTheParentHasThemAll) {
  make("cgroup.subtree_control", "");
  make("a/cgroup.subtree_control", "cpu memory pids\n");
  enable_controllers(v2("/a/box"), {"cpu", "memory"}, Top::enable);
  EXPECT_EQ(text("cgroup.subtree_control"), "");
}

TEST_F(Tree, AnInvalidDomainBecomesThreadedOnlyIfThatWillDo) {
  make("box/cgroup.type", "domain invalid\n");
  auto refused = settle_type(v2("/box"), true);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), HasSubstr("with domain controllers -- it is in an invalid state"));
  ASSERT_TRUE(settle_type(v2("/box"), false));
  EXPECT_EQ(text("box/cgroup.type").substr(0, 8), "threaded");
  make("box/cgroup.type", "domain\n");
  EXPECT_TRUE(settle_type(v2("/box"), true));
  make("box/cgroup.type", "threaded\n");
  EXPECT_FALSE(settle_type(v2("/box"), true));
  EXPECT_TRUE(settle_type(v2("/box"), false));
}

TEST_F(Tree, OnV2LimitsControllersAndKillMeetTheirFiles) {
  for (const char* file : {"memory.max", "memory.swap.max", "pids.max", "cpu.weight", "cgroup.kill", "cgroup.procs"})
    make(std::string("box/") + file);
  make("cgroup.subtree_control", "");
  oci::Resources resources;
  resources.memory = oci::Memory{};
  resources.memory->limit = 100;
  resources.memory->swap = 300;
  resources.pids = oci::Pids{-1};
  resources.cpu = oci::Cpu{};
  resources.cpu->shares = 1024;
  const Placement placement{{v2("/box", {"cpu", "memory", "pids"})}};
  auto group = Group::create(placement, &resources);
  ASSERT_TRUE(group) << group.error().message();
  EXPECT_EQ(text("box/memory.max"), "100");
  EXPECT_EQ(text("box/memory.swap.max"), "200");
  EXPECT_EQ(text("box/pids.max"), "max");
  EXPECT_EQ(text("box/cpu.weight"), "100");
  EXPECT_EQ(text("cgroup.subtree_control"), "+memory +cpu +pids");
  ASSERT_TRUE(group->kill_all(9));
  EXPECT_EQ(text("box/cgroup.kill"), "1");
}

TEST_F(Tree, AHierarchyThatMayNotBeUsedIsSkippedOnlyOnRequest) {
  make("pids/x");
  // Nobody makes directories in /sys.
  const Placement placement{
      {{Version::v1, {"pids"}, root_ + "/pids", "/box"}, {Version::v1, {"memory"}, "/sys", "/caisson-box"}}};
  ASSERT_FALSE(Group::create(placement, nullptr));
  EXPECT_FALSE(sys::exists(root_ + "/pids/box"));
  auto group = Group::create(placement, nullptr, {Denied::skip, Devices::best_effort});
  ASSERT_TRUE(group) << group.error().message();
  ASSERT_EQ(group->placement().directories.size(), 1U);
  EXPECT_EQ(group->placement().directories[0].controllers.front(), "pids");
}

}  // namespace
}  // namespace caisson::cgroup

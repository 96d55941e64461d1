// Laws of the layout parser: every way we know of to mount cgroups.
// Layer: cgroup, test.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/cgroup/layout.h"

#include <gmock/gmock.h>

namespace caisson::cgroup {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr const char* hybrid_mounts =
    "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
    "40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,release_agent=/lib/x,name=systemd\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw,nsdelegate\n";
constexpr const char* hybrid_self =
    "9:name=systemd:/user.slice\n4:memory:/process_api/38\n2:cpu,cpuacct:/a:b\n0::/user.slice/session\n";

TEST(Layout, EveryHierarchyIsFoundWithItsOwnCgroup) {
  const Layout layout = parse_layout(hybrid_mounts, hybrid_self);
  ASSERT_EQ(layout.hierarchies.size(), 4U);
  EXPECT_THAT(layout.hierarchies[0].controllers, ElementsAre("cpu", "cpuacct"));
  EXPECT_EQ(layout.hierarchies[0].own, "/a:b");
  EXPECT_EQ(layout.hierarchies[1].own, "/process_api/38");
  EXPECT_THAT(layout.hierarchies[2].controllers, ElementsAre("name=systemd"));
  EXPECT_EQ(layout.hierarchies[2].own, "/user.slice");
  EXPECT_EQ(layout.hierarchies[3].version, Version::v2);
  EXPECT_EQ(layout.hierarchies[3].own, "/user.slice/session");
  EXPECT_EQ(layout.mode(), Mode::hybrid);
}

TEST(Layout, V2AloneIsV2) {
  const Layout layout = parse_layout("30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", "0::/init.scope\n");
  EXPECT_EQ(layout.mode(), Mode::v2);
  EXPECT_EQ(layout.unified()->mount_point, "/sys/fs/cgroup");
}

TEST(Layout, V1WithoutUnifiedIsV1) {
  const Layout layout =
      parse_layout("35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n", "4:memory:/\n");
  EXPECT_EQ(layout.mode(), Mode::v1);
  EXPECT_EQ(layout.unified(), nullptr);
}

TEST(Layout, NothingMountedIsNone) {
  EXPECT_EQ(parse_layout("", "").mode(), Mode::none);
  EXPECT_EQ(parse_layout("22 27 0:21 / /proc rw - proc proc rw\n", "0::/\n").mode(), Mode::none);
}

TEST(Layout, TheMountThatShowsOurCgroupWinsOverTheFirst) {
  const Layout layout = parse_layout(
      "50 23 0:32 /other /mnt/memory rw - cgroup cgroup rw,memory\n"
      "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
      "60 23 0:32 / /mnt/again rw - cgroup cgroup rw,memory\n",
      "4:memory:/here\n");
  ASSERT_EQ(layout.hierarchies.size(), 1U);
  EXPECT_EQ(layout.hierarchies[0].mount_point, "/sys/fs/cgroup/memory");
}

TEST(Layout, InAContainerWithoutCgroupNamespaceTheMountRootIsKept) {
  const Layout layout = parse_layout("35 31 0:32 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
                                     "4:memory:/docker/abc\n");
  EXPECT_EQ(layout.hierarchies[0].mount_root, "/docker/abc");
  EXPECT_EQ(layout.hierarchies[0].own, "/docker/abc");
}

TEST(Layout, AMountUnderAnotherDoesNotCount) {
  // A tmpfs on top of /sys/fs/cgroup, with only v2 in it.
  const Layout layout = parse_layout(std::string(hybrid_mounts) +
                                         "70 31 0:50 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
                                         "71 70 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
                                     hybrid_self);
  ASSERT_EQ(layout.hierarchies.size(), 1U);
  EXPECT_EQ(layout.mode(), Mode::v2);
  // A sibling mounted over the directory above.
  EXPECT_EQ(parse_layout("31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
                         "80 23 0:60 / /sys/fs rw - tmpfs tmpfs rw\n",
                         "0::/\n")
                .mode(),
            Mode::none);
}

TEST(Layout, EscapedPathsAreRead) {
  const Layout layout =
      parse_layout("35 31 0:32 / /mnt/a\\040b\\134c rw - cgroup cgroup rw,memory\n", "4:memory:/x y\n");
  EXPECT_EQ(layout.hierarchies[0].mount_point, "/mnt/a b\\c");
  EXPECT_EQ(layout.hierarchies[0].own, "/x y");
}

TEST(Layout, SeveralControllersOnOddMountPoints) {
  const Layout layout = parse_layout(
      "35 31 0:32 / /cg/everything rw - cgroup none rw,cpuset,cpu,cpuacct,blkio,memory,devices,freezer,pids\n",
      "4:cpuset,cpu,cpuacct,blkio,memory,devices,freezer,pids:/\n");
  EXPECT_EQ(layout.find("pids"), layout.find("cpuset"));
  EXPECT_EQ(layout.find("pids")->mount_point, "/cg/everything");
}

TEST(Layout, DamagedLinesAreSkipped) {
  const Layout layout = parse_layout("\n\n- - -\n35 31\n36 - cgroup\n:::\n41 31 0:38 / relative rw - cgroup2 x rw\n" +
                                         std::string("35 31 0:32 / /m rw - cgroup cgroup rw,memory"),
                                     "memory\n4\n:memory:\n4:memory:nonsense\n");
  ASSERT_EQ(layout.hierarchies.size(), 1U);
  EXPECT_EQ(layout.hierarchies[0].own, "/");
}

TEST(Layout, AV1MountWithoutControllersIsNotAHierarchy) {
  EXPECT_THAT(parse_layout("35 31 0:32 / /m rw - cgroup cgroup rw,none\n", "").hierarchies, IsEmpty());
}

TEST(Layout, ThisMachineCanBeRead) {
  auto layout = load_layout();
  ASSERT_TRUE(layout) << layout.error().message();
  for (const Hierarchy& hierarchy : layout->hierarchies) EXPECT_TRUE(hierarchy.mount_point.starts_with('/'));
}

TEST(SplitWords, AnyWhiteSpaceSeparates) {
  EXPECT_THAT(split_words(" cpu  io\n\tmemory\n"), ElementsAre("cpu", "io", "memory"));
  EXPECT_THAT(split_words(""), IsEmpty());
}

}  // namespace
}  // namespace caisson::cgroup

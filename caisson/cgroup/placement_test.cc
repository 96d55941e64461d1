// Laws of placement: where runc would put it, and a text form that survives damage.
// Layer: cgroup, test.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/cgroup/placement.h"

#include <gtest/gtest.h>

namespace caisson::cgroup {
namespace {

Layout hybrid() {
  return {{{Version::v1, {"cpu", "cpuacct"}, "/sys/fs/cgroup/cpu,cpuacct", "/", "/"},
           {Version::v1, {"memory"}, "/sys/fs/cgroup/memory", "/", "/process_api/38"},
           {Version::v1, {"name=systemd"}, "/sys/fs/cgroup/systemd", "/docker/x", "/docker/x/y"},
           {Version::v2, {"hugetlb"}, "/sys/fs/cgroup/unified", "/", "/user"}}};
}

Layout v2_only(const std::string& own) { return {{{Version::v2, {"cpu", "memory"}, "/sys/fs/cgroup", "/", own}}}; }

std::string first_path(const Layout& layout, std::string_view path) {
  auto placement = place(layout, path, "box");
  return placement ? placement->directories.front().absolute() : placement.error().message();
}

TEST(Placement, WithoutAPathItIsBelowOurOwnCgroupOfEachHierarchy) {
  auto placement = place(hybrid(), "", "box");
  ASSERT_TRUE(placement);
  ASSERT_EQ(placement->directories.size(), 4U);
  EXPECT_EQ(placement->directories[0].absolute(), "/sys/fs/cgroup/cpu,cpuacct/box");
  EXPECT_EQ(placement->directories[1].absolute(), "/sys/fs/cgroup/memory/process_api/38/box");
  EXPECT_EQ(placement->directories[2].absolute(), "/sys/fs/cgroup/systemd/y/box");
  EXPECT_EQ(placement->directories[3].absolute(), "/sys/fs/cgroup/unified/user/box");
  EXPECT_EQ(placement->mode(), Mode::hybrid);
}

TEST(Placement, AnAbsolutePathStartsAtTheRootARelativeOneAtOurOwn) {
  EXPECT_EQ(place(hybrid(), "/docker/box", "id")->directories[1].absolute(), "/sys/fs/cgroup/memory/docker/box");
  EXPECT_EQ(place(hybrid(), "docker/box", "id")->directories[1].absolute(),
            "/sys/fs/cgroup/memory/process_api/38/docker/box");
  EXPECT_EQ(place(hybrid(), "//a/./b/", "id")->directories[0].path, "/a/b");
}

TEST(Placement, OnV2RelativeMeansBesideUsSinceOurCgroupHoldsProcesses) {
  EXPECT_EQ(first_path(v2_only("/user.slice/session.scope"), ""), "/sys/fs/cgroup/user.slice/box");
  EXPECT_EQ(first_path(v2_only("/"), ""), "/sys/fs/cgroup/box");
  EXPECT_EQ(first_path(v2_only("/a/b"), "/c"), "/sys/fs/cgroup/c");
}

TEST(Placement, ASliceNameIsARelativePathWithoutTheSystemdDriver) {
  EXPECT_EQ(first_path(v2_only("/"), "system.slice:runc:box"), "/sys/fs/cgroup/system.slice:runc:box");
}

TEST(Placement, OutsideOurCgroupNamespaceTheMountPointStandsForOurOwn) {
  EXPECT_EQ(first_path(v2_only("/../../host.slice"), "box"), "/sys/fs/cgroup/box");
  Layout foreign = hybrid();
  foreign.hierarchies[2].own = "/dockerx";
  EXPECT_EQ(place(foreign, "", "box")->directories[2].absolute(), "/sys/fs/cgroup/systemd/box");
}

TEST(Placement, PathsThatLeaveOrAreTheRootAreRefused) {
  for (const char* path : {"..", "/..", "a/../b", "/", "//", ".", "a\nb", "a\tb"})
    EXPECT_FALSE(place(hybrid(), path, "box")) << path;
  EXPECT_TRUE(place(hybrid(), "a..b/..c", "box"));
  EXPECT_EQ(place({}, "", "box").error().kind(), Kind::unsupported);
}

TEST(Placement, TheTextFormReadsBackTheSame) {
  Layout layout = hybrid();
  layout.hierarchies[0].mount_point = "/mnt/a b\\c";
  layout.hierarchies[3].controllers.clear();
  const Placement placement = *place(layout, "/pod 1/box", "id");
  const std::string text = print(placement);
  EXPECT_EQ(text,
            "v1 cpu,cpuacct /mnt/a\\040b\\134c /pod\\0401/box\n"
            "v1 memory /sys/fs/cgroup/memory /pod\\0401/box\n"
            "v1 name=systemd /sys/fs/cgroup/systemd /pod\\0401/box\n"
            "v2 - /sys/fs/cgroup/unified /pod\\0401/box\n");
  auto again = parse_placement(text);
  ASSERT_TRUE(again);
  EXPECT_EQ(print(*again), text);
  EXPECT_EQ(again->find("cpuacct")->absolute(), "/mnt/a b\\c/pod 1/box");
  EXPECT_TRUE(parse_placement("")->directories.empty());
}

TEST(Placement, DamagedTextIsRefusedWhole) {
  for (const char* text : {
           "v3 cpu /m /p",       "v1 cpu /m",
           "v1 cpu /m /p extra", "v1  /m /p",
           "v1 - /m /p",         "v1 cpu, /m /p",
           "v1 ,cpu /m /p",      "v1 cpu m /p",
           "v1 cpu /m p",        "v1 cpu /m /",
           "v1 cpu /m /../x",    "v1 cpu /m /a/../b",
           "v1 cpu /m /a//b",    "v1 cpu /m /a/",
           "v1 cpu /m /a\\04",   "v1 cpu /m /a\\000b",
           "v1 cpu /m /a\\999",  "\n",
           "v1 cpu /m/.. /p",    "v1 cpu /m /ok\nv1 memory",
           "v1 cpu /m /a\tb",
       })
    EXPECT_FALSE(parse_placement(text)) << text;
}

}  // namespace
}  // namespace caisson::cgroup

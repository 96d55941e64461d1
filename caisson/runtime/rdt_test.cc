// Laws of the container's RDT class, on a directory that looks like resctrl.
// Layer: runtime, test.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/runtime/rdt.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "caisson/sys/file.h"

namespace caisson::runtime {
namespace {

// What the kernel makes in each new group is made here beforehand, in the groups that the tests name.
class Resctrl : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(::mkdtemp(root_.data()), nullptr);
    ASSERT_TRUE(sys::make_directories(root_ + "/info", 0755));
  }
  void TearDown() override { EXPECT_TRUE(sys::remove_tree_at(AT_FDCWD, root_)); }

  void group(const std::string& name, const std::string& schemata) const {
    ASSERT_TRUE(sys::make_directories(root_ + "/" + name + "/mon_groups", 0755));
    ASSERT_TRUE(sys::replace_file(root_ + "/" + name + "/schemata", schemata, 0644));
    ASSERT_TRUE(sys::replace_file(root_ + "/" + name + "/tasks", "", 0644));
  }
  std::string read(const std::string& path) const {
    const auto text = sys::read_file(root_ + "/" + path);
    return text ? *text : text.error().message();
  }

  std::string root_ = ::testing::TempDir() + "resctrl.XXXXXX";
};

std::string failure(const auto& result) { return result ? "no error" : result.error().message(); }

TEST(RdtPlan, TheBandwidthLineReplacesTheOneAmongTheCacheLines) {
  const RdtPlan plan = plan_rdt({.clos_id = "c",
                                 .schemata = {"L2:0=f", "L2:1=f\nMB:0=30"},
                                 .l3_cache_schema = "L3:0=7f;1=1\nMB:0=10",
                                 .mem_bw_schema = "MB:0=20;1=70",
                                 .enable_monitoring = true});
  EXPECT_EQ(plan.group, "c");
  EXPECT_TRUE(plan.monitor);
  EXPECT_EQ(plan.schema, (std::vector<std::string>{"L3:0=7f;1=1", "MB:0=20;1=70"}));
  EXPECT_EQ(plan.extra, (std::vector<std::string>{"L2:0=f", "L2:1=f", "MB:0=30"}));
  EXPECT_EQ(plan_rdt({.l3_cache_schema = "MB:0=10"}).schema, (std::vector<std::string>{"MB:0=10"}));
}

TEST(RdtPlan, SchemataAreComparedAsWhatTheyMean) {
  const char* present = "    L3:0=7ff;1=00F\n    MB:0=  20;1= 100\n";
  EXPECT_TRUE(has_schema(present, {"L3:1=f", "MB:0=20"}));
  EXPECT_TRUE(has_schema(present, {"L3:0=07FF;1=f"}));
  EXPECT_FALSE(has_schema(present, {"L3:0=7fe"}));
  EXPECT_FALSE(has_schema(present, {"MB:0=20;2=20"}));
  EXPECT_FALSE(has_schema(present, {"L2:0=f"}));
  EXPECT_TRUE(has_schema("", {}));
}

TEST(RdtPlan, TheMountIsFoundByItsType) {
  EXPECT_EQ(find_resctrl("22 27 0:21 / /proc rw - proc proc rw\n30 27 0:30 / /sys/fs/resctrl rw,relatime shared:9 - "
                         "resctrl resctrl rw\n"),
            "/sys/fs/resctrl");
  EXPECT_EQ(find_resctrl("30 27 0:30 / /resctrl rw - tmpfs resctrl rw\n"), "");
}

TEST(RdtPlan, WhatIsKeptComesBack) {
  for (const RdtGroup& group : {RdtGroup{"/r/a", "/r/a/mon_groups/a", true}, RdtGroup{"/r/a", "", false}, RdtGroup{}}) {
    const RdtGroup again = parse_rdt_group(print(group));
    EXPECT_EQ(again.directory, group.directory);
    EXPECT_EQ(again.monitor, group.monitor);
    EXPECT_EQ(again.made, group.made);
  }
}

TEST_F(Resctrl, WithoutANameTheGroupIsTheContainersAndGoesWithIt) {
  const auto made = make_rdt_group(root_, {}, "id");
  ASSERT_TRUE(made) << failure(made);
  EXPECT_TRUE(made->made);
  EXPECT_TRUE(sys::exists(root_ + "/id"));
  EXPECT_TRUE(remove_rdt_group(*made));
  EXPECT_FALSE(sys::exists(root_ + "/id"));
  EXPECT_TRUE(remove_rdt_group(*made));  // again
}

TEST_F(Resctrl, ANamedGroupWithoutASchemaMustBeThereAndIsKept) {
  EXPECT_EQ(failure(make_rdt_group(root_, {.group = "gold"}, "id")),
            "closID gold: " + root_ + "/gold must be there without a schema");
  group("gold", "L3:0=f\n");
  const auto found = make_rdt_group(root_, {.group = "gold", .monitor = true}, "id");
  ASSERT_TRUE(found) << failure(found);
  EXPECT_FALSE(found->made);
  ASSERT_TRUE(sys::replace_file(found->monitor + "/tasks", "", 0644));
  ASSERT_TRUE(join_rdt_group(*found, 42));
  EXPECT_EQ(read("gold/tasks"), "42");
  EXPECT_EQ(read("gold/mon_groups/id/tasks"), "42");
  ASSERT_TRUE(sys::remove_tree_at(AT_FDCWD, found->monitor + "/tasks"));
  EXPECT_TRUE(remove_rdt_group(*found));
  EXPECT_FALSE(sys::exists(root_ + "/gold/mon_groups/id"));
  EXPECT_TRUE(sys::exists(root_ + "/gold"));
}

TEST_F(Resctrl, AGroupThatIsThereMustHaveTheSchema) {
  group("gold", "L3:0=f;1=f\n");
  EXPECT_TRUE(make_rdt_group(root_, {.group = "gold", .schema = {"L3:0=0f"}}, "id"));
  EXPECT_EQ(read("gold/schemata"), "L3:0=f;1=f\n");
  EXPECT_NE(failure(make_rdt_group(root_, {.group = "gold", .schema = {"L3:0=1"}}, "id")).find("schemata are others"),
            std::string::npos);
}

TEST_F(Resctrl, SchemataAreWrittenAlsoToAGroupThatIsThere) {
  group("gold", "L3:0=f\n");
  ASSERT_TRUE(make_rdt_group(root_, {.group = "gold", .extra = {"L2:0=f"}}, "id"));
  EXPECT_EQ(read("gold/schemata"), "L2:0=f\n");
}

TEST_F(Resctrl, WhatTheKernelRefusesIsToldInItsOwnWordsAndUndone) {
  ASSERT_TRUE(sys::replace_file(root_ + "/info/last_cmd_status", "Mask out of range\n", 0644));
  // The new directory has no schemata file here: the write fails.
  const std::string message = failure(make_rdt_group(root_, {.group = "gold", .schema = {"L3:0=fffff"}}, "id"));
  EXPECT_NE(message.find("resctrl says: Mask out of range: write \"L3:0=fffff\""), std::string::npos) << message;
  EXPECT_FALSE(sys::exists(root_ + "/gold"));
}

TEST_F(Resctrl, UpdateWritesALineAtATime) {
  group("id", "");
  ASSERT_TRUE(update_rdt_group({.directory = root_ + "/id"}, {"L3:0=1"}));
  EXPECT_EQ(read("id/schemata"), "L3:0=1\n");
}

}  // namespace
}  // namespace caisson::runtime

#include "caisson/runtime/ps_table.h"

#include <gtest/gtest.h>

namespace caisson::runtime {
namespace {

TEST(PsTable, KeepsTheHeaderAndTheContainersLines) {
  const auto table = filter_ps("USER  PID COMMAND\nroot    1 init 42\nroot   42 sh\n\nroot  421 x\n", {42});
  ASSERT_TRUE(table);
  EXPECT_EQ(*table, "USER  PID COMMAND\nroot   42 sh\n");
}

TEST(PsTable, WithoutProcessesOnlyTheHeader) { EXPECT_EQ(*filter_ps("  PID TTY\n    1 ?", {}), "  PID TTY\n"); }

TEST(PsTable, WithoutAPidColumnThereIsNothingToFilterBy) {
  const auto table = filter_ps("COMMAND\nsh\n", {42});
  ASSERT_FALSE(table);
  EXPECT_EQ(table.error().message(), "couldn't find PID field in ps output");
  EXPECT_FALSE(filter_ps("", {}));
}

}  // namespace
}  // namespace caisson::runtime

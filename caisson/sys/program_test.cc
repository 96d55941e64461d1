#include "caisson/sys/program.h"

#include <gtest/gtest.h>

namespace caisson::sys {
namespace {

TEST(Program, OutputAndStatusComeBack) {
  const auto ran = run_program({"sh", "-c", "echo out; echo err >&2; exit 3"});
  ASSERT_TRUE(ran) << ran.error().message();
  EXPECT_EQ((*ran).text, "out\nerr\n");
  EXPECT_EQ((*ran).status, 3);
}

TEST(Program, AMissingProgramIsEnoent) {
  const auto ran = run_program({"no-such-program-here"});
  ASSERT_FALSE(ran);
  EXPECT_TRUE(ran.error().is(ENOENT));
}

}  // namespace
}  // namespace caisson::sys

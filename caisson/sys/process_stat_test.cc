#include "caisson/sys/process_stat.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace caisson::sys {
namespace {

TEST(ProcessStat, AHostileNameDoesNotMoveTheFields) {
  const auto stat = parse_process_stat(
      "42 (a) Z 9 (b) S 7 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 8123456 1 1 18446744073709551615 1\n");
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->state, 'S');
  EXPECT_EQ(stat->parent, 7);
  EXPECT_EQ(stat->start_time, 8123456u);
}

TEST(ProcessStat, ATruncatedLineIsRefused) {
  EXPECT_FALSE(parse_process_stat(""));
  EXPECT_FALSE(parse_process_stat("42 (a)"));
  EXPECT_FALSE(parse_process_stat("42 (a) S 7 42"));
  EXPECT_FALSE(parse_process_stat("42 (a) S x 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 5 1\n"));
}

TEST(ProcessStat, ThisProcessRunsAndOnlyWithItsOwnStartTime) {
  const auto stat = process_stat(::getpid());
  ASSERT_TRUE(stat);
  EXPECT_EQ((*stat).parent, ::getppid());
  EXPECT_TRUE(*is_running(::getpid(), (*stat).start_time));
  EXPECT_FALSE(*is_running(::getpid(), (*stat).start_time + 1));
  EXPECT_TRUE(*is_running(::getpid(), 0));
  EXPECT_FALSE(*is_running(0, 0));
}

TEST(ProcessStat, AMissingProcessIsEsrch) {
  const auto stat = process_stat(0x3fffffff);
  ASSERT_FALSE(stat);
  EXPECT_TRUE(stat.error().is(ESRCH));
}

}  // namespace
}  // namespace caisson::sys

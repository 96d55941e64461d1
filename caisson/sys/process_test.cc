// Processes by descriptor.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/sys/process.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace caisson::sys {
namespace {

TEST(Pidfd, ALeaderThatIsGoneIsNoProcessThoughItsGroupLives) {
  const pid_t leader = ::fork();
  ASSERT_GE(leader, 0);
  if (leader == 0) {
    ::setpgid(0, 0);
    ::pause();
    ::_exit(0);
  }
  ::setpgid(leader, leader);
  const pid_t member = ::fork();
  ASSERT_GE(member, 0);
  if (member == 0) {
    ::pause();
    ::_exit(0);
  }
  ASSERT_EQ(::setpgid(member, leader), 0);
  EXPECT_TRUE(Pidfd::open(leader));
  ::kill(leader, SIGKILL);
  ASSERT_EQ(::waitpid(leader, nullptr, 0), leader);
  auto gone = Pidfd::open(leader);
  ::kill(member, SIGKILL);
  ::waitpid(member, nullptr, 0);
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().kind(), Kind::not_found) << gone.error().message();
}

}  // namespace
}  // namespace caisson::sys

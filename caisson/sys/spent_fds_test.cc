#include "caisson/sys/spent_fds.h"

#include <fcntl.h>
#include <gtest/gtest.h>

namespace caisson::sys {
namespace {

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

TEST(SpentFds, ExactlyWhatWasGivenIsClosed) {
  std::vector<UniqueFd> fds;
  for (int i = 0; i < 9; ++i) fds.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  std::vector<int> spent;
  {
    SpentFds bin;
    bin.add(UniqueFd());
    for (const std::size_t i : {7U, 1U, 2U, 5U, 3U}) {
      spent.push_back(fds[i].get());
      bin.add(std::move(fds[i]));
    }
    for (const int fd : spent) EXPECT_TRUE(is_open(fd));
  }
  for (const int fd : spent) EXPECT_FALSE(is_open(fd));
  for (const std::size_t i : {0U, 4U, 6U, 8U}) EXPECT_TRUE(is_open(fds[i].get()));
}

TEST(SpentFds, TheyNeverBecomeMany) {
  SpentFds bin;
  int highest = 0;
  for (int i = 0; i < 1000; ++i) {
    UniqueFd fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    highest = std::max(highest, fd.get());
    bin.add(std::move(fd));
  }
  EXPECT_LT(highest, 200);
}

}  // namespace
}  // namespace caisson::sys

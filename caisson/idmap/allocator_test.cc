// Laws of the allocator: one holder a range, whatever dies and whoever else asks at the same moment.
// Layer: idmap, test.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/idmap/allocator.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <set>

#include "caisson/sys/backoff.h"
#include "caisson/sys/file.h"

namespace caisson::idmap {
namespace {

class Ranges : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/caisson-idmap-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    root_ = name;
  }
  void TearDown() override { (void)sys::remove_tree_at(AT_FDCWD, root_); }

  Allocator open(std::uint32_t slices = 4000) {
    auto allocator = Allocator::open(root_ + "/ids", make_pool({{"caisson", 1000000, slices * slice_size}}, {}));
    EXPECT_TRUE(allocator) << allocator.error().message();
    return std::move(*allocator);
  }

  // Every record whole, every range given once, none overlapping.
  void expect_sound(const Allocator& allocator) {
    auto records = allocator.list();
    ASSERT_TRUE(records);
    std::set<std::string> holders;
    std::uint64_t end = 0;
    for (const Allocator::Record& record : *records) {
      EXPECT_GE(record.range.first, end);
      end = std::uint64_t{record.range.first} + record.range.size;
      EXPECT_FALSE(record.holder.empty());
      EXPECT_TRUE(holders.insert(record.holder).second) << record.holder;
    }
  }

  std::string root_;
};

TEST_F(Ranges, AskingAgainGivesTheSameAlsoAfterARestart) {
  const IdRange first = *open().acquire("web");
  EXPECT_EQ(*open().acquire("web"), first);
  EXPECT_EQ(open().find("web")->value(), first);
  EXPECT_NE(open().acquire("db")->first, first.first);
  EXPECT_EQ(*open().find("nobody"), std::nullopt);
}

TEST_F(Ranges, AReleasedRangeRestsBeforeItIsUsedAgain) {
  const Allocator ids = open(3);
  const IdRange first = *ids.acquire("a");
  ASSERT_TRUE(ids.release("a"));
  EXPECT_TRUE(ids.release("a"));
  EXPECT_NE(ids.acquire("b")->first, first.first);
  EXPECT_NE(ids.acquire("c")->first, first.first);
  EXPECT_EQ(ids.acquire("d")->first, first.first);
  auto full = ids.acquire("e");
  ASSERT_FALSE(full);
  EXPECT_TRUE(full.error().is(ENOSPC));
  expect_sound(ids);
}

TEST_F(Ranges, BadHoldersAreRefused) {
  const Allocator ids = open();
  EXPECT_FALSE(ids.acquire(""));
  EXPECT_FALSE(ids.acquire("a\nb"));
  EXPECT_FALSE(ids.acquire(std::string_view("a\0b", 3)));
  EXPECT_FALSE(ids.acquire(std::string(5000, 'x')));
  EXPECT_TRUE(ids.acquire("a/../b c"));
}

TEST_F(Ranges, AnUnreadableRecordStillKeepsItsRange) {
  const Allocator ids = open(2);
  ASSERT_TRUE(sys::replace_file(root_ + "/ids/1000000", "", 0600));  // cut short by a power failure
  ASSERT_TRUE(sys::replace_file(root_ + "/ids/last", "nonsense", 0600));
  ASSERT_TRUE(sys::replace_file(root_ + "/ids/077", "octal is no record\n", 0600));
  EXPECT_EQ(ids.acquire("a")->first, 1065536U);
  EXPECT_FALSE(ids.acquire("b"));
}

TEST_F(Ranges, AHalfWrittenRecordIsClearedAway) {
  const Allocator ids = open();
  const std::string half = root_ + "/ids/1000000.tmp.77";
  ASSERT_TRUE(sys::replace_file(half, "a", 0600));
  EXPECT_EQ(ids.acquire("a")->first, 1000000U);
  EXPECT_FALSE(sys::exists(half));
}

TEST_F(Ranges, ManyProcessesAtOnceGetDifferentRanges) {
  const Allocator ids = open();
  constexpr int processes = 8, each = 25;
  std::vector<pid_t> children;
  for (int process = 0; process < processes; ++process) {
    const pid_t pid = ::fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
      for (int i = 0; i < each; ++i) {
        // Half of the names are asked for by everybody.
        const std::string own = std::to_string(process) + "-" + std::to_string(i);
        if (!ids.acquire(i % 2 == 0 ? own : "shared-" + std::to_string(i))) ::_exit(1);
        if (i % 5 == 4 && !ids.release(std::to_string(process) + "-" + std::to_string(i - 2))) ::_exit(2);
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
  expect_sound(ids);
}

TEST_F(Ranges, KillsAtAnyMomentLeaveOldOrNew) {
  const Allocator ids = open();
  for (int round = 0; round < 25; ++round) {
    const pid_t pid = ::fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
      for (int i = 0;; ++i) {
        const std::string holder = "k" + std::to_string(i % 40);
        if (i % 3 == 2 ? !ids.release(holder) : !ids.acquire(holder)) ::_exit(1);
      }
    }
    sys::sleep_for(std::chrono::microseconds(500 + round * 137));
    ::kill(pid, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    ASSERT_TRUE(WIFSIGNALED(status));
    expect_sound(ids);
    ASSERT_TRUE(ids.acquire("after"));
  }
}

}  // namespace
}  // namespace caisson::idmap

// Laws of stored values: taken as the kernel takes them, whole or not at all.
// Layer: procview, test.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/procview/values.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "caisson/procview/triggers.h"
#include "caisson/sys/file.h"

namespace caisson::procview {
namespace {

constexpr Rule zero_to_two{Form::integer, 0, 2};
constexpr Rule four{Form::integer, -100, 100, 4};

std::string accepted(const Rule& rule, std::string_view written, std::string_view present = "") {
  const auto value = accept_value(rule, written, present);
  return value ? *value : value.error().is(EINVAL) ? "EINVAL" : "another error";
}

TEST(Values, ANumberIsReadAsTheKernelReadsIt) {
  for (const char* text : {"2", "2\n", " \t2", "0x2", "02", "2 junk"})
    EXPECT_EQ(accepted(zero_to_two, text), "2\n") << text;
  for (const char* text : {"", "\n", "3", "-1", "x", "2x", "0x", "2,", "99999999999999999999"})
    EXPECT_EQ(accepted(zero_to_two, text), "EINVAL") << text;
}

TEST(Values, FewerNumbersLeaveTheOthers) {
  EXPECT_EQ(accepted(four, "7 8", "1\t2\t3\t4\n"), "7\t8\t3\t4\n");
  EXPECT_EQ(accepted(four, "7 x", "1\t2\t3\t4\n"), "EINVAL");
  EXPECT_EQ(accepted(four, "1 2 3 4 5", "0\t0\t0\t0\n"), "1\t2\t3\t4\n");
}

TEST(Values, ATableSizeIsRoundedUp) {
  const Rule buckets{Form::integer, 1, 0x7fffffff, 1, 512};
  EXPECT_EQ(accepted(buckets, "65000"), "65024\n");
  EXPECT_EQ(accepted(buckets, "512"), "512\n");
  EXPECT_EQ(accepted({Form::natural, 0, INT64_MAX, 1, 512}, "9223372036854775807"), "EINVAL");
}

TEST(Values, ATextIsOneLineOfItsLength) {
  const Rule line{Form::text, 0, 5};
  EXPECT_EQ(accepted(line, "fq\n"), "fq\n");
  EXPECT_EQ(accepted(line, "abcdefg"), "abcde\n");
  EXPECT_EQ(accepted(line, "a\nb"), "a\n");
  EXPECT_EQ(accepted(line, std::string_view("a\0b", 3)), "a\n");
  EXPECT_EQ(accepted(line, ""), "\n");
}

class Stored : public ::testing::Test {
 protected:
  Stored() {
    char name[] = "/tmp/caisson-values-XXXXXX";
    directory_ = ::mkdtemp(name);
  }
  ~Stored() override { (void)sys::remove_tree_at(AT_FDCWD, directory_); }
  std::string directory_;
};

TEST_F(Stored, AValueIsKeptByItsName) {
  const auto store = ValueStore::open(directory_ + "/values");
  ASSERT_TRUE(store);
  EXPECT_EQ(store->read("a"), std::nullopt);
  ASSERT_TRUE(store->write("a", "1\n"));
  ASSERT_TRUE(store->write("a", "2\n"));
  EXPECT_EQ(ValueStore::open(directory_ + "/values")->read("a"), "2\n");
  store->remove("a");
  EXPECT_EQ(store->read("a"), std::nullopt);
}

TEST_F(Stored, WhatAKilledWriterLeftIsRemoved) {
  const auto store = ValueStore::open(directory_);
  ASSERT_TRUE(sys::replace_file(directory_ + "/a", "1\n", 0600));
  ASSERT_TRUE(sys::replace_file(directory_ + "/a.tmp.77", "half", 0600));
  store->remove_leftovers();
  EXPECT_EQ(store->read("a"), "1\n");
  EXPECT_EQ(store->read("a.tmp.77"), std::nullopt);
}

// A plain file takes any text: the laws of what is kept need no kernel with pressure.
TEST_F(Stored, ATriggerIsOneAHandleAndASuccessorGoesOnWithIt) {
  const auto store = ValueStore::open(directory_);
  const std::string file = directory_ + "/cpu.pressure";
  ASSERT_TRUE(sys::replace_file(file, "", 0600));
  Triggers first(*store);
  EXPECT_FALSE(first.ask(7, 1).known);
  ASSERT_TRUE(first.add(7, file, "some 1 2"));
  EXPECT_TRUE(first.add(7, file, "some 1 2")) << "sent again";
  const auto another = first.add(7, file, "full 1 2");
  ASSERT_FALSE(another);
  EXPECT_TRUE(another.error().is(EBUSY));
  EXPECT_TRUE(first.ask(7, 42).known);

  Triggers second(*store);
  EXPECT_FALSE(second.any());
  second.resume();
  EXPECT_TRUE(second.any());
  EXPECT_TRUE(second.ask(7, 42).known);
  second.remove(7);
  EXPECT_FALSE(second.any());
  EXPECT_FALSE(Triggers(*store).ask(7, 42).known);
}

TEST_F(Stored, AWaiterIsWokenOnceWithItsHandle) {
  const auto store = ValueStore::open(directory_);
  const std::string file = directory_ + "/cpu.pressure";
  ASSERT_TRUE(sys::replace_file(file, "", 0600));
  Triggers triggers(*store);
  ASSERT_TRUE(triggers.add(7, file, "some 1 2"));
  (void)triggers.ask(7, 42);
  std::vector<pollfd> polled;
  triggers.append_to(polled);
  ASSERT_EQ(polled.size(), 1u);
  EXPECT_TRUE(triggers.fired(polled).empty());
  polled[0].revents = POLLPRI;
  EXPECT_EQ(triggers.fired(polled), std::vector<std::uint64_t>{42});
  EXPECT_TRUE(Triggers(*store).ask(7, 42).fired) << "whoever serves now says so";
  EXPECT_FALSE(Triggers(*store).ask(7, 42).fired) << "once";
}

TEST_F(Stored, ADamagedTriggerIsNone) {
  const auto store = ValueStore::open(directory_);
  for (const char* text : {"", "1", "1 /none", "1 /none\nsome 1 2", "\n 1"}) {
    ASSERT_TRUE(store->write("psi-9", text));
    Triggers triggers(*store);
    triggers.resume();
    EXPECT_FALSE(triggers.any()) << text;
  }
}

}  // namespace
}  // namespace caisson::procview

// What is on disk about nests, in a directory of the test's own; no container runs.
// Layer: nest.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/nest/record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "caisson/idmap/allocator.h"
#include "caisson/sys/process_stat.h"

namespace caisson::nest {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class NestRecord : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "caisson-record-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    base_ = name;
    places_ = {.state = base_ + "/state", .run = base_ + "/run", .runtime = "/bin/false"};
    fs::create_directories(base_ + "/rootfs/upper");
    fs::create_directories(base_ + "/root");
  }
  void TearDown() override { fs::remove_all(base_); }

  Store open() {
    auto store = Store::open(places_);
    EXPECT_TRUE(store) << (store ? "" : store.error().message());
    return *std::move(store);
  }
  Name name(const std::string& id) const { return {.runtime_root = base_ + "/root", .id = id}; }
  std::string upper() const { return base_ + "/rootfs/upper"; }

  // A nest as create leaves it; with_container: the runtime has its state.
  Record begin(Store& store, const std::string& id, bool with_container, const std::vector<std::string>& claims = {}) {
    auto record = store.make(id, upper(), true);
    EXPECT_TRUE(record) << (record ? "" : record.error().message());
    Live live{.name = name(id), .key = (*record).key, .creator = 0, .creator_start = 0, .claims = {}, .work = {}};
    if (with_container) fs::create_directories(base_ + "/root/" + id);
    auto claimed = store.claim(live, claims);
    EXPECT_TRUE(claimed) << (claimed ? "" : claimed.error().message());
    return *std::move(record);
  }

  std::string base_;
  Places places_;
};

TEST_F(NestRecord, TwoNestsNeverShareAnId) {
  Store store = open();
  auto first = store.make("a", upper(), true);
  auto second = store.make("b", upper(), true);
  ASSERT_TRUE(first && second);
  EXPECT_NE((*first).first_id, (*second).first_id);
  EXPECT_EQ((*first).first_id % 65536, 0U);
}

TEST_F(NestRecord, ANestThatComesBackHasItsIdsAndDataAgain) {
  Store store = open();
  const Record before = begin(store, "a", true);
  fs::create_directories(store.directory(before.key) + "/data/var-lib-docker/image");
  fs::remove_all(base_ + "/root/a");
  ASSERT_TRUE(store.release(name("a")));
  EXPECT_TRUE(fs::exists(store.directory(before.key) + "/data/var-lib-docker/image"));
  EXPECT_EQ(begin(store, "a", true).first_id, before.first_id);
}

TEST_F(NestRecord, ReleaseLeavesNothingWhenNothingWasStored) {
  {
    Store store = open();
    const Record record = begin(store, "a", true, {upper()});
    fs::create_directories(store.directory(record.key) + "/data/var-lib-docker");
    ASSERT_TRUE(store.release(name("a")));
    EXPECT_FALSE(fs::exists(store.directory(record.key)));
    EXPECT_TRUE(fs::is_empty(base_ + "/run/claims"));
    EXPECT_FALSE(fs::exists(store.run_directory(name("a"))));
  }
  ASSERT_TRUE(sweep(places_));
  auto ids = idmap::Allocator::open(base_ + "/state/.ids", {});
  ASSERT_TRUE(ids);
  auto left = ids->list();
  ASSERT_TRUE(left);
  EXPECT_TRUE(left->empty());
}

TEST_F(NestRecord, ANestThatKeepsNothingLeavesNothing) {
  Store store = open();
  auto record = store.make_passing(name("a"), upper(), true);
  auto other = store.make_passing({.runtime_root = "/other", .id = "a"}, upper(), true);
  ASSERT_TRUE(record && other);
  EXPECT_NE((*record).first_id, (*other).first_id);
  Live live{.name = name("a"), .key = (*record).key, .creator = 0, .creator_start = 0, .claims = {}, .work = {}};
  ASSERT_TRUE(store.claim(live, {}));
  ASSERT_TRUE(store.release(name("a")));
  auto ids = idmap::Allocator::open(base_ + "/state/.ids", {});
  ASSERT_TRUE(ids);
  auto left = ids->find((*record).key);
  ASSERT_TRUE(left);
  EXPECT_FALSE(*left);
  EXPECT_FALSE(fs::exists(store.directory((*record).key)));
}

TEST_F(NestRecord, DataGoesWhenTheRootFileSystemIsGoneAndNotBefore) {
  Store store = open();
  const Record record = begin(store, "a", true);
  const std::string data = store.directory(record.key) + "/data/var-lib-docker/image";
  fs::create_directories(data);
  ASSERT_TRUE(store.release(name("a")));
  ASSERT_TRUE(store.prune());
  EXPECT_TRUE(fs::exists(data));
  fs::remove_all(base_ + "/rootfs");
  ASSERT_TRUE(store.prune());
  EXPECT_FALSE(fs::exists(store.directory(record.key)));
}

TEST_F(NestRecord, DataOfANestThatLivesIsNeverPruned) {
  Store store = open();
  const Record record = begin(store, "a", true);
  fs::create_directories(store.directory(record.key) + "/data/var-lib-docker/image");
  fs::remove_all(base_ + "/rootfs");
  ASSERT_TRUE(store.prune());
  EXPECT_TRUE(fs::exists(store.directory(record.key)));
}

TEST_F(NestRecord, AnotherDiskInItsPlaceIsNotADeletedContainer) {
  Store store = open();
  const Record record = begin(store, "a", true);
  fs::create_directories(store.directory(record.key) + "/data/var-lib-docker/image");
  ASSERT_TRUE(store.release(name("a")));
  const std::string file = store.directory(record.key) + "/record.json";
  std::string text((std::istreambuf_iterator<char>(std::ifstream(file).rdbuf())), {});
  const std::string device = "\"device\":" + std::to_string(record.device);
  ASSERT_THAT(text, HasSubstr(device));
  text.replace(text.find(device), device.size(), "\"device\":12345678");
  std::ofstream(file) << text;
  fs::remove_all(base_ + "/rootfs");
  ASSERT_TRUE(store.prune());
  EXPECT_TRUE(fs::exists(store.directory(record.key)));
}

TEST_F(NestRecord, WhatACrashLeftIsForgottenByTheNextCommand) {
  Store store = open();
  const Record record = begin(store, "a", false, {upper()});
  ASSERT_TRUE(store.prune());
  EXPECT_FALSE(fs::exists(store.run_directory(name("a"))));
  EXPECT_FALSE(fs::exists(store.directory(record.key)));
  EXPECT_TRUE(fs::is_empty(base_ + "/run/claims"));
}

TEST_F(NestRecord, ARemovalCutShortIsFinished) {
  std::string gone;
  {
    Store store = open();
    const Record record = begin(store, "a", true);
    gone = store.directory(record.key) + ".gone";
    ASSERT_TRUE(store.release(name("a")));
    fs::create_directories(gone + "/data/x");
  }
  ASSERT_TRUE(sweep(places_));
  EXPECT_FALSE(fs::exists(gone));
}

TEST_F(NestRecord, ANestThatComesBackDuringTheRemovalKeepsItsIds) {
  Record record;
  {
    Store store = open();
    record = begin(store, "a", true);
    ASSERT_TRUE(store.remove(record.key));
    EXPECT_EQ(begin(store, "a", true).first_id, record.first_id);
  }
  ASSERT_TRUE(sweep(places_));
  auto ids = idmap::Allocator::open(base_ + "/state/.ids", {});
  ASSERT_TRUE(ids);
  auto held = ids->find(record.key);
  ASSERT_TRUE(held);
  EXPECT_TRUE(*held);
}

TEST_F(NestRecord, ASecondHolderIsRefusedWhileTheFirstLives) {
  Store store = open();
  begin(store, "a", true, {upper()});
  auto record = store.make("b", upper(), true);
  ASSERT_TRUE(record);
  Live second{.name = name("b"), .key = (*record).key, .creator = 0, .creator_start = 0, .claims = {}, .work = {}};
  auto refused = store.claim(second, {upper()});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind(), Kind::conflict);
  EXPECT_THAT(refused.error().message(), HasSubstr("is in use by nest a"));
  fs::remove_all(base_ + "/root/a");
  EXPECT_TRUE(store.claim(second, {upper()}));
}

TEST_F(NestRecord, ACreatorThatStillRunsHoldsWhatItClaimed) {
  Store store = open();
  auto record = store.make("a", upper(), true);
  auto self = sys::process_stat(::getpid());
  ASSERT_TRUE(record && self);
  Live live{.name = name("a"),
            .key = (*record).key,
            .creator = ::getpid(),
            .creator_start = (*self).start_time,
            .claims = {},
            .work = {}};
  EXPECT_TRUE(store.is_alive(live));
  live.creator_start += 1;  // the pid used again by another process
  EXPECT_FALSE(store.is_alive(live));
}

TEST_F(NestRecord, AKeyIsAFileNameWhateverTheId) {
  EXPECT_EQ(key_of("web1", "/a"), key_of("web1", "/a"));
  EXPECT_NE(key_of("web1", "/a"), key_of("web1", "/b"));
  EXPECT_LT(key_of(std::string(1024, 'x'), "/a").size(), 200U);
  EXPECT_NE(key_of(std::string(1024, 'x'), "/a"), key_of(std::string(1023, 'x'), "/a"));
}

}  // namespace
}  // namespace caisson::nest

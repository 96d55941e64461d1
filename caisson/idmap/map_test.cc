// Laws of id maps: what the kernel would refuse is refused; conversion is exact at the edges.
// Layer: idmap, test.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/idmap/map.h"

#include <gtest/gtest.h>

namespace caisson::idmap {
namespace {

TEST(Map, ConvertsBothWaysAndKnowsItsEdges) {
  auto map = UidMap::make({{0, 100000, 1000}, {1000, 5000, 1}});
  ASSERT_TRUE(map);
  EXPECT_EQ(map->to_host(GuestUid{0}), HostUid{100000});
  EXPECT_EQ(map->to_host(GuestUid{999}), HostUid{100999});
  EXPECT_EQ(map->to_host(GuestUid{1000}), HostUid{5000});
  EXPECT_EQ(map->to_host(GuestUid{1001}), std::nullopt);
  EXPECT_EQ(map->to_guest(HostUid{100999}), GuestUid{999});
  EXPECT_EQ(map->to_guest(HostUid{101000}), std::nullopt);
  EXPECT_EQ(map->to_guest(HostUid{0}), std::nullopt);
  EXPECT_EQ(map->text(), "0 100000 1000\n1000 5000 1\n");
}

TEST(Map, TheWholeRangeIsAMap) {
  auto map = GidMap::make({{0, 0, 4294967295U}});
  ASSERT_TRUE(map);
  EXPECT_EQ(map->to_host(GuestGid{4294967294U}), HostGid{4294967294U});
  EXPECT_EQ(map->to_host(GuestGid{4294967295U}), std::nullopt);
}

TEST(Map, WhatTheKernelRefusesIsRefused) {
  EXPECT_FALSE(UidMap::make({}));
  EXPECT_FALSE(UidMap::make({{0, 0, 0}}));
  EXPECT_FALSE(UidMap::make({{1, 0, 4294967295U}}));
  EXPECT_FALSE(UidMap::make({{0, 1, 4294967295U}}));
  EXPECT_FALSE(UidMap::make({{0, 100, 10}, {9, 200, 10}}));
  EXPECT_FALSE(UidMap::make({{0, 100, 10}, {10, 109, 10}}));
  EXPECT_TRUE(UidMap::make({{0, 100, 10}, {10, 110, 10}}));
  std::vector<oci::IdMapping> many;
  for (std::uint32_t i = 0; i < 341; ++i) many.push_back({i, i, 1});
  EXPECT_FALSE(UidMap::make(many));
  many.pop_back();
  EXPECT_TRUE(UidMap::make(many));
}

}  // namespace
}  // namespace caisson::idmap

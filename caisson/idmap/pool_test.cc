// Laws of the pool: whose ids are ours, and that a slice never touches another's.
// Layer: idmap, test.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/idmap/pool.h"

#include <gmock/gmock.h>

namespace caisson::idmap {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Subid, LinesThatAreNotEntriesArePassedOver) {
  EXPECT_THAT(parse_subid("a:1:2\n\n#b:1:2\n:1:2\nc:1\nd:x:2\ne:1:0\nf:4294967295:1\ng:-1:5\nh:1:2:3\n1000:7:8"),
              ElementsAre(SubidEntry{"a", 1, 2}, SubidEntry{"1000", 7, 8}));
  EXPECT_THAT(parse_subid(""), IsEmpty());
}

TEST(Pool, WithoutAnEntryTheDefaultIsUsed) {
  EXPECT_THAT(make_pool({}, {}).ours, ElementsAre(default_pool));
  EXPECT_THAT(make_pool({{"alice", 100000, 65536}}, {}).ours, ElementsAre(default_pool));
  EXPECT_EQ(std::uint64_t{default_pool.first} + default_pool.size, 0x7ffe0000U);
}

TEST(Pool, UsersAndGroupsMustBothHaveTheIds) {
  EXPECT_THAT(make_pool({{"caisson", 100000, 200000}}, {{"caisson", 200000, 200000}}).ours,
              ElementsAre(IdRange{200000, 100000}));
  EXPECT_THAT(make_pool({{"caisson", 100000, 200000}}, {}).ours, ElementsAre(IdRange{100000, 200000}));
}

TEST(Pool, SlicesComeInOrderAndStayInsideThePool) {
  const Pool pool = make_pool({{"caisson", 1000000, 3 * 65536 + 5}}, {});
  std::vector<IdRange> taken;
  for (int i = 0; i < 3; ++i) {
    auto slice = find_slice(pool, taken, 0);
    ASSERT_TRUE(slice);
    EXPECT_EQ(*slice, (IdRange{1000000U + static_cast<std::uint32_t>(i) * 65536U, 65536}));
    taken.push_back(*slice);
  }
  EXPECT_FALSE(find_slice(pool, taken, 0));
  taken.erase(taken.begin() + 1);
  EXPECT_EQ(find_slice(pool, taken, 0)->first, 1000000U + 65536U);
}

TEST(Pool, TheSearchGoesOnAtTheHintAndWrapsAround) {
  const Pool pool = make_pool({{"caisson", 1000000, 2 * 65536}}, {});
  EXPECT_EQ(find_slice(pool, {}, 1000001)->first, 1065536U);
  EXPECT_EQ(find_slice(pool, {{1065536, 65536}}, 1065536)->first, 1000000U);
  EXPECT_EQ(find_slice(pool, {}, 4000000000U)->first, 1000000U);
}

TEST(Pool, AnotherOwnersIdsAreNeverGiven) {
  const Pool pool = make_pool({{"caisson", 1000000, 4 * 65536}, {"alice", 1065536 + 10, 5}}, {{"bob", 1131072, 1}});
  EXPECT_EQ(find_slice(pool, {}, 0)->first, 1000000U);
  EXPECT_EQ(find_slice(pool, {{1000000, 65536}}, 0)->first, 1196608U);
}

TEST(Pool, TheHostsOwnIdsAreNeverGiven) {
  const Pool pool = make_pool({{"caisson", 0, 3 * 65536}}, {});
  EXPECT_EQ(find_slice(pool, {}, 0)->first, 65536U);
}

TEST(Pool, RecordsOfAnEarlierPoolKeepTheirIds) {
  const Pool pool = make_pool({{"caisson", 1000000, 2 * 65536}}, {});
  EXPECT_EQ(find_slice(pool, {{1000000 - 100, 65536}}, 0)->first, 1065536U);
}

TEST(Pool, ThisMachineCanBeRead) {
  auto pool = load_pool();
  ASSERT_TRUE(pool) << pool.error().message();
  EXPECT_FALSE(pool->others.empty());
}

}  // namespace
}  // namespace caisson::idmap

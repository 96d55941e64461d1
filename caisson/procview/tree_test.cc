// Laws of the tree: every node is found by its path, by its id, and below its directory; nothing else is.
// Layer: procview, test.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/procview/tree.h"

#include <gtest/gtest.h>

namespace caisson::procview {
namespace {

std::string with_numbers(std::string_view pattern) {
  std::string out;
  for (const char c : pattern) out += c == '#' ? std::string("65535") : std::string(1, c);
  return out;
}

TEST(Tree, EveryRowIsFoundByPathAndById) {
  const Tree tree;
  for (const Row& row : table()) {
    const std::string path = with_numbers(row.path);
    const auto node = tree.find_path(path);
    ASSERT_TRUE(node) << path;
    EXPECT_EQ(node->entry->row, &row) << path;
    EXPECT_EQ(Tree::path_of(*node), path);
    const auto again = tree.find(Tree::id_of(*node));
    ASSERT_TRUE(again) << path;
    EXPECT_EQ(again->entry, node->entry);
    EXPECT_EQ(again->numbers, node->numbers);
  }
}

TEST(Tree, TheRootIsOneAndOtherIdsAreNot) {
  const Tree tree;
  ASSERT_TRUE(tree.find(1));
  EXPECT_TRUE(tree.find(1)->entry->pattern.empty());
  EXPECT_FALSE(tree.find(0));
  EXPECT_FALSE(tree.find(2));
  const auto meminfo = tree.find_path("proc/meminfo");
  ASSERT_TRUE(meminfo);
  EXPECT_FALSE(tree.find(Tree::id_of(*meminfo) | 1)) << "it has no numbers";
}

// A supervisor of another version serves the same connection: what this one gave out, that one must know.
TEST(Tree, IdsAreThoseOfEveryVersion) {
  const Tree tree;
  EXPECT_EQ(Tree::id_of(*tree.find_path("proc/meminfo")) >> 32, hash_of("proc/meminfo"));
  EXPECT_EQ(hash_of("proc/meminfo"), 0x8cacd7f3u);
  EXPECT_EQ(Tree::id_of(*tree.find_path("sys/devices/system/cpu/cpu3/cache/index2/size")) & 0xffffffff, 3u << 16 | 2);
}

TEST(Tree, NumbersAreWrittenAsTheKernelWritesThem) {
  EXPECT_TRUE(match_name("cpu#", "cpu0").matches);
  EXPECT_EQ(match_name("cpu#", "cpu65535").number, 65535);
  for (const char* name : {"cpu", "cpu00", "cpu65536", "cpu-1", "cpu1x", "cpux", "CPU1", ""})
    EXPECT_FALSE(match_name("cpu#", name).matches) << name;
  EXPECT_TRUE(match_name("online", "online").matches);
  EXPECT_FALSE(match_name("online", "onlin").matches);
}

TEST(Tree, ADirectoryHasItsChildrenAndAFileHasNone) {
  const Tree tree;
  EXPECT_EQ(tree.children(*tree.find(1)).size(), 2u);
  EXPECT_TRUE(tree.children(*tree.find_path("proc/meminfo")).empty());
  EXPECT_FALSE(tree.find_path("proc/meminfo/x"));
  EXPECT_FALSE(tree.find_path("proc//meminfo"));
  EXPECT_FALSE(tree.find_path("proc/.."));
}

}  // namespace
}  // namespace caisson::procview

#include "caisson/sys/file.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace caisson::sys {
namespace {

class Files : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(::mkdtemp(directory_.data()), nullptr); }
  void TearDown() override { EXPECT_TRUE(remove_tree_at(AT_FDCWD, directory_)); }
  void expect_alone(const std::string& text) const {
    EXPECT_EQ(*read_file(directory_ + "/pid"), text);
    EXPECT_EQ((*list_directory(directory_)).size(), 1u);
  }
  std::string directory_ = ::testing::TempDir() + "file.XXXXXX";
};

TEST_F(Files, APlacedFileTakesThePlaceOfWhatWasThere) {
  ASSERT_TRUE(place_file(directory_ + "/pid", "12345", 0644));
  expect_alone("12345");
  ASSERT_TRUE(place_file(directory_ + "/pid", "7", 0644));
  expect_alone("7");
}

TEST_F(Files, APlacedFileNeedsItsDirectory) {
  const auto placed = place_file(directory_ + "/none/pid", "1", 0644);
  ASSERT_FALSE(placed);
  EXPECT_TRUE(placed.error().is(ENOENT));
}

TEST_F(Files, ADirectoryIsNotReplacedByAPlacedFile) {
  ASSERT_TRUE(make_directory_at(AT_FDCWD, directory_ + "/pid", 0700));
  EXPECT_FALSE(place_file(directory_ + "/pid", "1", 0644));
  EXPECT_TRUE(list_directory(directory_ + "/pid"));
}

}  // namespace
}  // namespace caisson::sys

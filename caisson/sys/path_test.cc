#include "caisson/sys/path.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "caisson/sys/file.h"

namespace caisson::sys {
namespace {

class InRoot : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "caisson-path-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
    ASSERT_TRUE(make_directories(dir_ + "/root", 0755));
    ASSERT_TRUE(make_directories(dir_ + "/outside", 0755));
    root_ = *open_file(dir_ + "/root", O_PATH | O_DIRECTORY);
  }
  void TearDown() override { EXPECT_TRUE(remove_tree_at(AT_FDCWD, dir_)); }
  bool outside_is_empty() const { return list_directory(dir_ + "/outside")->empty(); }

  std::string dir_;
  UniqueFd root_;
};

TEST_F(InRoot, DirectoriesAreMadeBelowTheRootOnly) {
  ASSERT_TRUE(make_directories_in_root(root_.get(), "/a/b/c", 0755));
  EXPECT_TRUE(exists(dir_ + "/root/a/b/c"));
}

TEST_F(InRoot, ADirectoryIsMadeOnce) {
  EXPECT_EQ(make_directory_in_root(root_.get(), "/a/b", 0755)->made, Made::yes);
  EXPECT_EQ(make_directory_in_root(root_.get(), "/a/b", 0755)->made, Made::no);
}

TEST_F(InRoot, AnAbsoluteLinkMeansTheRoot) {
  ASSERT_EQ(::symlink((dir_ + "/outside").c_str(), (dir_ + "/root/link").c_str()), 0);
  EXPECT_FALSE(make_directories_in_root(root_.get(), "/link/x", 0755));
  EXPECT_TRUE(outside_is_empty());
}

TEST_F(InRoot, DotDotDoesNotLeave) {
  ASSERT_TRUE(make_directories_in_root(root_.get(), "/../../outside/x", 0755));
  EXPECT_TRUE(outside_is_empty());
  EXPECT_TRUE(exists(dir_ + "/root/outside/x"));
}

TEST_F(InRoot, AFileIsMadeOnceAndKeptWhenThere) {
  ASSERT_TRUE(make_file_in_root(root_.get(), "/etc/x", 0644));
  ASSERT_TRUE(write_once(dir_ + "/root/etc/x", "kept"));
  ASSERT_TRUE(make_file_in_root(root_.get(), "/etc/x", 0644));
  EXPECT_EQ(*read_file(dir_ + "/root/etc/x"), "kept");
}

TEST_F(InRoot, BeneathRefusesEveryLink) {
  ASSERT_EQ(::symlink("b", (dir_ + "/root/a").c_str()), 0);
  ASSERT_TRUE(make_directories(dir_ + "/root/b", 0755));
  EXPECT_TRUE(open_beneath(root_.get(), "b", O_PATH));
  EXPECT_FALSE(open_beneath(root_.get(), "a", O_PATH));
}

}  // namespace
}  // namespace caisson::sys

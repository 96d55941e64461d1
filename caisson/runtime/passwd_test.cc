#include "caisson/runtime/passwd.h"

#include <gtest/gtest.h>

#include <string>

namespace caisson::runtime {
namespace {

TEST(Passwd, TheFirstLineOfAUserCounts) {
  const auto found = find_user("root:x:0:0:root:/root:/bin/sh\na:x:7:7::/a:\nb:x:7:7::/b:/bin/sh\n", 7);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->name, "a");
  EXPECT_EQ(found->home, "/a");
}

TEST(Passwd, ALineWithoutAShellIsWhole) { EXPECT_EQ(find_user("a:x:7:7:A:/home/a", 7)->home, "/home/a"); }

TEST(Passwd, LinesThatDoNotFitAreNotLookedAt) {
  EXPECT_FALSE(find_user("", 0));
  EXPECT_FALSE(find_user(":::::", 0));
  EXPECT_FALSE(find_user("a:x:0\na:x:00:0::/h\n+::::::\n# a:x:0\n", 0));
}

TEST(Passwd, ANumericNameIsNoUid) { EXPECT_FALSE(find_user("1000:x:5:5::/h:/bin/sh\n", 1000)); }

TEST(Passwd, ALongFileIsReadToItsEnd) {
  std::string text(1 << 20, 'x');
  text += "\nlast:x:9:9::/last:\n";
  EXPECT_EQ(find_user(text, 9)->name, "last");
}

}  // namespace
}  // namespace caisson::runtime

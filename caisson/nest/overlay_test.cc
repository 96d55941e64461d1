#include "caisson/nest/overlay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace caisson::nest {
namespace {

using ::testing::ElementsAre;

TEST(NestOverlay, ALineOfMountinfoIsReadWithItsOptionalFields) {
  const auto line = parse_mount_line(
      "67 63 0:39 / /var/a\\040b/merged rw,relatime shared:2 master:1 - overlay overlay rw,lowerdir=/l,upperdir=/u");
  ASSERT_TRUE(line);
  EXPECT_EQ(line->point, "/var/a b/merged");
  EXPECT_EQ(line->type, "overlay");
  EXPECT_EQ(line->super_options, "rw,lowerdir=/l,upperdir=/u");
  EXPECT_FALSE(parse_mount_line("67 63 0:39 / /x rw -"));
  EXPECT_FALSE(parse_mount_line(""));
}

TEST(NestOverlay, TheInnermostAndLastMountShowsAPath) {
  const std::string info =
      "1 0 0:1 / / rw - ext4 a rw\n2 1 0:2 / /x rw - tmpfs b rw\n3 2 0:3 / /x rw - xfs c rw\n4 1 0:4 / /xy rw - nfs d "
      "rw\n";
  EXPECT_EQ(mount_of(info, "/x/y")->type, "xfs");
  EXPECT_EQ(mount_of(info, "/xyz")->type, "ext4");
  EXPECT_EQ(mount_of(info, "/xy")->type, "nfs");
}

TEST(NestOverlay, LayersComeTopFirstAndUnescaped) {
  const auto overlay =
      parse_overlay("rw,lowerdir=/a\\054b:/c\\134:d:/e,upperdir=/u\\040v,workdir=/w,metacopy=on,xino=off");
  ASSERT_TRUE(overlay);
  EXPECT_THAT((*overlay).lower, ElementsAre("/a,b", "/c:d", "/e"));
  EXPECT_EQ((*overlay).upper, "/u v");
  EXPECT_EQ((*overlay).work, "/w");
  EXPECT_THAT((*overlay).options, ElementsAre("metacopy=on"));
}

TEST(NestOverlay, LayersAddedOneByOneAreRead) {
  const auto overlay = parse_overlay("ro,lowerdir+=/a,lowerdir+=/b");
  ASSERT_TRUE(overlay);
  EXPECT_THAT((*overlay).lower, ElementsAre("/a", "/b"));
  EXPECT_TRUE((*overlay).upper.empty());
}

TEST(NestOverlay, DataOnlyLayersAreRefused) {
  EXPECT_FALSE(parse_overlay("rw,lowerdir=/a::/data,upperdir=/u,workdir=/w"));
  EXPECT_FALSE(parse_overlay("rw,lowerdir+=/a,datadir+=/data"));
}

TEST(NestOverlay, LayersWithoutANameAreRefused) {
  EXPECT_FALSE(parse_overlay("rw,relatime"));
  EXPECT_FALSE(parse_overlay("rw,lowerdir+=/a,lowerdir+="));
  EXPECT_FALSE(parse_overlay("rw,lowerdir=/a:"));
}

TEST(NestOverlay, AVolatileMarkIsNotTakenOver) {
  const auto overlay = parse_overlay("rw,lowerdir=/a,upperdir=/u,workdir=/w,uuid=on,fsync=volatile,volatile");
  ASSERT_TRUE(overlay);
  EXPECT_TRUE((*overlay).options.empty());
}

}  // namespace
}  // namespace caisson::nest

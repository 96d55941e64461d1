#include "caisson/sys/clock.h"

#include <gtest/gtest.h>

namespace caisson::sys {
namespace {

TEST(Clock, KnownInstants) {
  EXPECT_EQ(rfc3339(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(rfc3339(951782400), "2000-02-29T00:00:00Z");
  EXPECT_EQ(rfc3339(1735689599), "2024-12-31T23:59:59Z");
  EXPECT_EQ(rfc3339(1796078845), "2026-11-30T22:47:25Z");
  EXPECT_EQ(rfc3339(-1), "1969-12-31T23:59:59Z");
}

TEST(Clock, AgreesWithTheCLibraryOverFourCenturies) {
  for (std::time_t t = 0; t < 12622780800; t += 86399 * 37 + 11) {
    tm parts{};
    gmtime_r(&t, &parts);
    char text[32];
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    ASSERT_EQ(rfc3339(t), text);
  }
}

TEST(Clock, NanosecondsLoseTrailingZerosAsInGo) {
  EXPECT_EQ(rfc3339_nano({1796078845, 0}), "2026-11-30T22:47:25Z");
  EXPECT_EQ(rfc3339_nano({1796078845, 120000000}), "2026-11-30T22:47:25.12Z");
  EXPECT_EQ(rfc3339_nano({1796078845, 1}), "2026-11-30T22:47:25.000000001Z");
}

}  // namespace
}  // namespace caisson::sys

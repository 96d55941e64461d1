#include "caisson/runtime/log.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "caisson/runtime/json.h"
#include "caisson/sys/file.h"

namespace caisson::runtime {
namespace {

class LogFile : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(::mkdtemp(directory_.data()), nullptr); }
  void TearDown() override { EXPECT_TRUE(sys::remove_tree_at(AT_FDCWD, directory_)); }
  std::string path() const { return directory_ + "/log.json"; }
  std::string directory_ = ::testing::TempDir() + "log.XXXXXX";
};

TEST(Log, AJsonLineIsOneObjectForAnyBytes) {
  std::string message;
  for (int byte = 0; byte < 256; ++byte) message += static_cast<char>(byte);
  const std::string line = log_line(Log::Format::json, "error", message, "2026-11-30T22:47:25Z");
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  boost::json::error_code error;
  const auto value = boost::json::parse(line, error);
  ASSERT_FALSE(error);
  EXPECT_EQ(value.at("level"), "error");
  EXPECT_EQ(value.at("time"), "2026-11-30T22:47:25Z");
  EXPECT_TRUE(value.at("msg").as_string().starts_with(boost::json::string_view("\0\1\2", 3)));
}

TEST(Log, ATextLineIsOneLine) {
  EXPECT_EQ(log_line(Log::Format::text, "error", "a\nb", "T"), "time=\"T\" level=error msg=\"a\\nb\"\n");
}

TEST(Json, WhatIsNotUtf8IsReplacedByteForByteAndTheRestKept) {
  const auto quoted = [](std::string_view text) {
    std::string out;
    append_quoted(out, text);
    return out;
  };
  const std::string bad = "\xef\xbf\xbd";
  EXPECT_EQ(quoted("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
  EXPECT_EQ(quoted("\xff"), "\"" + bad + "\"");
  EXPECT_EQ(quoted("\xc3"), "\"" + bad + "\"");                                // truncated
  EXPECT_EQ(quoted("\xc0\xaf"), "\"" + bad + bad + "\"");                      // overlong
  EXPECT_EQ(quoted("\xed\xa0\x80"), "\"" + bad + bad + bad + "\"");            // surrogate
  EXPECT_EQ(quoted("\xf4\x90\x80\x80"), "\"" + bad + bad + bad + bad + "\"");  // above U+10FFFF
  EXPECT_EQ(quoted("\xe2\x82x"), "\"" + bad + bad + "x\"");
  EXPECT_EQ(quoted("\"\\\n\x01\x7f"), "\"\\\"\\\\\\n\\u0001\\u007f\"");
}

TEST_F(LogFile, AFailureIsExactlyOneLineAndSuccessNone) {
  {
    const auto log = Log::open(path(), Log::Format::json, Log::Debug::no);
    ASSERT_TRUE(log);
    (*log).debug("d");
    (*log).warning("w");
    EXPECT_EQ(*sys::read_file(path()), "");
    (*log).error("first");
  }
  const auto again = Log::open(path(), Log::Format::json, Log::Debug::no);  // the next command appends
  ASSERT_TRUE(again);
  (*again).error("second");
  const std::string text = *sys::read_file(path());
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
  EXPECT_LT(text.find("first"), text.find("second"));
}

TEST_F(LogFile, DebugLinesOnlyWhenAskedFor) {
  const auto log = Log::open(path(), Log::Format::text, Log::Debug::yes);
  ASSERT_TRUE(log);
  (*log).debug("d");
  (*log).warning("w");
  const std::string text = *sys::read_file(path());
  EXPECT_NE(text.find("level=debug msg=\"d\""), text.npos);
  EXPECT_NE(text.find("level=warning msg=\"w\""), text.npos);
}

TEST_F(LogFile, APathThatCannotBeOpenedIsAClearError) {
  const auto log = Log::open(directory_ + "/no/log", Log::Format::json, Log::Debug::no);
  ASSERT_FALSE(log);
  EXPECT_EQ(log.error().message(), "--log: " + directory_ + "/no/log: open: no such file or directory");
}

}  // namespace
}  // namespace caisson::runtime

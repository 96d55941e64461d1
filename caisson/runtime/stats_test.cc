#include "caisson/runtime/stats.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace caisson::runtime {
namespace {

TEST(Stats, KeyedFilesAreReadAndOddLinesSkipped) {
  EXPECT_EQ(parse_keyed("cache 7\nrss 0\n\nodd\nbig 18446744073709551615\n"),
            (std::map<std::string, std::uint64_t>{{"cache", 7}, {"rss", 0}, {"big", 18446744073709551615u}}));
}

TEST(Stats, RangesOfCpus) {
  EXPECT_EQ(parse_ranges("0-2,7\n"), (std::vector<unsigned>{0, 1, 2, 7}));
  EXPECT_TRUE(parse_ranges("\n").empty());
}

TEST(Stats, BlockDevicesOfBothVersions) {
  EXPECT_EQ(parse_blkio("8:0 Read 7\n8:0 Total 7\nTotal 7\n"),
            R"([{"major":8,"minor":0,"op":"Read","value":7},{"major":8,"minor":0,"op":"Total","value":7}])");
  const char* text = "254:16 rbytes=7 wbytes=8 rios=1 wios=2 dbytes=0 dios=0\n";
  EXPECT_EQ(parse_io_stat(text, true),
            R"([{"major":254,"minor":16,"op":"Read","value":7},{"major":254,"minor":16,"op":"Write","value":8}])");
  EXPECT_EQ(parse_io_stat(text, false),
            R"([{"major":254,"minor":16,"op":"Read","value":1},{"major":254,"minor":16,"op":"Write","value":2}])");
}

TEST(Stats, WithoutCgroupsTheDocumentIsStillWhole) {
  boost::json::error_code error;
  const auto value = boost::json::parse(read_stats({}), error);
  ASSERT_FALSE(error);
  for (const char* key : {"cpu", "cpuset", "memory", "pids", "blkio", "hugetlb", "intel_rdt", "network_interfaces"})
    EXPECT_TRUE(value.as_object().contains(key)) << key;
  EXPECT_EQ(value.at("cpu").at("usage").at("total").to_number<int>(), 0);
}

}  // namespace
}  // namespace caisson::runtime

// Laws of the parsers: what the kernel writes is understood, on v1 and v2; what it does not write is left out.
// Layer: procview, test.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "caisson/procview/numbers.h"
#include "caisson/procview/words.h"

namespace caisson::procview {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Parse, AFieldIsFoundByItsWholeNameOnly) {
  constexpr std::string_view text = "MemTotalX: 1\nMemTotal:  2 kB\nEmpty\nBad: x\n";
  EXPECT_EQ(field(text, "MemTotal:"), 2u);
  EXPECT_EQ(field(text, "Mem"), std::nullopt);
  EXPECT_EQ(field(text, "Empty"), std::nullopt);
  EXPECT_EQ(field(text, "Bad:"), std::nullopt);
  EXPECT_EQ(field("", "MemTotal:"), std::nullopt);
}

TEST(Parse, NoLimitIsMaxOrTheLargestOfV1) {
  EXPECT_EQ(parse_limit("max\n"), no_limit);
  EXPECT_EQ(parse_limit("9223372036854771712\n"), no_limit);
  EXPECT_EQ(parse_limit("4096\n"), 4096u);
  EXPECT_EQ(parse_limit(""), std::nullopt);
  EXPECT_EQ(parse_limit("none\n"), std::nullopt);
}

TEST(Parse, MemoryOfV1IsThatOfTheHierarchyAndSwapIsWhatTheSecondLimitLeaves) {
  Memory m;
  parse_memory_stat_v1(
      "cache 1\nrss 2\nhierarchical_memory_limit 1000\nhierarchical_memsw_limit 1500\ntotal_cache 10\ntotal_rss 20\n"
      "total_swap 7\ntotal_active_file 3\n",
      m);
  EXPECT_EQ(m.file, 10u);
  EXPECT_EQ(m.anon, 20u);
  EXPECT_EQ(m.limit, 1000u);
  EXPECT_EQ(m.swap_limit, 500u);
  EXPECT_EQ(m.swap_usage, 7u);
  EXPECT_EQ(m.active_file, 3u);
}

TEST(Parse, MemoryOfV1WithoutLimitsHasNone) {
  Memory m;
  parse_memory_stat_v1("hierarchical_memory_limit 9223372036854771712\nhierarchical_memsw_limit 9223372036854771712\n",
                       m);
  EXPECT_EQ(m.limit, no_limit);
  EXPECT_EQ(m.swap_limit, no_limit);
}

TEST(Parse, MemoryOfV2) {
  Memory m;
  parse_memory_stat_v2("anon 5\nfile 6\nkernel_stack 7\nslab_reclaimable 8\npgfault 9\nnew_one 1\n", m);
  EXPECT_EQ(m.anon, 5u);
  EXPECT_EQ(m.file, 6u);
  EXPECT_EQ(m.kernel_stack, 7u);
  EXPECT_EQ(m.slab_reclaimable, 8u);
  EXPECT_EQ(m.faults, 9u);
}

TEST(Parse, AQuotaIsWorthItsCpusRoundedUp) {
  EXPECT_EQ(cpus_of_quota("150000\n", "100000\n"), 2u);
  EXPECT_EQ(cpus_of_quota("100000\n", "100000\n"), 1u);
  EXPECT_EQ(cpus_of_quota("1000\n", "100000\n"), 1u);
  EXPECT_EQ(cpus_of_quota("-1\n", "100000\n"), std::nullopt);
  EXPECT_EQ(cpus_of_quota("100000\n", "0\n"), std::nullopt);
  EXPECT_EQ(cpus_of_quota("", ""), std::nullopt);
  EXPECT_EQ(cpus_of_max("max 100000\n"), std::nullopt);
  EXPECT_EQ(cpus_of_max("250000 100000\n"), 3u);
  EXPECT_EQ(cpus_of_max("250000\n"), std::nullopt);
  EXPECT_EQ(cpus_of_quota("18446744073709551615", "1"), 65536u);
}

TEST(Parse, CpuTimeOfV1IsKnownForEachCpu) {
  const CpuUse use = parse_usage_all("cpu user system\n0 10 1\n1 20 2\n99999999999 1 1\n2\n");
  EXPECT_EQ(use.total.user, 30u);
  EXPECT_EQ(use.total.system, 3u);
  ASSERT_EQ(use.each.size(), 2u);
  EXPECT_EQ(use.each.at(1).user, 20u);
}

TEST(Parse, CpuTimeOfV2IsInMicroseconds) {
  const CpuUse use = parse_cpu_stat("usage_usec 5\nuser_usec 3\nsystem_usec 2\n");
  EXPECT_EQ(use.total.user, 3000u);
  EXPECT_EQ(use.total.system, 2000u);
  EXPECT_THAT(use.each, IsEmpty());
}

TEST(Parse, DisksOfV1AndV2) {
  const Disks v1 = parse_blkio("8:0 Read 3\n8:0 Write 4\n8:0 Total 7\nTotal 7\n", "8:0 Read 4096\n8:16 Discard 512\n");
  ASSERT_EQ(v1.size(), 2u);
  EXPECT_EQ(v1.at("8:0").reads, 3u);
  EXPECT_EQ(v1.at("8:0").writes, 4u);
  EXPECT_EQ(v1.at("8:0").read_bytes, 4096u);
  EXPECT_EQ(v1.at("8:16").discarded_bytes, 512u);
  const Disks v2 = parse_io_stat("8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\nnonsense\n253:0 rbytes=x\n");
  ASSERT_EQ(v2.size(), 2u);
  EXPECT_EQ(v2.at("8:0").written_bytes, 2u);
  EXPECT_EQ(v2.at("8:0").discards, 6u);
  EXPECT_EQ(v2.at("253:0").read_bytes, 0u);
}

TEST(Parse, AListIsSortedAndBounded) {
  EXPECT_THAT(parse_list("7,0-2,2\n"), ElementsAre(0, 1, 2, 7));
  EXPECT_THAT(parse_list("\n"), IsEmpty());
  EXPECT_THAT(parse_list("x"), IsEmpty());
  EXPECT_LE(parse_list("0-4294967295\n").size(), 65536u);
  EXPECT_EQ(list_text({0, 1, 2, 7, 9, 10}), "0-2,7,9-10");
  EXPECT_EQ(list_text({}), "");
}

TEST(Parse, AMaskKeepsItsShape) {
  EXPECT_THAT(parse_mask("00000001,00000003\n"), ElementsAre(0, 1, 32));
  EXPECT_EQ(mask_text({1}, "00000001,00000003\n"), "00000000,00000002\n");
  EXPECT_EQ(mask_text({}, "f\n"), "0\n");
  EXPECT_THAT(both({0, 1, 5}, {1, 2, 5}), ElementsAre(1, 5));
}

TEST(Parse, AppendedTextIsCutAndNeverOverflows) {
  std::string out;
  append(out, "%s", std::string(1000, 'x').c_str());
  EXPECT_EQ(out.size(), 255u);
}

}  // namespace
}  // namespace caisson::procview

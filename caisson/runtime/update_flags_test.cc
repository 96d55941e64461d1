#include "caisson/runtime/update_flags.h"

#include <gtest/gtest.h>

#include "caisson/runtime/command_table.h"

namespace caisson::runtime {
namespace {

Result<oci::Resources> read(std::vector<std::string> line) {
  line.push_back("id");
  Arguments arguments;
  const auto parsed = parse_command(*find_command(commands(), "update"), line, arguments);
  if (!parsed) return parsed.error();
  return resources_of(arguments);
}

TEST(UpdateFlags, NothingGivenChangesNothing) { EXPECT_EQ(*read({}), oci::Resources()); }

TEST(UpdateFlags, EveryFlagReachesItsField) {
  const oci::Resources r =
      *read({"--cpu-period",    "100000", "--cpu-quota",      "-1",  "--cpu-burst",          "5",
             "--cpu-share",     "512",    "--cpu-idle",       "1",   "--cpuset-cpus",        "0-1",
             "--cpuset-mems",   "0",      "--memory",         "64M", "--memory-swap",        "-1",
             "--pids-limit",    "-1",     "--blkio-weight",   "300", "--memory-reservation", "33554432",
             "--cpu-rt-period", "7",      "--cpu-rt-runtime", "6"});
  EXPECT_EQ(r.cpu->period, 100000u);
  EXPECT_EQ(r.cpu->quota, -1);
  EXPECT_EQ(r.cpu->burst, 5u);
  EXPECT_EQ(r.cpu->shares, 512u);
  EXPECT_EQ(r.cpu->idle, 1);
  EXPECT_EQ(r.cpu->cpus, "0-1");
  EXPECT_EQ(r.cpu->mems, "0");
  EXPECT_EQ(r.cpu->realtime_period, 7u);
  EXPECT_EQ(r.cpu->realtime_runtime, 6);
  EXPECT_EQ(r.memory->limit, 64 << 20);
  EXPECT_EQ(r.memory->reservation, 32 << 20);
  EXPECT_EQ(r.memory->swap, -1);
  EXPECT_EQ(r.pids->limit, -1);
  EXPECT_EQ(r.block_io->weight, 300);
}

TEST(UpdateFlags, AWrongValueIsNamed) {
  EXPECT_EQ(read({"--memory", "64X"}).error().message(), "invalid value for memory: \"64X\"");
  EXPECT_EQ(read({"--cpu-period", "-1"}).error().message(), "invalid value for cpu-period: \"-1\"");
  EXPECT_EQ(read({"--blkio-weight", "70000"}).error().message(), "invalid value for blkio-weight: \"70000\"");
}

TEST(UpdateFlags, ZeroIsALimitOfPidsAndLeavesTheWeight) {
  EXPECT_EQ(*read({"--blkio-weight", "0"}), oci::Resources());
  EXPECT_EQ(read({"--pids-limit", "0"})->pids->limit, 0);
}

}  // namespace
}  // namespace caisson::runtime

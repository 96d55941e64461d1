// Trace's tables against nest's, and what a report makes of operations.
// Layer: trace (tests).
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>

#include "caisson/nest/trapped.h"
#include "caisson/trace/report.h"

namespace caisson::trace {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const TracedCall* find(std::string_view name) {
  const auto found = std::ranges::find_if(traced_calls(), [&](const TracedCall& c) { return c.name == name; });
  return found == traced_calls().end() ? nullptr : &*found;
}

Operation operation(const char* name, int error = 0, const char* path = "/p") {
  const TracedCall* call = find(name);
  return {.call = call, .arguments = path, .path = path, .served = served(*call), .error = error};
}

TEST(Traced, HasEveryCallOfNestsTables) {
  for (const nest::TrappedCall& call : nest::trapped_calls()) EXPECT_NE(find(call.name), nullptr) << call.name;
  for (const nest::GrantRow& row : nest::grants())
    for (const char* name : row.calls) EXPECT_NE(find(name), nullptr) << name;
}

TEST(Traced, AsksNestsTablesForTheGrant) {
  for (const nest::TrappedCall& call : nest::trapped_calls())
    EXPECT_TRUE(call.grant == nest::Grant::always || served(*find(call.name)).grant == call.grant) << call.name;
  for (const TracedCall& call : traced_calls()) {
    const std::string_view need = call.capability;
    if (!need.starts_with("CAP_")) continue;
    EXPECT_EQ(served(call).by, Served::By::grant) << call.name << ": no grant has " << need;
  }
  EXPECT_EQ(served(*find("mknod")).name, "mknod");
  EXPECT_EQ(served(*find("setsockopt")).name, "net");
  EXPECT_EQ(served(*find("delete_module")).name, "modules");
  EXPECT_EQ(served(*find("chown")).by, Served::By::anybody);
  EXPECT_EQ(served(*find("swapon")).by, Served::By::nobody);
}

TEST(Traced, KnowsPathsByWhatServesThem) {
  const auto name = [](const char* path, bool device = false) {
    const auto by = served_path(path, device);
    return by ? by->name : "nothing";
  };
  EXPECT_EQ(name("/sys/fs/cgroup/a/cgroup.procs"), "cgroup");
  EXPECT_EQ(name("/proc/sys/vm/swappiness"), "sysctl");
  EXPECT_EQ(served_path("/proc/sys/net/ipv4/ip_forward", false)->by, Served::By::anybody);
  EXPECT_EQ(served_path("/proc/sys/nothing", false)->by, Served::By::nobody);
  EXPECT_EQ(name("/dev/fuse", true), "fuse");
  EXPECT_EQ(name("/dev/net/tun", true), "tun");
  EXPECT_EQ(name("/dev/loop3", true), "loop");
  EXPECT_EQ(name("/dev/kvm", true), "kvm");
  EXPECT_EQ(name("/dev/sda", true), "device:/dev/sda");
  EXPECT_EQ(name("/dev/sda", false), "nothing");
  for (const char* plain : {"/dev/null", "/dev/tty", "/dev/pts/3"}) EXPECT_EQ(name(plain, true), "nothing") << plain;
  EXPECT_EQ(name("/etc/passwd"), "nothing");
}

TEST(Report, TheSmallestSetIsWhatSucceededOrLackedPrivilege) {
  Report report;
  EXPECT_EQ(report.grant_list(), "none");
  report.add(operation("setpriority", EPERM));
  report.add(operation("mount"));
  report.add(operation("mknod", EEXIST));
  report.add(operation("swapon", EPERM));
  report.add(operation("chown"));
  EXPECT_THAT(report.grants(), ElementsAre("mount", "priority"));
  EXPECT_EQ(report.grant_list(), "none,mount,priority");
  EXPECT_TRUE(nest::parse_grants(report.grant_list()));
}

TEST(Report, AddsUpTheSameAndChangesOfOwner) {
  Report report;
  report.add(operation("mount"));
  report.add(operation("mount"));
  report.add(operation("chown", 0, "/a"));
  report.add(operation("chown", 0, "/b"));
  ASSERT_EQ(report.rows().size(), 2U);
  EXPECT_EQ(report.rows()[0].count, 2U);
  EXPECT_EQ(report.rows()[1].count, 2U);
  EXPECT_THAT(print_text(report), HasSubstr("      2  mount  ok       mount          /p\n"));
  EXPECT_THAT(print_text(report), HasSubstr("smallest set: --grants none,mount\n"));
  EXPECT_THAT(print_json(report, {.command = {"a"}, .status = 3}),
              HasSubstr(R"("path":"/p","verdict":"ok","servedBy":"grant","grant":"mount","counts":true,"count":2)"));
}

}  // namespace
}  // namespace caisson::trace

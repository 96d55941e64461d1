// Laws of planning: what a config.json becomes, without asking the kernel.
// Layer: runtime tests. The golden texts are in tests/data/plan; CAISSON_UPDATE_GOLDEN=1 writes them anew.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/runtime/plan.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <cstdlib>

#include "caisson/oci/default_spec.h"
#include "caisson/runtime/channel.h"
#include "caisson/runtime/exec_request.h"
#include "caisson/sys/file.h"

namespace caisson::runtime {
namespace {

constexpr PlanFacts facts() { return {}; }

std::string message_of(const oci::Spec& spec) {
  PlanFacts f = facts();
  f.bundle = "/b";
  auto plan = plan_container(spec, f);
  return plan ? "no error" : plan.error().message();
}

void expect_golden(const std::string& name, const std::string& text) {
  const char* source = std::getenv("CAISSON_SOURCE");
  ASSERT_NE(source, nullptr) << "ctest sets CAISSON_SOURCE";
  const std::string path = std::string(source) + "/tests/data/plan/" + name + ".txt";
  if (std::getenv("CAISSON_UPDATE_GOLDEN") != nullptr) {
    ASSERT_TRUE(sys::replace_file(path, text, 0644));
  }
  auto golden = sys::read_file(path);
  ASSERT_TRUE(golden) << path;
  EXPECT_EQ(*golden, text);
}

oci::Spec locked_spec() {
  oci::Spec spec = oci::default_spec();
  spec.linux.namespaces.push_back({oci::NamespaceType::user, ""});
  spec.linux.uid_mappings = spec.linux.gid_mappings = {{0, 700000, 65536}};
  spec.annotations["io.caisson.locked-mounts"] = "true";
  spec.annotations["io.caisson.rootfs-overlay"] = R"({"lower":["/l2","/l1"],"upper":"/d/up","work":"/d/work"})";
  for (oci::Mount& m : spec.mounts)
    if (m.type == "devpts") m.options.push_back("x-caisson.inside");
  return spec;
}

TEST(Plan, TheDefaultConfigGolden) {
  PlanFacts f = facts();
  f.bundle = "/b";
  f.capabilities = ~std::uint64_t{0};
  auto plan = plan_container(oci::default_spec(), f);
  ASSERT_TRUE(plan) << plan.error().message();
  expect_golden("default", to_text(*plan));
}

TEST(Plan, LockedMountsGolden) {
  PlanFacts f = facts();
  f.bundle = "/b";
  auto plan = plan_container(locked_spec(), f);
  ASSERT_TRUE(plan) << plan.error().message();
  expect_golden("locked", to_text(*plan));
}

TEST(Plan, ACapabilityTheRuntimeLacksIsNotPromised) {
  PlanFacts f = facts();
  f.bundle = "/b";
  f.capabilities = 0;
  auto plan = plan_container(oci::default_spec(), f);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->process.capabilities, CapabilityMasks{});
}

TEST(Plan, LockedMountsNeedAUserNamespace) {
  oci::Spec spec = oci::default_spec();
  spec.annotations["io.caisson.locked-mounts"] = "true";
  EXPECT_NE(message_of(spec).find("io.caisson.locked-mounts"), std::string::npos);
}

TEST(Plan, AnOverlayRootWithoutLockedMountsIsRefused) {
  oci::Spec spec = oci::default_spec();
  spec.annotations["io.caisson.rootfs-idmap"] = "true";
  EXPECT_NE(message_of(spec).find("io.caisson.rootfs-"), std::string::npos);
}

TEST(Plan, SomebodyElsesDevGetsNoNodes) {
  oci::Spec spec = oci::default_spec();
  for (oci::Mount& m : spec.mounts)
    if (m.destination == "/dev") m = {.destination = "/dev", .type = "bind", .source = "/dev", .options = {"rbind"}};
  PlanFacts f = facts();
  f.bundle = "/b";
  auto plan = plan_container(spec, f);
  ASSERT_TRUE(plan);
  EXPECT_TRUE(plan->devices.empty());
  EXPECT_FALSE(plan->default_links);
}

TEST(Plan, TheCgroupIsTheUsersOnlyWithANamespaceOfItsOwnAndAMountItCanWriteTo) {
  PlanFacts f = facts();
  f.bundle = "/b";
  for (const bool writable : {false, true}) {
    for (const bool own : {false, true}) {
      oci::Spec spec = oci::default_spec();
      std::erase_if(spec.linux.namespaces, [](const auto& n) { return n.type == oci::NamespaceType::cgroup; });
      if (own) spec.linux.namespaces.push_back({oci::NamespaceType::cgroup, ""});
      for (oci::Mount& m : spec.mounts)
        if (m.type == "cgroup" && writable) std::erase(m.options, "ro");
      auto plan = plan_container(spec, f);
      ASSERT_TRUE(plan);
      EXPECT_EQ(plan->own_cgroup, own && writable);
    }
  }
}

TEST(Plan, OnlyAStageCanJoinAPidNamespace) {
  NamespacePlan plan;
  plan.create = CLONE_NEWNS | CLONE_NEWNET;
  EXPECT_FALSE(plan.needs_stage());
  plan.join.push_back({CLONE_NEWPID, "/proc/1/ns/pid"});
  EXPECT_TRUE(plan.needs_stage());
}

TEST(MountPlan, NothingIsMountedOverTheRootOrInsideProc) {
  for (const char* target : {"/", "/..", "/proc/self", "/proc/sys/kernel/core_pattern"}) {
    oci::Spec spec = oci::default_spec();
    spec.mounts.push_back({.destination = target, .type = "tmpfs", .source = "tmpfs"});
    EXPECT_NE(message_of(spec).find("mount"), std::string::npos) << target;
  }
}

TEST(Plan, NetworkDevicesMoveUnderNamesOfTheirOwn) {
  oci::Linux linux;
  linux.net_devices["eth0"] = {};
  linux.net_devices["eth1"].name = "lan%d";
  linux.net_devices["eth2"].name = "lan%d";
  const auto moves = plan_net_devices(linux);
  ASSERT_TRUE(moves) << moves.error().message();
  ASSERT_EQ(moves->size(), 3U);
  EXPECT_EQ((*moves)[0].inside, "eth0");
  EXPECT_EQ((*moves)[1].inside, "lan%d");
  linux.net_devices["eth2"].name = "eth0";
  EXPECT_EQ(plan_net_devices(linux).error().message(), "linux.netDevices: two devices named eth0");
}

TEST(Plan, NetworkDevicesNeedANetworkNamespace) {
  oci::Spec spec = oci::default_spec();
  std::erase_if(spec.linux.namespaces, [](const oci::Namespace& n) { return n.type == oci::NamespaceType::network; });
  spec.linux.net_devices["eth0"] = {};
  EXPECT_EQ(message_of(spec), "unable to move network devices without a private NET namespace");
}

TEST(MountPlan, ABindMountTakesNoDataOfAFileSystem) {
  oci::Spec spec = oci::default_spec();
  spec.mounts.push_back({.destination = "/x", .type = "bind", .source = "/y", .options = {"bind", "size=1"}});
  EXPECT_NE(message_of(spec).find("filesystem-specific options"), std::string::npos);
}

TEST(ExecRequest, AnIdIsANumberAndNothingElse) {
  oci::User user;
  ASSERT_TRUE(parse_user("1", user));
  EXPECT_EQ(user.uid, 1U);
  ASSERT_TRUE(parse_user("5:7", user));
  EXPECT_EQ(user.gid, 7U);
  for (const char* bad : {"", "1:", ":1", "-1", "4294967295", "4294967296", "root", "1x", " 1"})
    EXPECT_FALSE(parse_user(bad, user)) << bad;
}

TEST(Channel, AnErrorArrivesWithItsErrnoAndItsTextOnce) {
  const Error sent = Error::os(EPERM, "mount").during("mount /x");
  const Error got = error_of(std::to_string(sent.code()) + " " + sent.message());
  EXPECT_TRUE(got.is(EPERM));
  EXPECT_EQ(got.message(), sent.message());
}

}  // namespace
}  // namespace caisson::runtime

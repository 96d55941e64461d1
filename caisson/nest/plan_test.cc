// Golden tests of the plan: what engines really send (tests/nest/golden/*.json) and what a nest makes of it (*.plan).
// Layer: nest. CAISSON_UPDATE_GOLDEN=1 writes the .plan files anew; read the diff.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/nest/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "caisson/oci/document.h"

namespace caisson::nest {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

std::string golden(const std::string& name) {
  const char* source = ::getenv("CAISSON_SOURCE");
  return std::string(source == nullptr ? "." : source) + "/tests/nest/golden/" + name;
}

std::string slurp(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

oci::Spec sample(const std::string& name) {
  auto spec = oci::parse_spec(slurp(golden(name + ".json")));
  EXPECT_TRUE(spec) << (spec ? "" : spec.error().message());
  return spec ? *std::move(spec) : oci::Spec{};
}

// A machine like the one the samples came from: an engine's overlay root, every file system takes id maps.
Facts machine(const oci::Spec& spec) {
  Facts facts;
  facts.bundle = "/run/bundle";
  facts.root = {.path = spec.root.path, .filesystem = "overlay", .is_mount = true, .overlay = {}, .can_idmap = false};
  facts.root.overlay = Overlay{.lower = {"/l/2", "/l/1"}, .upper = "/c/diff", .work = "/c/caisson-work", .options = {}};
  facts.hard_limits = {{"RLIMIT_NOFILE", 20000}, {"RLIMIT_NPROC", 96365}};
  for (const oci::Mount& mount : spec.mounts)
    facts.sources[mount.source] = {.kind = SourceKind::directory, .idmapping = Idmapping::recursive};
  facts.data_directory = "/var/lib/caisson/nests/KEY/data";
  facts.data_can_idmap = true;
  facts.first_id = 1000000;
  facts.program = "/usr/bin/caisson";
  facts.release_arguments = {"caisson-nest", "--root", "/run/r", "release", "ID"};
  return facts;
}

Facts plain_directory() {
  Facts facts;
  facts.root = {.path = "/srv/root", .filesystem = "ext4", .is_mount = false, .overlay = {}, .can_idmap = true};
  facts.first_id = 1000000;
  return facts;
}

oci::Spec small() {
  oci::Spec spec;
  spec.root.path = "/srv/root";
  spec.process.emplace().args = {"/bin/sh"};
  for (const auto type : {oci::NamespaceType::mount, oci::NamespaceType::pid, oci::NamespaceType::network,
                          oci::NamespaceType::uts, oci::NamespaceType::ipc})
    spec.linux.namespaces.push_back({.type = type, .path = ""});
  return spec;
}

Plan planned(oci::Spec spec, const Facts& facts) {
  auto plan = plan_nest(std::move(spec), facts);
  EXPECT_TRUE(plan) << (plan ? "" : plan.error().message());
  return plan ? *std::move(plan) : Plan{};
}

std::string refusal(oci::Spec spec, const Facts& facts) {
  auto plan = plan_nest(std::move(spec), facts);
  return plan ? "planned" : plan.error().message();
}

class Golden : public ::testing::TestWithParam<const char*> {};

TEST_P(Golden, IsWhatTheEngineGets) {
  const std::string name = GetParam();
  const oci::Spec spec = sample(name);
  auto plan = plan_nest(spec, machine(spec));
  const std::string text = plan ? to_text(*plan) : "refused " + plan.error().message() + "\n";
  const std::string path = golden(name + ".plan");
  if (::getenv("CAISSON_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << text;
  EXPECT_EQ(text, slurp(path));
}

INSTANTIATE_TEST_SUITE_P(Samples, Golden,
                         ::testing::Values("docker-20.10", "docker-20.10-privileged", "docker-20.10-host-network",
                                           "docker-20.10-options", "docker-26", "docker-26-privileged",
                                           "docker-26-host-pid", "podman-4.3", "podman-4.3-privileged",
                                           "podman-4.3-systemd", "podman-4.3-bridge"));

TEST(NestPlan, APlanOfAPlanChangesNothingTwice) {
  const oci::Spec spec = sample("docker-20.10");
  const Plan once = planned(spec, machine(spec));
  EXPECT_TRUE(oci::parse_spec(oci::print_spec(once.spec)));
}

TEST(NestPlan, OnlyAnAppArmorProfileForNestsIsKept) {
  for (const auto& [given, kept] : {std::pair("docker-default", ""),
                                    {"unconfined", ""},
                                    {"caisson-nest", "caisson-nest"},
                                    {"caisson-nest-build", "caisson-nest-build"}}) {
    oci::Spec spec = small();
    spec.process->apparmor_profile = given;
    const Plan plan = planned(spec, plain_directory());
    EXPECT_EQ(plan.spec.process->apparmor_profile, kept);
    EXPECT_EQ(plan.warnings.empty(), std::string(given) != "docker-default");
  }
}

TEST(NestPlan, NamespacesOfTheHostAreRefusedByTheNameTheCallerUsed) {
  for (const auto type : {oci::NamespaceType::pid, oci::NamespaceType::network, oci::NamespaceType::ipc}) {
    oci::Spec spec = small();
    std::erase_if(spec.linux.namespaces, [&](const oci::Namespace& ns) { return ns.type == type; });
    EXPECT_THAT(refusal(spec, plain_directory()), HasSubstr("host cannot be given"));
  }
}

TEST(NestPlan, ANamespaceByPathIsRefusedUnlessTheCallerBringsTheUserNamespace) {
  oci::Spec spec = small();
  spec.linux.namespaces[2].path = "/run/netns/x";
  EXPECT_THAT(refusal(spec, plain_directory()), HasSubstr("needs a network namespace of its own"));
  spec.linux.namespaces.push_back({.type = oci::NamespaceType::user, .path = "/proc/7/ns/user"});
  EXPECT_EQ(refusal(spec, plain_directory()), "planned");
}

TEST(NestPlan, ACallersUserNamespaceIsKept) {
  oci::Spec spec = small();
  spec.linux.namespaces.push_back({.type = oci::NamespaceType::user, .path = ""});
  spec.linux.uid_mappings = spec.linux.gid_mappings = {{.container_id = 0, .host_id = 5000, .size = 70000}};
  const Plan plan = planned(spec, plain_directory());
  EXPECT_EQ(plan.spec.linux.uid_mappings.front().host_id, 5000U);
  EXPECT_FALSE(plan.spec.annotations.contains("io.caisson.rootfs-idmap"));
  EXPECT_TRUE(plan.spec.annotations.contains("io.caisson.locked-mounts"));
}

TEST(NestPlan, JoinedUserNamespacesHaveNoLockedMounts) {
  oci::Spec spec = small();
  spec.linux.namespaces.push_back({.type = oci::NamespaceType::user, .path = "/proc/7/ns/user"});
  const Plan plan = planned(spec, plain_directory());
  EXPECT_FALSE(plan.spec.annotations.contains("io.caisson.locked-mounts"));
}

TEST(NestPlan, InAJoinedUserNamespaceDevicesAreTheHostsOwnBound) {
  oci::Spec spec = small();
  spec.linux.namespaces.push_back({.type = oci::NamespaceType::user, .path = "/proc/7/ns/user"});
  Facts facts = plain_directory();
  facts.absent_devices = {"/dev/net/tun"};
  const Plan plan = planned(spec, facts);
  ASSERT_EQ(plan.spec.linux.devices.size(), 1U);
  EXPECT_EQ(plan.spec.linux.devices.front().path, "/dev/fuse");
  EXPECT_EQ(plan.spec.mounts.back().destination, "/dev/kmsg");
  EXPECT_EQ(plan.spec.mounts.back().source, "/dev/null");
  EXPECT_THAT(plan.warnings, Contains(HasSubstr("/dev/net/tun")));
}

TEST(NestPlan, AnnotationsOfTheCallerDoNotSteerTheRuntime) {
  oci::Spec spec = small();
  spec.annotations["io.caisson.rootfs-overlay"] = "{\"lower\":[\"/\"]}";
  const Plan plan = planned(spec, plain_directory());
  EXPECT_FALSE(plan.spec.annotations.contains("io.caisson.rootfs-overlay"));
}

TEST(NestPlan, ARootThatCannotBeIdMappedIsRefused) {
  Facts facts = plain_directory();
  facts.root.can_idmap = false;
  facts.root.filesystem = "nfs4";
  EXPECT_THAT(refusal(small(), facts), HasSubstr("is on nfs4, which the kernel cannot id-map"));
}

TEST(NestPlan, AVolumeOverADataRootReplacesItAndIsExclusive) {
  const oci::Spec base = sample("docker-20.10");
  for (const char* at : {"/var/lib/docker", "/var/lib"}) {
    oci::Spec spec = base;
    spec.mounts.push_back({.destination = at,
                           .type = "bind",
                           .source = "/vol",
                           .options = {"rbind"},
                           .uid_mappings = {},
                           .gid_mappings = {}});
    const Plan plan = planned(spec, machine(spec));
    for (const DataRoot& root : plan.data_roots) EXPECT_NE(root.destination, "/var/lib/docker");
    const std::string held = std::string("/vol") + std::string("/var/lib/docker").substr(std::string(at).size());
    EXPECT_THAT(plan.exclusive, Contains(held));
  }
}

TEST(NestPlan, AReadOnlyVolumeIsNobodysAlone) {
  oci::Spec spec = small();
  spec.mounts.push_back({.destination = "/var/lib/docker",
                         .type = "bind",
                         .source = "/vol",
                         .options = {"rbind", "ro"},
                         .uid_mappings = {},
                         .gid_mappings = {}});
  EXPECT_THAT(planned(spec, plain_directory()).exclusive, Not(Contains("/vol")));
}

TEST(NestPlan, DataRootsComeBeforeTheVolumesBelowThem) {
  oci::Spec spec = sample("docker-20.10");
  spec.mounts.insert(spec.mounts.begin(), {.destination = "/var/lib/docker/volumes",
                                           .type = "bind",
                                           .source = "/vol",
                                           .options = {"rbind"},
                                           .uid_mappings = {},
                                           .gid_mappings = {}});
  const Plan plan = planned(spec, machine(spec));
  std::size_t root = 0;
  std::size_t volume = 0;
  for (std::size_t i = 0; i < plan.spec.mounts.size(); ++i) {
    if (plan.spec.mounts[i].destination == "/var/lib/docker") root = i;
    if (plan.spec.mounts[i].destination == "/var/lib/docker/volumes") volume = i;
  }
  EXPECT_LT(root, volume);
  EXPECT_GT(root, 0U);
}

TEST(NestPlan, DaemonJsonMovesDockersDataRoot) {
  const oci::Spec spec = sample("docker-20.10");
  Facts facts = machine(spec);
  facts.docker_data_root = "/data/docker";
  const Plan plan = planned(spec, facts);
  EXPECT_THAT(plan.data_roots,
              Contains(DataRoot{"/data/docker", "/var/lib/caisson/nests/KEY/data/data-docker", false}));
}

TEST(NestPlan, WhatAnImageBringsIsCopiedOnlyWhereItIsVisible) {
  const oci::Spec spec = sample("docker-20.10");
  Facts facts = machine(spec);
  facts.preloaded = {"/var/lib/docker"};
  const Plan plan = planned(spec, facts);
  for (const DataRoot& root : plan.data_roots) EXPECT_EQ(root.preload, root.destination == "/var/lib/docker");
  facts.data_can_idmap = false;  // copied ids would be nobody's
  for (const DataRoot& root : planned(spec, facts).data_roots) EXPECT_FALSE(root.preload);
}

TEST(NestPlan, APlainDirectoryKeepsItsDataWhereItIs) {
  const Plan plan = planned(small(), plain_directory());
  EXPECT_TRUE(plan.data_roots.empty());
  EXPECT_THAT(plan.exclusive, Contains("/srv/root/var/lib/docker"));
}

TEST(NestPlan, EveryDeviceOfTheHostIsNeverGiven) {
  oci::Spec spec = small();
  spec.linux.resources.emplace().devices = {{.allow = true, .type = "", .major = {}, .minor = {}, .access = "rwm"}};
  spec.linux.devices = {
      {.type = "b", .path = "/dev/vda", .major = 254, .minor = 0, .file_mode = {}, .uid = {}, .gid = {}}};
  const Plan plan = planned(spec, plain_directory());
  EXPECT_FALSE(plan.spec.linux.resources->devices.front().allow);
  for (const oci::Device& device : plan.spec.linux.devices) EXPECT_NE(device.path, "/dev/vda");
}

TEST(NestPlan, SysctlsOfTheHostAreLeftOut) {
  oci::Spec spec = small();
  spec.linux.sysctl = {{"net.ipv4.ip_forward", "1"}, {"vm.swappiness", "1"}};
  EXPECT_EQ(planned(spec, plain_directory()).spec.linux.sysctl.size(), 1U);
}

TEST(NestPlan, GroupsThatMayPingAreThoseTheNestHas) {
  oci::Spec spec = small();
  for (const char* given : {"0 2147483647", "0 65536", "0\t99999"}) {
    spec.linux.sysctl = {{"net.ipv4.ping_group_range", given}};
    EXPECT_THAT(planned(spec, plain_directory()).spec.linux.sysctl.begin()->second, ::testing::EndsWith("65535"));
  }
  spec.linux.sysctl = {{"net.ipv4.ping_group_range", "1 0"}};
  EXPECT_EQ(planned(spec, plain_directory()).spec.linux.sysctl.begin()->second, "1 0");
}

TEST(NestPlan, LimitsAreClampedNotRefused) {
  oci::Spec spec = small();
  spec.process->rlimits = {{.type = "RLIMIT_NOFILE", .soft = 1048576, .hard = 1048576}};
  spec.process->oom_score_adj = -500;
  Facts facts = plain_directory();
  facts.hard_limits = {{"RLIMIT_NOFILE", 20000}};
  const Plan plan = planned(spec, facts);
  EXPECT_EQ(plan.spec.process->rlimits.front().hard, 20000U);
  EXPECT_EQ(plan.spec.process->rlimits.front().soft, 20000U);
  EXPECT_EQ(plan.spec.process->oom_score_adj, 0);
}

TEST(NestPlan, UsersWhoAreNotRootGetOnlyTheBoundingSet) {
  oci::Spec spec = small();
  spec.process->user.uid = 1000;
  const Plan plan = planned(spec, plain_directory());
  EXPECT_EQ(plan.spec.process->capabilities->bounding.size(), 39U);
  EXPECT_TRUE(plan.spec.process->capabilities->effective.empty());
}

TEST(NestSeccomp, WhoKillsForACallIsObeyedWhoOnlyDeniesItIsNot) {
  oci::Spec spec = small();
  spec.linux.seccomp.emplace().default_action = "SCMP_ACT_ERRNO";
  spec.linux.seccomp->syscalls = {{.names = {"mount"}, .action = "SCMP_ACT_KILL", .errno_ret = {}, .args = {}},
                                  {.names = {"setns", "bpf"}, .action = "SCMP_ACT_ERRNO", .errno_ret = 1, .args = {}},
                                  {.names = {"clone"},
                                   .action = "SCMP_ACT_ALLOW",
                                   .errno_ret = {},
                                   .args = {{.index = 0, .value = 1, .value_two = 0, .op = "SCMP_CMP_EQ"}}}};
  const auto rules = planned(spec, plain_directory()).spec.linux.seccomp->syscalls;
  EXPECT_THAT(rules.front().names, Contains("setns"));
  EXPECT_THAT(rules.front().names, Not(Contains("mount")));
  ASSERT_EQ(rules.size(), 3U);
  EXPECT_EQ(rules[1].action, "SCMP_ACT_ERRNO");
  EXPECT_THAT(rules[1].names, ::testing::ElementsAre("bpf"));
  EXPECT_EQ(rules[2].action, "SCMP_ACT_KILL");
}

TEST(NestSeccomp, AListOfDenialsIsOnlyShortened) {
  oci::Spec spec = small();
  spec.linux.seccomp.emplace().default_action = "SCMP_ACT_ALLOW";
  spec.linux.seccomp->syscalls = {
      {.names = {"mount", "acct"}, .action = "SCMP_ACT_ERRNO", .errno_ret = {}, .args = {}}};
  const auto rules = planned(spec, plain_directory()).spec.linux.seccomp->syscalls;
  ASSERT_EQ(rules.size(), 2U);
  EXPECT_THAT(rules[0].names, ::testing::ElementsAre("bpf"));  // of a grant that is not given
  EXPECT_THAT(rules[1].names, ::testing::ElementsAre("acct"));
}

std::string seccomp_of(std::string_view list, std::string_view default_action) {
  oci::Spec spec = small();
  spec.linux.seccomp.emplace().default_action = default_action;
  Facts facts = plain_directory();
  facts.listener = "/run/x/shim.sock";
  facts.terms.grants = *parse_grants(list);
  const Plan plan = planned(spec, facts);
  const std::string text = to_text(plan);
  std::string out;
  for (std::size_t at = text.find("seccomp "); at != std::string::npos; at = text.find("\nseccomp ", at + 1))
    out += text.substr(at, text.find('\n', at + 1) - at);
  return out + "\n";
}

TEST(NestSeccomp, ACallOfAGrantThatIsNotGivenFailsAndIsNotTrapped) {
  for (const char* action : {"SCMP_ACT_ERRNO", "SCMP_ACT_ALLOW"}) {
    EXPECT_THAT(seccomp_of("default", action), HasSubstr("SCMP_ACT_NOTIFY with arguments mount\n"));
    EXPECT_THAT(seccomp_of("default", action), HasSubstr("SCMP_ACT_NOTIFY with arguments mknod\n"));
    EXPECT_THAT(seccomp_of("default", action), HasSubstr("SCMP_ACT_ERRNO bpf\n"));
    const std::string none = seccomp_of("none", action);
    EXPECT_THAT(none, HasSubstr("SCMP_ACT_ERRNO fsconfig,fsmount,"));
    EXPECT_THAT(none, HasSubstr("SCMP_ACT_NOTIFY sysinfo\n"));
    EXPECT_THAT(none, Not(HasSubstr("NOTIFY with")));
    EXPECT_THAT(seccomp_of("bpf", action), Not(HasSubstr("SCMP_ACT_ERRNO bpf")));
  }
}

std::string text_of(std::string_view grants, Profile profile = Profile::compat) {
  oci::Spec spec = small();
  spec.linux.masked_paths = {"/proc/kcore", "/proc/scsi", "/sys/firmware"};
  spec.linux.readonly_paths = {"/proc/sys", "/proc/bus"};
  Facts facts = plain_directory();
  facts.listener = "/run/x/shim.sock";
  facts.view = "/run/x/view";
  for (const char* path : {"proc/meminfo", "proc/sys/vm/swappiness", "sys/module/m/parameters/p"})
    facts.overmounts.push_back({.destination = std::string("/") + path, .source = path});
  facts.granted = {{"c", "/dev/kvm", 10, 232, 0660, 0, 0}};
  facts.terms = {.grants = *parse_grants(grants), .profile = profile};
  return to_text(planned(spec, facts));
}

TEST(NestPlan, AGrantGivesItsDevicesAndOnlyThose) {
  const std::string none = text_of("none");
  EXPECT_THAT(none, HasSubstr("device /dev/kmsg c 1:3\n"));  // stands in for the host's
  for (const char* absent : {"/dev/fuse", "10:229", "/dev/net/tun", "10:200"})
    EXPECT_THAT(none, Not(HasSubstr(absent)));
  EXPECT_THAT(text_of("fuse"), HasSubstr("device /dev/fuse c 10:229\n"));
  EXPECT_THAT(text_of("fuse"), HasSubstr("device rule allow c 10:229 rwm\n"));
  EXPECT_THAT(text_of("tun"), HasSubstr("device rule allow c 10:200 rwm\n"));
  EXPECT_THAT(text_of("kvm"), HasSubstr("device /dev/kvm c 10:232\n"));
  EXPECT_THAT(text_of("kvm"), HasSubstr("device rule allow c 10:232 rwm\n"));
  EXPECT_THAT(text_of("kmsg"), Not(HasSubstr("device /dev/kmsg c 1:3\n")));
}

TEST(NestPlan, WithoutTheCgroupGrantItsGroupsAreTheHosts) {
  EXPECT_THAT(text_of("cgroup"), HasSubstr("annotation io.caisson.delegate-cgroup=true\n"));
  EXPECT_THAT(text_of("none"), Not(HasSubstr("delegate-cgroup")));
  EXPECT_THAT(text_of("none"), HasSubstr("mount /sys/fs/cgroup cgroup cgroup nosuid,noexec,nodev,relatime,ro\n"));
}

TEST(NestPlan, WithoutTheSysctlGrantThereAreNoValuesOfItsOwn) {
  for (const char* path : {"mount /proc/sys/vm/swappiness", "mount /sys/module/m"}) {
    EXPECT_THAT(text_of("sysctl"), HasSubstr(path));
    EXPECT_THAT(text_of("none"), Not(HasSubstr(path)));
  }
  EXPECT_THAT(text_of("none"), HasSubstr("mount /proc/meminfo"));
}

TEST(NestPlan, OnlyCompatHasTheCleanPair) {
  EXPECT_THAT(text_of("default"), HasSubstr("mount /dev/.lxc/proc proc"));
  EXPECT_THAT(text_of("default", Profile::hardened), Not(HasSubstr("/dev/.lxc")));
  EXPECT_THAT(text_of("default", Profile::minimal), Not(HasSubstr("/dev/.lxc")));
}

TEST(NestPlan, HardenedMasksWhateverTheCallerSays) {
  const std::string text = text_of("default", Profile::hardened);
  for (const char* line : {"mask /proc/kcore\n", "mask /proc/keys\n", "mask /sys/firmware\n", "read-only /proc/irq\n"})
    EXPECT_THAT(text, HasSubstr(line));
  EXPECT_THAT(text, Not(HasSubstr("read-only /proc/sys\n")));
  EXPECT_EQ(text.find("mask /proc/scsi"), text.rfind("mask /proc/scsi"));
  EXPECT_THAT(text_of("default"), Not(HasSubstr("mask /proc/kcore\n")));
}

TEST(NestPlan, MinimalCoversNothing) {
  const std::string text = text_of("default", Profile::minimal);
  for (const char* absent : {"mask /", "read-only /", "/run/x/view"}) EXPECT_THAT(text, Not(HasSubstr(absent)));
}

TEST(NestPlan, HardenedIsRefusedWhereNothingWouldEnforceIt) {
  Facts facts = plain_directory();
  facts.terms.profile = Profile::hardened;
  EXPECT_THAT(refusal(small(), facts), HasSubstr("a supervisor of its own is needed"));
  facts.listener = "/run/x/shim.sock";
  oci::Spec spec = small();
  spec.linux.namespaces.push_back({.type = oci::NamespaceType::user, .path = "/proc/1/ns/user"});
  EXPECT_THAT(refusal(spec, facts), HasSubstr("no mount can be locked"));
}

TEST(NestSeccomp, HardenedLeavesMountAsTheOnlyWayToANewProc) {
  EXPECT_THAT(text_of("default", Profile::hardened), HasSubstr("seccomp SCMP_ACT_ERRNO fsopen\n"));
  EXPECT_THAT(text_of("default"), Not(HasSubstr("SCMP_ACT_ERRNO fsopen")));
}

TEST(NestPlan, TheSupervisorIsToldTheTermsAndTheMasks) {
  oci::Spec spec = small();
  Facts facts = plain_directory();
  facts.listener = "/run/x/shim.sock";
  facts.terms = {.grants = *parse_grants("mount,kvm"), .profile = Profile::hardened};
  const Instructions told = parse_instructions(planned(spec, facts).spec.linux.seccomp->listener_metadata);
  EXPECT_EQ(told.terms, facts.terms);
  EXPECT_THAT(told.masked, Contains("/proc/keys"));
  EXPECT_THAT(told.read_only, Contains("/proc/bus"));
}

TEST(NestPlan, ACapabilityOfAGrantThatIsNotGivenIsNowhere) {
  oci::Spec spec = small();
  spec.process->capabilities.emplace().inheritable = {"CAP_SYS_ADMIN", "CAP_CHOWN"};
  spec.process->capabilities->ambient = {"CAP_NET_ADMIN"};
  Facts facts = plain_directory();
  facts.terms.grants = GrantSet();
  const oci::Capabilities none = *planned(spec, facts).spec.process->capabilities;
  for (const GrantRow& row : grants())
    for (const char* name : row.capabilities)
      for (const auto* set : {&none.bounding, &none.effective, &none.permitted, &none.inheritable, &none.ambient})
        EXPECT_THAT(*set, Not(Contains(name)));
  EXPECT_THAT(none.inheritable, ::testing::ElementsAre("CAP_CHOWN"));
  EXPECT_THAT(none.bounding, Contains("CAP_NET_RAW"));  // a plain container's
}

TEST(NestPlan, SystemdIsKnownByItsNameWhereverItIs) {
  for (const char* name : {"/sbin/init", "/lib/systemd/systemd", "init"}) {
    oci::Spec spec = small();
    spec.process->args = {name};
    EXPECT_THAT(planned(spec, plain_directory()).spec.process->env, Contains("container=lxc")) << name;
  }
  EXPECT_FALSE(starts_systemd(small()));
}

}  // namespace
}  // namespace caisson::nest

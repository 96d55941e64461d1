// Laws of the systemd driver's pure half: names, places, properties.
// Layer: cgroup, test.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "caisson/cgroup/unit_manager.h"
#include "caisson/cgroup/unit_name.h"
#include "caisson/cgroup/unit_properties.h"

// A designated initializer names what it sets; the rest is absent on purpose.
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

namespace caisson::cgroup {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string name_of(std::string_view path, Systemd systemd = Systemd::system) {
  auto name = parse_unit_name(path, "id", systemd);
  return name ? name->slice + " " + name->unit : "error: " + name.error().message();
}

TEST(UnitName, IsSlicePrefixAndName) {
  EXPECT_EQ(name_of("machine.slice:libpod:abc"), "machine.slice libpod-abc.scope");
  EXPECT_EQ(name_of("a-b.slice:docker:x_1.2"), "a-b.slice docker-x_1.2.scope");
  EXPECT_EQ(name_of("a.slice:ignored:a-b.slice"), "a.slice a-b.slice");
  EXPECT_EQ(name_of("-.slice:p:n"), "-.slice p-n.scope");
  EXPECT_EQ(name_of("-:p:n"), "-.slice p-n.scope");
  EXPECT_EQ(name_of("a.slice::n"), "a.slice -n.scope");
}

TEST(UnitName, HasDefaultsForWhatIsNotSaid) {
  EXPECT_EQ(name_of(""), "system.slice runc-id.scope");
  EXPECT_EQ(name_of(":p:n"), "system.slice p-n.scope");
  EXPECT_EQ(name_of("", Systemd::user), "user.slice runc-id.scope");
  EXPECT_EQ(name_of(":p:n", Systemd::user), "user.slice p-n.scope");
}

TEST(UnitName, OfAnyOtherFormIsOneClearError) {
  for (const char* path : {"/a/b", "a", "a.slice:b", "a.slice:b:c:d"})
    EXPECT_EQ(name_of(path),
              "error: expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got \"" +
                  std::string(path) + "\" instead");
  EXPECT_EQ(name_of("a/b.slice:c:d"), "error: invalid slice name: a/b.slice");
  EXPECT_EQ(name_of("system:c:d"), "error: invalid slice name: system");
  EXPECT_EQ(name_of("a.slice:c:"), "error: cgroupsPath: \"a.slice:c:\" has no name");
  EXPECT_EQ(name_of("a.slice:c:d+e"), "error: cgroupsPath: \"c-d+e.scope\" is not the name of a systemd unit");
  EXPECT_EQ(name_of("a.slice:c:../d"), "error: cgroupsPath: \"c-../d.scope\" is not the name of a systemd unit");
  EXPECT_EQ(name_of("a.slice:c:" + std::string(300, 'x')).substr(0, 6), "error:");
  EXPECT_EQ(name_of("a.slice::-.slice"), "error: cgroupsPath: the root slice cannot be a container's");
}

TEST(Slice, IsBelowTheSlicesItsNameBeginsWith) {
  EXPECT_EQ(*expand_slice("a.slice"), "/a.slice");
  EXPECT_EQ(*expand_slice("a-b-c.slice"), "/a.slice/a-b.slice/a-b-c.slice");
  EXPECT_EQ(*expand_slice("-.slice"), "/");
  for (const char* slice :
       {"", ".slice", "a", "-a.slice", "a-.slice", "a--b.slice", "a/b.slice", "..slice", "a.slice/"})
    EXPECT_FALSE(expand_slice(slice)) << slice;
}

TEST(Unit, IsTheSameDirectoryInEveryHierarchy) {
  const Layout layout{
      {{Version::v1, {"memory"}, "/c/memory", "/", "/own"}, {Version::v2, {}, "/c/unified", "/", "/own"}}};
  const auto placement = place_unit(layout, {"a-b.slice", "x-y.scope"}, "");
  ASSERT_TRUE(placement);
  EXPECT_EQ(print(*placement),
            "v1 memory /c/memory /a.slice/a-b.slice/x-y.scope\nv2 - /c/unified /a.slice/a-b.slice/x-y.scope\n");
  EXPECT_EQ(place_unit(layout, {"-.slice", "x-y.scope"}, "/")->directories[0].path, "/x-y.scope");
  EXPECT_EQ(place_unit(layout, {"a.slice", "a-b.slice"}, "")->directories[0].path, "/a.slice/a-b.slice");
  EXPECT_FALSE(place_unit({}, {"a.slice", "x-y.scope"}, ""));
}

TEST(Unit, IsBelowItsManagerAndSeenThroughTheMount) {
  const Layout layout{{{Version::v2, {}, "/c", "/docker/box", "/docker/box/own"}}};
  const auto placement = place_unit(layout, {"a.slice", "x-y.scope"}, "/docker/box");
  EXPECT_EQ(placement->directories[0].absolute(), "/c/a.slice/x-y.scope");
  const Layout user{{{Version::v2, {}, "/c", "/", "/own"}}};
  EXPECT_EQ(place_unit(user, {"user.slice", "x-y.scope"}, "/user.slice/user@1.service")->directories[0].absolute(),
            "/c/user.slice/user@1.service/user.slice/x-y.scope");
}

// ---- properties

std::string text_of(const Properties& properties) {
  std::string out;
  for (const dbus::Property& property : properties) out += to_text(property) + "\n";
  return out;
}

Placement v1() {
  Placement out;
  for (const char* controller : {"cpuset", "memory", "pids", "blkio", "cpu", "devices"})
    out.directories.push_back({Version::v1, {controller}, std::string("/c/") + controller, "/b"});
  return out;
}
Placement v2() { return {{{Version::v2, {"cpuset", "cpu", "io", "memory", "pids"}, "/c", "/b"}}}; }

std::string limits(const oci::Resources& resources, const Placement& placement, unsigned version = 252) {
  auto settings = plan_settings(resources, placement);
  if (!settings) return "error: " + settings.error().message();
  auto properties = limit_properties(*settings, version);
  return properties ? text_of(*properties) : "error: " + properties.error().message();
}

oci::Resources everything() {
  oci::Resources out;
  out.memory = oci::Memory{.limit = 1000, .reservation = 500, .swap = 1500};
  out.cpu = oci::Cpu{.shares = 1024, .quota = 50000, .period = 100000, .cpus = "0-1,9", .mems = "0"};
  out.pids = oci::Pids{.limit = 7};
  out.block_io = oci::BlockIo{.weight = 500};
  return out;
}

TEST(UnitProperties, OfAScope) {
  EXPECT_EQ(text_of(unit_properties({"a.slice", "x-y.scope"}, "y", 42, Mode::v2)),
            "Description s \"caisson container y\"\n"
            "Slice s \"a.slice\"\n"
            "Delegate b true\n"
            "PIDs au 1 42\n"
            "MemoryAccounting b true\n"
            "CPUAccounting b true\n"
            "TasksAccounting b true\n"
            "IOAccounting b true\n"
            "DefaultDependencies b false\n");
}

TEST(UnitProperties, OfASliceNameNoProcessAndNoDelegation) {
  const std::string text = text_of(unit_properties({"a.slice", "a-b.slice"}, "y", -1, Mode::hybrid));
  EXPECT_THAT(text, ::testing::HasSubstr("Wants as 1 \"a.slice\"\n"));
  EXPECT_THAT(text, ::testing::HasSubstr("BlockIOAccounting b true\n"));
  EXPECT_EQ(text.find("PIDs"), text.npos);
  EXPECT_EQ(text.find("Delegate"), text.npos);
}

TEST(LimitProperties, OfV2) {
  EXPECT_EQ(limits(everything(), v2()),
            "AllowedCPUs ay 2 3 2\n"
            "AllowedMemoryNodes ay 1 1\n"
            "MemorySwapMax t 500\n"
            "MemoryMax t 1000\n"
            "MemoryLow t 500\n"
            "CPUWeight t 100\n"
            "TasksMax t 7\n"
            "IOWeight t 4950\n"
            "CPUQuotaPeriodUSec t 100000\n"
            "CPUQuotaPerSecUSec t 500000\n");
}

TEST(LimitProperties, OfV1) {
  EXPECT_EQ(limits(everything(), v1(), 240),
            "MemoryLimit t 1000\n"
            "CPUShares t 1024\n"
            "TasksMax t 7\n"
            "BlockIOWeight t 500\n"
            "CPUQuotaPerSecUSec t 500000\n");
}

TEST(LimitProperties, NoLimitIsTheGreatestNumber) {
  oci::Resources out;
  out.memory = oci::Memory{.limit = -1};
  out.cpu = oci::Cpu{.quota = -1};
  out.pids = oci::Pids{.limit = -1};
  const std::string max = "18446744073709551615\n";
  EXPECT_EQ(limits(out, v2()), "MemorySwapMax t " + max + "MemoryMax t " + max + "TasksMax t " + max +
                                   "CPUQuotaPeriodUSec t 100000\nCPUQuotaPerSecUSec t " + max);
  EXPECT_EQ(limits(out, v1()), "MemoryLimit t " + max + "TasksMax t " + max + "CPUQuotaPerSecUSec t " + max);
}

TEST(LimitProperties, AnOlderSystemdIsNotAskedForWhatItDoesNotKnow) {
  const std::string text = limits(everything(), v2(), 241);
  EXPECT_EQ(text.find("CPUQuotaPeriodUSec"), text.npos);
  EXPECT_EQ(text.find("Allowed"), text.npos);
  oci::Resources idle;
  idle.cpu = oci::Cpu{.shares = 1024, .idle = 1};
  EXPECT_EQ(limits(idle, v2(), 251), "CPUWeight t 100\n");
  EXPECT_EQ(limits(idle, v2(), 252), "CPUWeight t 0\n");
}

TEST(LimitProperties, UnifiedFilesAreMappedAndTheRestIsLeftToTheFiles) {
  oci::Resources out;
  out.unified = {{"memory.high", "100"},      {"memory.min", "max"}, {"cpu.weight", "200"}, {"cpu.max", "max 50000"},
                 {"io.weight", "default 30"}, {"pids.max", "max"},   {"cpuset.cpus", "0"},  {"io.max", "8:0 rbps=1"},
                 {"cgroup.freeze", "0"},      {"memory.max", "1000"}};
  EXPECT_EQ(limits(out, v2()),
            "CPUWeight t 200\n"
            "AllowedCPUs ay 1 1\n"
            "IOWeight t 30\n"
            "MemoryHigh t 100\n"
            "MemoryMax t 1000\n"
            "MemoryMin t 18446744073709551615\n"
            "TasksMax t 18446744073709551615\n"
            "CPUQuotaPeriodUSec t 50000\n"
            "CPUQuotaPerSecUSec t 18446744073709551615\n");
}

TEST(LimitProperties, QuotaIsRoundedUpToSystemdsSteps) {
  oci::Resources out;
  out.cpu = oci::Cpu{.quota = 1234, .period = 100000};
  EXPECT_THAT(limits(out, v2()), ::testing::HasSubstr("CPUQuotaPerSecUSec t 20000\n"));
}

// ---- devices

constexpr const char* drivers = "Character devices:\n  1 mem\n136 pts\n\nBlock devices:\n  8 sd\n136 other\n";

TEST(DeviceProperties, AreTheListOfWhatIsAllowed) {
  const std::vector<oci::DeviceRule> rules = {
      {.allow = false, .access = "rwm"},
      {.allow = true, .type = "c", .access = "m"},
      {.allow = true, .type = "c", .major = 1, .minor = 3, .access = "rwm"},
      {.allow = true, .type = "c", .major = 136, .access = "rw"},
      {.allow = true, .type = "b", .major = 8, .access = "r"},
      {.allow = true, .type = "b", .major = 99, .access = "r"},
      {.allow = true, .type = "b", .minor = 7, .access = "r"},
  };
  EXPECT_EQ(text_of(device_properties(rules, drivers)),
            "DevicePolicy s \"strict\"\n"
            "DeviceAllow a(ss) 0\n"
            "DeviceAllow a(ss) 4 \"block-sd\" \"r\" \"char-*\" \"m\" \"/dev/char/1:3\" \"rwm\" \"char-pts\" \"rw\"\n");
}

TEST(DeviceProperties, ALaterRuleTakesAnEarlierOneBack) {
  EXPECT_EQ(text_of(device_properties({{.allow = false},
                                       {.allow = true, .type = "c", .major = 1, .minor = 3, .access = "rwm"},
                                       {.allow = false, .type = "c", .major = 1, .minor = 3, .access = "w"}},
                                      drivers)),
            "DevicePolicy s \"strict\"\nDeviceAllow a(ss) 0\nDeviceAllow a(ss) 1 \"/dev/char/1:3\" \"rm\"\n");
}

TEST(DeviceProperties, WhereAllIsAllowedSystemdForbidsNothing) {
  EXPECT_EQ(text_of(device_properties({{.allow = false}, {.allow = true}}, drivers)),
            "DevicePolicy s \"auto\"\nDeviceAllow a(ss) 0\n");
}

// ---- where systemd is

TEST(Endpoints, OfTheMachineAreTheBusAndThePrivateSocket) {
  using dbus::Peer;
  EXPECT_THAT(endpoints(Systemd::system, {}), ElementsAre(Endpoint{"/run/dbus/system_bus_socket", Peer::bus},
                                                          Endpoint{"/run/systemd/private", Peer::direct}));
  EXPECT_EQ(endpoints(Systemd::system, {.system_address = "unix:path=/b"}).front(), (Endpoint{"/b", Peer::bus}));
}

TEST(Endpoints, OfAUserAreWhatTheEnvironmentSays) {
  using dbus::Peer;
  EXPECT_THAT(
      endpoints(Systemd::user, {.session_address = "", .runtime_directory = "/run/user/7"}),
      ElementsAre(Endpoint{"/run/user/7/bus", Peer::bus}, Endpoint{"/run/user/7/systemd/private", Peer::direct}));
  EXPECT_THAT(endpoints(Systemd::user, {.session_address = "unix:abstract=s"}), ElementsAre(Endpoint{"@s", Peer::bus}));
  EXPECT_THAT(endpoints(Systemd::user, {}), IsEmpty());
}

}  // namespace
}  // namespace caisson::cgroup

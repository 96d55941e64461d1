#include "caisson/oci/spec.h"

#include <gtest/gtest.h>

#include <chrono>

#include "caisson/oci/test_data.h"

namespace caisson::oci {
namespace {

// A minimal document with `member` added at its top.
std::string with(const std::string& member) {
  return R"({"ociVersion":"1.3.0","root":{"path":"rootfs"},)" + member + "}";
}

std::string error_of(const std::string& json) {
  Result<Spec> spec = parse_spec(json);
  if (spec) return "parsed";
  EXPECT_EQ(spec.error().kind(), Kind::invalid);
  return spec.error().message();
}

TEST(Spec, EveryGoodDocumentOfTheRuntimeSpecParses) {
  std::vector<std::filesystem::path> files = files_in("config/good");
  ASSERT_GE(files.size(), 9U);
  for (const std::filesystem::path& file : files) {
    Result<Spec> spec = parse_spec(read_text(file));
    EXPECT_TRUE(spec) << file << ": " << spec.error().message();
  }
}

TEST(Spec, EveryBadDocumentOfTheRuntimeSpecIsRefused) {
  std::vector<std::filesystem::path> files = files_in("config/bad");
  ASSERT_GE(files.size(), 5U);
  for (const std::filesystem::path& file : files) {
    if (file.filename().string().starts_with("freebsd")) continue;  // about a section that Linux ignores
    EXPECT_FALSE(parse_spec(read_text(file))) << file;
  }
}

TEST(Spec, PrintedSpecParsesToTheSameSpec) {
  for (const std::filesystem::path& file : files_in("config/good")) {
    Result<Spec> spec = parse_spec(read_text(file));
    ASSERT_TRUE(spec) << file;
    Result<Spec> again = parse_spec(print_spec(*spec));
    ASSERT_TRUE(again) << file << ": " << again.error().message();
    EXPECT_EQ(*spec, *again) << file;
  }
}

TEST(Spec, TheExampleOfTheSpecificationIsReadWhole) {
  Result<Spec> parsed = parse_spec(read_text(test_data("config/good/spec-example.json")));
  ASSERT_TRUE(parsed) << parsed.error().message();
  const Spec& spec = *parsed;
  EXPECT_EQ(spec.version, "0.5.0-dev");
  EXPECT_EQ(spec.root, (Root{"rootfs", true}));
  EXPECT_EQ(spec.hostname, "slartibartfast");
  EXPECT_EQ(spec.domainname, "foobarbaz.test");
  ASSERT_TRUE(spec.process);
  EXPECT_TRUE(spec.process->terminal);
  EXPECT_EQ(spec.process->user.additional_gids, (std::vector<std::uint32_t>{5, 6}));
  EXPECT_EQ(spec.process->rlimits[1], (Rlimit{"RLIMIT_NOFILE", 1024, 1024}));
  ASSERT_TRUE(spec.process->capabilities);
  EXPECT_EQ(spec.process->capabilities->ambient, std::vector<std::string>{"CAP_NET_BIND_SERVICE"});
  EXPECT_TRUE(spec.process->no_new_privileges);
  EXPECT_EQ(spec.mounts.size(), 7U);
  EXPECT_EQ(spec.hooks.poststart[0].timeout, std::chrono::seconds(5));
  EXPECT_EQ(spec.annotations.at("com.example.key2"), "value2");

  const Linux& linux = spec.linux;
  EXPECT_EQ(linux.uid_mappings, (std::vector<IdMapping>{{0, 1000, 32000}}));
  EXPECT_EQ(linux.namespaces.size(), 8U);
  EXPECT_TRUE(linux.creates(NamespaceType::time));
  EXPECT_EQ(linux.devices[0].path, "/dev/fuse");
  EXPECT_EQ(linux.devices[0].file_mode, 438U);
  EXPECT_EQ(linux.sysctl.at("net.core.somaxconn"), "256");
  EXPECT_EQ(linux.time_offsets->boottime->secs, 604800);
  EXPECT_EQ(linux.seccomp->syscalls[0].names[1], "chmod");
  EXPECT_EQ(linux.resources->memory->kernel, -1);
  EXPECT_EQ(linux.resources->memory->swappiness, 0U);
  EXPECT_EQ(linux.resources->cpu->cpus, "2-3");
  EXPECT_EQ(linux.resources->hugepage_limits[0].limit, 9223372036854772000U);
  EXPECT_EQ(linux.resources->block_io->weight_device[0].leaf_weight, 300);
  EXPECT_EQ(linux.resources->devices[1].major, 10);
  EXPECT_FALSE(linux.resources->devices[0].major);
  EXPECT_EQ(linux.resources->network->priorities[1].priority, 1000U);
}

TEST(Spec, AWrongTypeNamesItsField) {
  EXPECT_EQ(error_of(with(R"("linux":{"resources":{"memory":{"limit":"1G"}}})")),
            "config.json: linux.resources.memory.limit: must be an integer");
  EXPECT_EQ(error_of(with(R"("mounts":[{"destination":"/a"},{"destination":7}])")),
            "config.json: mounts[1].destination: must be a string");
  EXPECT_EQ(error_of(with(R"("process":{"cwd":"/","terminal":1})")),
            "config.json: process.terminal: must be true or false");
  EXPECT_EQ(error_of(with(R"("process":{"cwd":"/","args":"sh"})")), "config.json: process.args: must be an array");
  EXPECT_EQ(error_of(with(R"("annotations":{"a.b":1})")), "config.json: annotations.a.b: must be a string");
  EXPECT_EQ(error_of(with(R"("linux":[])")), "config.json: linux: must be an object");
  EXPECT_EQ(error_of("[]"), "config.json: must be an object");
}

TEST(Spec, NumbersMustFitTheKernelsTypes) {
  auto uid = [](const std::string& number) {
    return error_of(with(R"("process":{"cwd":"/","user":{"uid":)" + number + "}}"));
  };
  EXPECT_EQ(uid("-1"), "config.json: process.user.uid: must be between 0 and 4294967295");
  EXPECT_EQ(uid("4294967296"), "config.json: process.user.uid: must be between 0 and 4294967295");
  EXPECT_EQ(uid("18446744073709551616"), "config.json: process.user.uid: must be an integer");
  EXPECT_EQ(uid("1.0"), "config.json: process.user.uid: must be an integer");
  EXPECT_EQ(uid("1e3"), "config.json: process.user.uid: must be an integer");
  EXPECT_EQ(uid("4294967295"), "parsed");
  EXPECT_EQ(error_of(with(R"("linux":{"resources":{"pids":{"limit":9223372036854775808}}})")),
            "config.json: linux.resources.pids.limit: must be between -9223372036854775808 and 9223372036854775807");
  EXPECT_EQ(error_of(with(R"("linux":{"resources":{"blockIO":{"weight":65536}}})")),
            "config.json: linux.resources.blockIO.weight: must be between 0 and 65535");
  Result<Spec> big = parse_spec(with(R"("linux":{"resources":{"cpu":{"shares":18446744073709551615}}})"));
  ASSERT_TRUE(big) << big.error().message();
  EXPECT_EQ(big->linux.resources->cpu->shares, 18446744073709551615U);
}

TEST(Spec, RequiredFieldsAreRequired) {
  EXPECT_EQ(error_of("{}"), "config.json: ociVersion: is required");
  EXPECT_EQ(error_of(R"({"ociVersion":"1.0.0"})"), "config.json: root: is required");
  EXPECT_EQ(error_of(R"({"ociVersion":"1.0.0","root":{}})"), "config.json: root.path: is required");
  EXPECT_EQ(error_of(with(R"("process":{})")), "config.json: process.cwd: is required");
  EXPECT_EQ(error_of(with(R"("linux":{"uidMappings":[{"containerID":0,"size":1}]})")),
            "config.json: linux.uidMappings[0].hostID: is required");
  EXPECT_EQ(error_of(with(R"("linux":{"seccomp":{}})")), "config.json: linux.seccomp.defaultAction: is required");
}

TEST(Spec, BrokenTextIsRefusedWithItsPlace) {
  EXPECT_EQ(error_of(""), "config.json: not valid JSON at byte 0: incomplete JSON");
  EXPECT_EQ(error_of(R"({"ociVersion":"1.)"), "config.json: not valid JSON at byte 17: incomplete JSON");
  EXPECT_EQ(error_of("{]"), "config.json: not valid JSON at byte 1: syntax error");
  EXPECT_EQ(error_of(R"({"a":1} x)"), "config.json: not valid JSON at byte 8: extra data after the document");
  std::string whole = read_text(test_data("config/good/spec-example.json"));
  whole.erase(whole.find_last_of('}'));
  for (std::size_t length = 0; length < whole.size(); length += 97) {
    EXPECT_FALSE(parse_spec(std::string_view(whole).substr(0, length))) << length;
  }
  EXPECT_FALSE(parse_spec(std::string(100000, '[')));
}

TEST(Spec, UnknownMembersAndNullCountAsAbsent) {
  Result<Spec> spec =
      parse_spec(with(R"("mounts":null,"process":null,"linux":{"seccomp":null,"future":{"a":[1]}},"x":1)"));
  ASSERT_TRUE(spec) << spec.error().message();
  EXPECT_FALSE(spec->process);
  EXPECT_FALSE(spec->linux.seccomp);
  EXPECT_EQ(error_of(R"({"ociVersion":null})"), "config.json: ociVersion: is required");
}

TEST(Spec, NamespacesAreKnownAndUnique) {
  EXPECT_EQ(error_of(with(R"("linux":{"namespaces":[{"type":"pid"},{"type":"net"}]})")),
            "config.json: linux.namespaces[1].type: namespace \"net\" does not exist");
  EXPECT_EQ(error_of(with(R"("linux":{"namespaces":[{"type":"pid"},{"type":"pid","path":"/proc/1/ns/pid"}]})")),
            "config.json: linux.namespaces: malformed spec file: duplicated ns \"pid\"");
}

TEST(Spec, StringsThatTheKernelWouldCutShortAreRefused) {
  EXPECT_EQ(error_of(with(R"("mounts":[{"destination":"/a\u0000b"}])")),
            "config.json: mounts[0].destination: must not contain a null byte");
}

TEST(Spec, ValuesWithNoMeaningAreRefused) {
  EXPECT_EQ(error_of(with(R"("hooks":{"poststop":[{"path":"/x","timeout":0}]})")),
            "config.json: hooks.poststop[0].timeout: must be greater than zero");
  EXPECT_EQ(error_of(with(R"("linux":{"devices":[{"path":"/dev/x","type":"d"}]})")),
            "config.json: linux.devices[0].type: invalid device type \"d\"");
  EXPECT_EQ(error_of(with(R"("linux":{"seccomp":{"defaultAction":"A","syscalls":[{"names":[],"action":"B"}]}})")),
            "config.json: linux.seccomp.syscalls[0].names: must not be empty");
}

TEST(Spec, AnyVersionIsAccepted) {
  for (const char* version : {"1.0.0", "1.0.2-dev", "1.3.0", "1.9.0+x", "2.0.0"}) {
    EXPECT_EQ(error_of(R"({"ociVersion":")" + std::string(version) + R"(","root":{"path":"r"}})"), "parsed");
  }
}

TEST(Process, IsReadAloneForExec) {
  Result<Process> process =
      parse_process(R"({"args":["sh","-c"],"cwd":"/","user":{"uid":1,"umask":18},"env":["A=b"]})");
  ASSERT_TRUE(process) << process.error().message();
  EXPECT_EQ(process->args.size(), 2U);
  EXPECT_EQ(process->user.umask, 18U);
  EXPECT_FALSE(process->capabilities);
  Result<Process> again = parse_process(print_process(*process));
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, *process);
  Result<Process> bad = parse_process(R"({"cwd":"/","user":{"uid":"0"}})");
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().message(), "process.json: user.uid: must be an integer");
}

TEST(Resources, AreReadAloneForUpdate) {
  Result<Resources> resources = parse_resources(R"({"memory":{"limit":-1},"cpu":{"quota":50000},"unified":{"a":"b"}})");
  ASSERT_TRUE(resources) << resources.error().message();
  EXPECT_EQ(resources->memory->limit, -1);
  EXPECT_EQ(resources->cpu->quota, 50000);
  EXPECT_FALSE(resources->cpu->shares);
  Result<Resources> again = parse_resources(print_resources(*resources));
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, *resources);
  EXPECT_FALSE(parse_resources(R"({"memory":{"limit":true}})"));
}

}  // namespace
}  // namespace caisson::oci

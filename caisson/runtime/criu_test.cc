// Laws of what CRIU is told: mounts from outside, descriptors, options.
// Layer: runtime, test.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/runtime/criu.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "caisson/oci/default_spec.h"
#include "caisson/runtime/command_table.h"

namespace caisson::runtime {
namespace {

Plan plan_of(const oci::Spec& spec) {
  auto plan = plan_container(spec, {.bundle = "/b"});
  EXPECT_TRUE(plan);
  return std::move(*plan);
}

std::string text(const std::vector<ExternalMount>& mounts) {
  std::string out;
  for (const ExternalMount& m : mounts) out += m.point + "=" + m.source + " ";
  return out;
}

std::string options(std::vector<std::string> line) {
  line.push_back("id");
  Arguments arguments;
  const auto parsed = parse_command(*find_command(commands(), "checkpoint"), line, arguments);
  if (!parsed) return parsed.error().message();
  const auto words = common_options(arguments, {"/i", "/w"});
  if (!words) return words.error().message();
  std::string out;
  for (const std::string& word : *words) out += (out.empty() ? "" : " ") + word;
  return out;
}

TEST(Criu, MountsFromOutsideAreBindsCgroupsAndMasksOfFiles) {
  oci::Spec spec = oci::default_spec();
  spec.mounts.push_back({.destination = "/data/", .type = "bind", .source = "/host", .options = {"rbind"}});
  const std::vector<CgroupMount> v1 = {{.name = "memory", .options = "memory", .directory = "/sys/fs/cgroup/memory/c"}};
  EXPECT_EQ(text(external_mounts(plan_of(spec), v1, {"/proc/keys"})),
            "/sys/fs/cgroup/memory=/sys/fs/cgroup/memory/c /data=/host /proc/keys=/dev/null ");
  const std::vector<CgroupMount> v2 = {{.name = "", .options = "", .v2 = true, .directory = "/sys/fs/cgroup/c"}};
  EXPECT_EQ(text(external_mounts(plan_of(spec), v2, {})), "/sys/fs/cgroup=/sys/fs/cgroup/c /data=/host ");
}

TEST(Criu, OnlyAMaskThatIsDevNullIsFromOutside) {
  const Plan plan = plan_of(oci::default_spec());
  const char* mountinfo =
      "180 159 0:66 / /proc/acpi ro - tmpfs none rw\n"
      "181 159 0:6 /null /proc/keys rw - devtmpfs devtmpfs rw\n"
      "182 159 0:6 /null /somewhere rw - devtmpfs devtmpfs rw\n";
  EXPECT_EQ(masked_files(plan, mountinfo), std::vector<std::string>{"/proc/keys"});
  EXPECT_TRUE(masked_files(plan, "").empty());
}

TEST(Criu, DescriptorsComeBackAsTheyWereWritten) {
  const std::vector<std::string> names = {"pipe:[7]", "", "file[1b:a722]"};
  EXPECT_EQ(print_descriptors(names), R"(["pipe:[7]","","file[1b:a722]"])");
  EXPECT_EQ(*parse_descriptors(print_descriptors(names)), names);
  EXPECT_EQ(parse_descriptors("{").error().message(), "descriptors.json is damaged");
  EXPECT_EQ(parse_descriptors(R"(["/dev/null",7,null])")->at(1), "");
}

TEST(Criu, RuncsOptionsHaveCriusNames) {
  EXPECT_EQ(options({}), "-D /i -W /w -v4 --manage-cgroups=soft");
  EXPECT_EQ(options({"--tcp-established", "--tcp-skip-in-flight", "--ext-unix-sk", "--shell-job", "--file-locks",
                     "--link-remap", "--auto-dedup", "--manage-cgroups-mode", "full", "--empty-ns", "network"}),
            "-D /i -W /w -v4 --tcp-established --skip-in-flight --ext-unix-sk --link-remap --shell-job --file-locks "
            "--auto-dedup --manage-cgroups=full --empty-ns net");
  EXPECT_EQ(options({"--manage-cgroups-mode", "x"}), "Invalid manage-cgroups-mode value: x");
  EXPECT_EQ(options({"--empty-ns", "pid"}), "--empty-ns: namespace pid is not supported");
}

}  // namespace
}  // namespace caisson::runtime

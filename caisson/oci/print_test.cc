// The documents that this library prints: state, features, the default config.json.
// Layer: tests of oci only.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "caisson/oci/default_spec.h"
#include "caisson/oci/document.h"
#include "caisson/oci/features.h"
#include "caisson/oci/kernel_names.h"
#include "caisson/oci/mount_options.h"
#include "caisson/oci/spec.h"
#include "caisson/oci/state.h"
#include "caisson/oci/test_data.h"
#include "caisson/oci/validate.h"

namespace caisson::oci {
namespace {

TEST(State, IsPrintedInRuncsOrder) {
  State state{.id = "a", .pid = 7, .status = "running", .bundle = "/b"};
  EXPECT_EQ(print_state(state, Layout::line),
            R"({"ociVersion":"1.3.0","id":"a","pid":7,"status":"running","bundle":"/b"})");
  state.rootfs = "/b/rootfs";
  state.created = "2026-11-30T22:00:00.123456789Z";
  state.annotations = {{"k", "v"}};
  state.owner = "";
  state.pid = 0;
  EXPECT_EQ(print_state(state, Layout::indented), R"({
  "ociVersion": "1.3.0",
  "id": "a",
  "pid": 0,
  "status": "running",
  "bundle": "/b",
  "rootfs": "/b/rootfs",
  "created": "2026-11-30T22:00:00.123456789Z",
  "annotations": {
    "k": "v"
  },
  "owner": ""
})");
  Result<State> again = parse_state(print_state(state, Layout::line));
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(*again, state);
}

TEST(State, AListIsOneLineAndNullWhenEmpty) {
  EXPECT_EQ(print_states({}), "null");
  EXPECT_EQ(print_states({{.id = "a", .status = "stopped", .bundle = "/b"}}),
            R"([{"ociVersion":"1.3.0","id":"a","pid":0,"status":"stopped","bundle":"/b"}])");
}

TEST(State, TheExampleOfTheSpecificationParses) {
  for (const std::filesystem::path& file : files_in("state/good")) {
    EXPECT_TRUE(parse_state(read_text(file))) << file;
  }
  for (const std::filesystem::path& file : files_in("state/bad")) EXPECT_FALSE(parse_state(read_text(file))) << file;
}

TEST(Features, ComeFromTheTables) {
  Features features;
  features.seccomp_supported_flags = {"SECCOMP_FILTER_FLAG_LOG"};
  features.annotations = {{"io.caisson.version", "0.1.0"}};
  features.unsafe_annotations = {"io.caisson."};
  Result<Document> document = Document::parse(print_features(features), "features");
  ASSERT_TRUE(document) << document.error().message();
  EXPECT_EQ(**document->get_string({"ociVersionMin"}), "1.0.0");
  EXPECT_EQ(**document->get_string({"ociVersionMax"}), "1.3.0");
  EXPECT_EQ(document->get_strings({"mountOptions"})->size(), mount_option_names().size());
  EXPECT_EQ(document->get_strings({"hooks"})->size(), 6U);
  EXPECT_EQ(document->get_strings({"linux", "capabilities"})->size(), capabilities().size());
  EXPECT_EQ(**document->get_bool({"linux", "cgroup", "v2"}), true);
  EXPECT_EQ(**document->get_bool({"linux", "mountExtensions", "idmap", "enabled"}), true);
  EXPECT_EQ(document->get_strings({"linux", "seccomp", "supportedFlags"})->size(), 1U);
  EXPECT_EQ(**document->get_string({"annotations", "io.caisson.version"}), "0.1.0");
  features.seccomp = false;
  EXPECT_EQ(Document::parse(print_features(features), "features")->get_json({"linux", "seccomp"}),
            R"({"enabled":false})");
}

TEST(DefaultSpec, IsValidAndPrintsToItself) {
  for (const Spec& spec : {default_spec(), rootless_spec(1000, 1000)}) {
    Result<void> valid = validate(spec);
    EXPECT_TRUE(valid) << valid.error().message();
    Result<Spec> again = parse_spec(print_indented(spec));
    ASSERT_TRUE(again) << again.error().message();
    EXPECT_EQ(*again, spec);
  }
  Result<void> rootless = validate_rootless(rootless_spec(1000, 1000));
  EXPECT_TRUE(rootless) << rootless.error().message();
  EXPECT_FALSE(rootless_spec(1000, 1000).linux.has(NamespaceType::network));
  EXPECT_TRUE(print_indented(default_spec()).starts_with("{\n\t\"ociVersion\": \"1.3.0\",\n\t\"process\": {\n"));
}

TEST(Print, AHooksEmptyEnvironmentIsNotAnAbsentOne) {
  for (const char* env : {R"(,"env":[])", R"(,"env":["A=b"])", ""}) {
    const std::string hook = std::string(R"({"path":"/a")") + env + "}";
    const auto spec = parse_spec(R"({"ociVersion":"1.0.0","root":{"path":"r"},"hooks":{"poststop":[)" + hook + "]}}");
    ASSERT_TRUE(spec) << spec.error().message();
    EXPECT_EQ(spec->hooks.poststop[0].env.has_value(), *env != '\0');
    EXPECT_NE(print_spec(*spec).find(hook), std::string::npos) << print_spec(*spec);
  }
}

}  // namespace
}  // namespace caisson::oci

// config.json of an OCI bundle (runtime-spec 1.3, Linux) as plain structs, and its parser and printer.
// Layer: oci (pure: text in, structs out). Used by cgroup, seccomp, runtime and nest.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "caisson/base/result.h"
#include "caisson/oci/hooks.h"
#include "caisson/oci/linux.h"
#include "caisson/oci/mount.h"
#include "caisson/oci/process.h"

namespace caisson::oci {

// Members have initializers throughout, `{}` too, so that {.destination = "/a", .type = "tmpfs"} is enough for -Wextra.
struct Root {
  std::string path{};  // relative to the bundle unless absolute
  bool readonly = false;
  bool operator==(const Root&) const = default;
};

struct Spec {
  std::string version{};  // ociVersion as written; any is accepted
  Root root;
  std::string hostname{};
  std::string domainname{};
  std::optional<Process> process{};
  std::vector<Mount> mounts{};
  Hooks hooks;
  std::map<std::string, std::string> annotations{};
  Linux linux;
  bool operator==(const Spec&) const = default;
};

// Unknown members are ignored and null counts as absent (Go writes nil slices so); types and ranges are strict.
// Only form is checked here; what the fields mean together is validate.h.
// errors: invalid, naming the field: "config.json: linux.resources.memory.limit: must be an integer",
//         or the place: "config.json: not valid JSON at byte 17: incomplete JSON"
Result<Spec> parse_spec(std::string_view text);

// Only what Spec knows. To change a file and keep the rest of it, use document.h.
std::string print_spec(const Spec& spec);

}  // namespace caisson::oci

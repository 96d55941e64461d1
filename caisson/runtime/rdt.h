// linux.intelRdt: the container's class of cache and memory bandwidth, a directory of the resctrl file system.
// Layer: runtime. Used by create, update and delete, and only for a container that has one.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "caisson/base/result.h"
#include "caisson/oci/spec.h"

namespace caisson::runtime {

struct RdtPlan {
  std::string group{};                // closID; empty: the container's id
  bool monitor = false;               // a monitoring group of its own
  std::vector<std::string> schema{};  // lines of l3CacheSchema and memBwSchema
  std::vector<std::string> extra{};   // lines of schemata: written last, and always
};
// Pure. source: runtime-spec config-linux.md "IntelRdt"
RdtPlan plan_rdt(const oci::IntelRdt& rdt);

// What is kept of it in the container's state.
struct RdtGroup {
  std::string directory{};
  std::string monitor{};  // directory; empty: none
  bool made = false;      // by us: then `delete` removes it
};

// Where resctrl is mounted.
//   errors  unsupported: nowhere
Result<std::string> resctrl_mount();
std::string find_resctrl(std::string_view mountinfo);  // pure; empty: nowhere

//   root    resctrl_mount(), or a directory that looks like one
//   errors  not_found: a named group without a schema must be there; conflict: one that is there has another schema;
//           os: with the kernel's last_cmd_status. After an error nothing that was made is left
Result<RdtGroup> make_rdt_group(const std::string& root, const RdtPlan& plan, const std::string& id);
Result<void> join_rdt_group(const RdtGroup& group, pid_t pid);
Result<void> update_rdt_group(const RdtGroup& group, const std::vector<std::string>& schema);
Result<void> remove_rdt_group(const RdtGroup& group);

// Does `present`, a schemata file, say what `wanted` asks? "L3:0=0F" is "  L3:0=f;1=f". Pure.
bool has_schema(std::string_view present, const std::vector<std::string>& wanted);

// For state.json: "DIRECTORY\nMONITOR\nmade"; empty: none.
std::string print(const RdtGroup& group);
RdtGroup parse_rdt_group(std::string_view text);

}  // namespace caisson::runtime

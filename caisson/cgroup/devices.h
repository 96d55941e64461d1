// Device rules: which device nodes may be made, read and written. v1: lines for devices.allow and devices.deny;
// v2: an eBPF program. Both are planned purely.
// Layer: cgroup. Used by group.cc; the rules themselves are the runtime's decision.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <linux/bpf.h>

#include <string>
#include <vector>

#include "caisson/base/result.h"
#include "caisson/cgroup/placement.h"
#include "caisson/oci/resources.h"

namespace caisson::cgroup {

struct DeviceLine {
  bool allow = false;
  std::string text;  // "c 1:3 rwm", "a *:* rwm"
  bool operator==(const DeviceLine&) const = default;
};

// In the order of the rules. A rule for both types ("a") that names a number or lacks an access becomes one line for
// blocks and one for characters: the kernel would take it for "everything".
//   errors  invalid: bad type, number or access; or a rule that the v1 kernel silently ignores, because it takes a
//           part out of a wider one ("cannot punch hole")
//   source  Documentation/admin-guide/cgroup-v1/devices.rst; security/device_cgroup.c
Result<std::vector<DeviceLine>> plan_device_lines(const std::vector<oci::DeviceRule>& rules);

// The same rules as a BPF_PROG_TYPE_CGROUP_DEVICE program: for each access bit the last rule that names it decides;
// what no rule names is refused. Nothing is refused that v1 would grant, nor the reverse.
//   errors  invalid: bad type, number or access
Result<std::vector<bpf_insn>> plan_device_program(const std::vector<oci::DeviceRule>& rules);

// `attached`: whether a program of ours may be attached already, and must go.
enum class Attached : bool { no, maybe };

// Writes the lines where the v1 controller is mounted, else attaches the program. No rules: nothing happens. Inside a
// user namespace, where the kernel lets nobody set device rules, EPERM is not an error (as runc).
//   errors  unsupported: neither is there
Result<void> apply_device_rules(const std::vector<oci::DeviceRule>& rules, const Placement& placement,
                                Attached attached);

}  // namespace caisson::cgroup

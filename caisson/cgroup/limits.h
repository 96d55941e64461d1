// Limits: runtime-spec resources as a list of writes into cgroup files. Deciding is pure; write_settings() is the loop.
// Layer: cgroup. Used by group.cc; tests read the plan.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "caisson/base/result.h"
#include "caisson/cgroup/placement.h"
#include "caisson/oci/resources.h"

namespace caisson::cgroup {

struct Setting {
  std::string directory;  // absolute
  std::string file;
  std::string value;

  // What the kernel's refusal means.
  enum class Missing : unsigned char { fail, ignore };
  Missing missing = Missing::fail;  // ENOENT
  // EINVAL because a value written before does not fit yet: written once more after the controller's last setting.
  bool again = false;
  bool ignore_invalid = false;  // EINVAL has no consequence
  // The file that older kernels or other I/O schedulers have instead of `file`.
  std::string other_file;
  std::string other_value;

  bool operator==(const Setting&) const = default;
};

// What the plan depends on besides the resources: limits in force, where one of two that belong together is changed.
// The defaults are those of a new cgroup.
struct Current {
  std::uint64_t memory_limit = UINT64_MAX;  // v1 memory.limit_in_bytes, v2 memory.max
  std::uint64_t swap_limit = UINT64_MAX;    // v2 memory.swap.max
  std::string cpu_quota = "max";            // v2 cpu.max
  std::uint64_t cpu_period = 100000;
};

// Conversions of v1 values for v2, as runc 1.4 and crun do them. 0 means "not set" and stays 0.
std::uint64_t weight_from_shares(std::uint64_t shares);    // [2, 262144] -> [1, 10000], 1024 -> 100
std::uint64_t io_weight_from_blkio(std::uint16_t weight);  // [10, 1000] -> [1, 10000]

// Values that ask for nothing (absent or 0, where the spec says so) make no setting. On v2 swappiness,
// disableOOMKiller and the kernel memory limits have no file and are passed over, as runc does.
//   errors  unsupported: a controller that is asked for is not mounted; names it
//           invalid: out of range, or a combination that the kernel cannot do
Result<std::vector<Setting>> plan_settings(const oci::Resources& resources, const Placement& placement,
                                           const Current& current = {});

// Reads what plan_settings() needs for these resources; nothing when they change nothing by halves.
Result<Current> read_current(const oci::Resources& resources, const Placement& placement);

// The controllers that own the files written into this directory, each once.
std::vector<std::string> controllers_of(const std::vector<Setting>& settings, const Directory& directory);

//   errors  name file and value; EBUSY on a memory limit also the usage
Result<void> write_settings(const std::vector<Setting>& settings);

// memory.checkBeforeUpdate (v2): refuses a limit that is not above the present usage.
Result<void> check_memory_usage(const oci::Memory& memory, const Directory& directory);

}  // namespace caisson::cgroup

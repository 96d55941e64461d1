// What the container's process will be, in the kernel's own numbers: decided before anything is made.
// Layer: runtime (pure). Used by create, run and exec; applied by runtime/process_setup.h and child_stage.h.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "caisson/base/result.h"
#include "caisson/oci/process.h"

namespace caisson::runtime {

// Bit n is capability n.
struct CapabilityMasks {
  std::uint64_t bounding = 0, effective = 0, permitted = 0, inheritable = 0, ambient = 0;
  bool operator==(const CapabilityMasks&) const = default;
};

struct RlimitPlan {
  int resource = 0;
  std::uint64_t soft = 0, hard = 0;
};

struct SchedulerPlan {  // struct sched_attr without its size
  std::uint32_t policy = 0;
  std::uint64_t flags = 0;
  std::int32_t nice = 0;
  std::uint32_t priority = 0;
  std::uint64_t runtime = 0, deadline = 0, period = 0;  // nanoseconds
};

struct ProcessPlan {
  std::vector<std::string> args, env;
  std::string cwd;
  std::uint32_t uid = 0, gid = 0;
  std::vector<std::uint32_t> groups;
  std::optional<std::uint32_t> umask;
  CapabilityMasks capabilities;
  std::vector<RlimitPlan> rlimits;
  bool no_new_privileges = false;
  std::optional<int> oom_score_adj;
  std::string apparmor_profile, selinux_label;
  std::optional<SchedulerPlan> scheduler;
  std::optional<int> io_priority;                // as ioprio_set(2) takes it
  std::string initial_affinity, final_affinity;  // cpu lists
  bool terminal = false;
  std::optional<oci::ConsoleSize> console_size;
};

// Unknown capabilities are left out (capabilities(7) grows; runc ignores them too), and those not in `available`.
//   errors  invalid: an unknown rlimit, scheduler policy, flag or I/O class, naming the field
//   source  runtime-spec config.md "process"
Result<ProcessPlan> plan_process(const oci::Process& process, std::uint64_t available);

std::string to_text(const ProcessPlan& plan);

}  // namespace caisson::runtime

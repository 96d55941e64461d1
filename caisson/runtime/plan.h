// Everything that creating a container will do, decided from its config.json before anything is done.
// Layer: runtime (pure). Used by create and run, and printed by the `plan` command.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "caisson/base/result.h"
#include "caisson/oci/spec.h"
#include "caisson/runtime/mount_plan.h"
#include "caisson/runtime/net_devices.h"
#include "caisson/runtime/process_plan.h"
#include "caisson/runtime/rdt.h"

namespace caisson::runtime {

struct NamespaceJoin {
  std::uint64_t flag = 0;  // CLONE_NEW*
  std::string path;
};

struct NamespacePlan {
  std::uint64_t create = 0;         // CLONE_NEW*, without user
  std::vector<NamespaceJoin> join;  // without user
  bool create_user = false;
  std::string join_user;  // path
  std::vector<oci::IdMapping> uid_mappings, gid_mappings;
  std::string time_offsets;    // text for /proc/self/timens_offsets
  bool locked_mounts = false;  // mounts are made outside the user namespace, then locked (ADR 0006)

  bool has_user() const { return create_user || !join_user.empty(); }
  // Whether an intermediate process must prepare the namespaces that a process can only enter by a fork.
  bool needs_stage() const;
};

enum class RootKind : unsigned char { directory, idmapped, overlay };

struct RootPlan {
  RootKind kind = RootKind::directory;
  std::string path;                // absolute on the host
  std::vector<std::string> lower;  // overlay: the top one first
  std::string upper, work;
  std::vector<std::string> overlay_options;  // "metacopy=on", "userxattr": what the layers were written with
  bool readonly = false;
  unsigned long propagation = 0;  // MS_*, of "/" before and after; 0: rslave before, nothing after
};

struct DeviceNode {
  std::string path;
  std::uint32_t type = 0;  // S_IFCHR, S_IFBLK or S_IFIFO
  unsigned major = 0, minor = 0;
  std::uint32_t mode = 0666;
  std::uint32_t uid = 0, gid = 0;  // inside the container
};

struct MemoryPolicyPlan {
  int mode = 0;                      // MPOL_* with MPOL_F_*
  std::vector<unsigned long> nodes;  // bit mask
};

struct Plan {
  NamespacePlan namespaces;
  RootPlan root;
  std::vector<MountStep> mounts;
  std::vector<DeviceNode> devices;
  bool default_links = false;  // /dev/fd, /dev/stdin ... /dev/ptmx
  std::vector<std::string> readonly_paths, masked_paths;
  std::vector<std::pair<std::string, std::string>> sysctls;  // below /proc/sys, value
  std::string hostname, domainname;
  std::vector<oci::DeviceRule> device_rules;  // the whole list, defaults first
  bool delegate_cgroup = false;
  bool own_cgroup = false;  // v2: the container's user is to own it
  std::optional<unsigned long> personality;
  std::optional<MemoryPolicyPlan> memory_policy;
  std::vector<NetDeviceMove> net_devices;
  std::optional<RdtPlan> rdt;
  ProcessPlan process;
};

// Of the first process, and of each that is executed beside it.
Result<std::optional<unsigned long>> plan_personality(const oci::Spec& spec);

struct PlanFacts {
  std::string bundle;              // absolute
  std::uint64_t capabilities = 0;  // that the runtime itself may give away
};

//   errors  invalid: naming the field and what to do
Result<Plan> plan_container(const oci::Spec& spec, const PlanFacts& facts);

// One line a step, in the order of doing.
std::string to_text(const Plan& plan);

// The host id of a container's id, for files that are made from outside. errors: invalid: not mapped
Result<std::uint32_t> host_id(const std::vector<oci::IdMapping>& mappings, std::uint32_t id);

}  // namespace caisson::runtime

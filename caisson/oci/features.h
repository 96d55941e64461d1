// The `features` document (runtime-spec features.md): what the runtime can do, for engines to ask before they use it.
// Layer: oci (pure: a few facts in, JSON out). Used by the runtime's `features` command.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

namespace caisson::oci {

struct Features {
  bool cgroup_v1 = true;
  bool cgroup_v2 = true;
  bool cgroup_systemd = false;
  bool cgroup_systemd_user = false;
  bool cgroup_rdma = false;
  bool seccomp = true;
  std::vector<std::string> seccomp_supported_flags{};  // of seccomp_flags(), those this kernel takes
  bool apparmor = false;
  bool selinux = false;
  bool intel_rdt = false;
  bool idmapped_mounts = true;
  bool net_devices = false;
  std::map<std::string, std::string> annotations{};
  std::vector<std::string> unsafe_annotations{};  // potentiallyUnsafeConfigAnnotations
};

// Indented, as people read it too; no newline at the end. Hooks, mount options, namespaces, capabilities and seccomp
// names are the tables'.
std::string print_features(const Features& features);

}  // namespace caisson::oci

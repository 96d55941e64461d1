// config.json `linux`: namespaces, id maps, devices and everything else that only Linux has.
// Layer: oci (plain data). Used by runtime and nest.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "caisson/oci/id_mapping.h"
#include "caisson/oci/resources.h"
#include "caisson/oci/seccomp.h"

namespace caisson::oci {

enum class NamespaceType : unsigned char { mount, pid, network, uts, ipc, user, cgroup, time };

struct Namespace {
  NamespaceType type = NamespaceType::mount;
  std::string path{};  // empty: a new one
  bool operator==(const Namespace&) const = default;
};

struct Device {
  std::string type{};  // "c", "b", "u" or "p"
  std::string path{};
  std::int64_t major = 0;
  std::int64_t minor = 0;
  std::optional<std::uint32_t> file_mode{};
  std::optional<std::uint32_t> uid{};
  std::optional<std::uint32_t> gid{};
  bool operator==(const Device&) const = default;
};

struct NetDevice {
  std::string name{};  // its name inside; empty: keep
  bool operator==(const NetDevice&) const = default;
};

struct TimeOffset {
  std::int64_t secs = 0;
  std::uint32_t nanosecs = 0;
  bool operator==(const TimeOffset&) const = default;
};

struct TimeOffsets {
  std::optional<TimeOffset> monotonic{};
  std::optional<TimeOffset> boottime{};
  bool operator==(const TimeOffsets&) const = default;
};

struct IntelRdt {
  std::string clos_id{};
  std::vector<std::string> schemata{};
  std::string l3_cache_schema{};
  std::string mem_bw_schema{};
  bool enable_monitoring = false;
  bool operator==(const IntelRdt&) const = default;
};

struct Personality {
  std::string domain{};  // "LINUX" or "LINUX32"
  std::vector<std::string> flags{};
  bool operator==(const Personality&) const = default;
};

struct MemoryPolicy {
  std::string mode{};   // "MPOL_BIND"
  std::string nodes{};  // "0-1"
  std::vector<std::string> flags{};
  bool operator==(const MemoryPolicy&) const = default;
};

struct Linux {
  std::vector<Namespace> namespaces{};  // each type at most once
  std::vector<IdMapping> uid_mappings{};
  std::vector<IdMapping> gid_mappings{};
  std::optional<TimeOffsets> time_offsets{};
  std::vector<Device> devices{};
  std::map<std::string, NetDevice> net_devices{};  // by the name on the host
  std::string cgroups_path{};
  std::optional<Resources> resources{};
  std::string rootfs_propagation{};  // "private", "rslave" ...; empty: the runtime's default
  std::optional<Seccomp> seccomp{};
  std::map<std::string, std::string> sysctl{};  // names as written: see validate.h sysctl_path()
  std::vector<std::string> masked_paths{};
  std::vector<std::string> readonly_paths{};
  std::string mount_label{};
  std::optional<IntelRdt> intel_rdt{};
  std::optional<Personality> personality{};
  std::optional<MemoryPolicy> memory_policy{};
  bool operator==(const Linux&) const = default;

  // nullptr: the container shares the caller's.
  const Namespace* find(NamespaceType type) const {
    for (const Namespace& ns : namespaces) {
      if (ns.type == type) return &ns;
    }
    return nullptr;
  }
  bool has(NamespaceType type) const { return find(type) != nullptr; }
  // A namespace made for this container, not joined.
  bool creates(NamespaceType type) const {
    const Namespace* ns = find(type);
    return ns != nullptr && ns->path.empty();
  }
};

}  // namespace caisson::oci

// The checks of config.json's `linux` section: id maps, time, devices, paths, limits, sysctls.
// Layer: oci (pure). Used by validate.cc; sysctls, id maps and resources also by runtime.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/oci/validate_linux.h"

#include <algorithm>

#include "caisson/oci/kernel_names.h"
#include "caisson/oci/mount_options.h"
#include "caisson/oci/number_list.h"
#include "caisson/oci/quote.h"
#include "caisson/oci/validate.h"

namespace caisson::oci {
namespace {

constexpr std::size_t kMostMappings = 340;    // UID_GID_MAP_MAX_EXTENTS, since Linux 4.15
constexpr std::uint64_t kIdEnd = 0xffffffff;  // (uid_t)-1 is no id

Error invalid(std::string_view text) { return Error::of(Kind::invalid, text); }

bool overlap(std::uint64_t a, std::uint64_t a_size, std::uint64_t b, std::uint64_t b_size) {
  return a < b + b_size && b < a + a_size;
}

Result<void> validate_user_namespace(const Linux& linux) {
  bool has_mappings = !linux.uid_mappings.empty() || !linux.gid_mappings.empty();
  const Namespace* user = linux.find(NamespaceType::user);
  if (user == nullptr) {
    if (!has_mappings) return ok();
    return invalid("user namespace mappings specified, but user namespace isn't enabled in the config");
  }
  if (user->path.empty()) {
    if (!has_mappings) {
      return invalid("user namespaces enabled, but no namespace path to join nor mappings to apply specified");
    }
    if (linux.uid_mappings.empty()) return invalid("user namespaces enabled, but no uid mappings found");
    if (linux.gid_mappings.empty()) return invalid("user namespaces enabled, but no gid mappings found");
  }
  TRY(validate_id_mappings(linux.uid_mappings).during("uidMappings"));
  return validate_id_mappings(linux.gid_mappings).during("gidMappings");
}

Result<void> validate_time_namespace(const Linux& linux) {
  if (!linux.time_offsets || *linux.time_offsets == TimeOffsets()) return ok();
  const Namespace* time = linux.find(NamespaceType::time);
  if (time == nullptr) {
    return invalid("time namespace offsets specified, but time namespace isn't enabled in the config");
  }
  if (!time->path.empty()) {
    return invalid(
        "time namespace enabled, but both namespace path and time offsets specified -- you may only provide one");
  }
  for (const auto& offset : {linux.time_offsets->monotonic, linux.time_offsets->boottime}) {
    if (offset && offset->nanosecs >= 1000000000) return invalid("time namespace offsets: nanosecs must be below 10^9");
  }
  return ok();
}

Result<void> validate_absolute(const std::vector<std::string>& paths, std::string_view name) {
  for (const std::string& path : paths) {
    if (!path.starts_with('/')) return invalid(std::string(name) + ": " + quote(path) + " must be an absolute path");
  }
  return ok();
}

// What the kernel's dev_valid_name takes: these become names in sysfs.
bool is_device_name(std::string_view name) {
  return !name.empty() && name.size() < 16 && name != "." && name != ".." &&
         name.find_first_of("/: \t\n\v\f\r") == std::string_view::npos;
}

Result<void> validate_devices(const Linux& linux) {
  for (const Device& device : linux.devices) {
    if (!device.path.starts_with('/')) return invalid("device path " + quote(device.path) + " must be absolute");
    bool numbered = device.type != "p";
    if (numbered && (device.major < 0 || device.minor < 0)) {
      return invalid("device " + quote(device.path) + ": major and minor must not be negative");
    }
  }
  for (const auto& [name, device] : linux.net_devices) {
    if (!is_device_name(name)) return invalid("invalid network device name " + quote(name));
    if (!device.name.empty() && !is_device_name(device.name)) {
      return invalid("invalid network device name " + quote(device.name));
    }
  }
  return ok();
}

Result<void> validate_rdt(const IntelRdt& rdt) {
  if (rdt.clos_id == "." || rdt.clos_id == ".." || rdt.clos_id.find('/') != std::string::npos) {
    return invalid("invalid intelRdt.ClosID " + quote(rdt.clos_id));
  }
  return ok();
}

Result<void> validate_memory_policy(const MemoryPolicy& policy) {
  if (!number_of(memory_policies(), policy.mode)) return invalid("invalid memory policy mode: " + quote(policy.mode));
  for (const std::string& flag : policy.flags) {
    if (!number_of(memory_policy_flags(), flag)) return invalid("invalid memory policy flag: " + quote(flag));
  }
  TRY(parse_number_list(policy.nodes).during("memoryPolicy.nodes"));
  return ok();
}

// Components of the kernel's own names, and interface names below net/.
bool is_sysctl_component(std::string_view name) {
  if (name.empty() || name.find_first_not_of('.') == std::string_view::npos) return false;
  return std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.' || c == ':' || c == '@';
  });
}

bool is_sysctl_path(std::string_view path) {
  while (true) {
    std::size_t slash = path.find('/');
    if (!is_sysctl_component(path.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
}

bool is_ipc_sysctl(std::string_view path) {
  static constexpr std::string_view kNames[] = {
      "kernel/msgmax", "kernel/msgmnb", "kernel/msgmni", "kernel/sem",
      "kernel/shmall", "kernel/shmmax", "kernel/shmmni", "kernel/shm_rmid_forced",
  };
  return path.starts_with("fs/mqueue/") || std::ranges::find(kNames, path) != std::end(kNames);
}

}  // namespace

Result<void> validate_id_mappings(const std::vector<IdMapping>& mappings) {
  if (mappings.size() > kMostMappings) return invalid("more than 340 id mappings");
  for (std::size_t i = 0; i < mappings.size(); ++i) {
    const IdMapping& m = mappings[i];
    if (m.size == 0) return invalid("an id mapping must not have size 0");
    std::uint64_t size = m.size;
    if (m.container_id + size > kIdEnd || m.host_id + size > kIdEnd) {
      return invalid("an id mapping must not go beyond the last id");
    }
    for (std::size_t j = 0; j < i; ++j) {
      const IdMapping& other = mappings[j];
      if (overlap(m.container_id, size, other.container_id, other.size) ||
          overlap(m.host_id, size, other.host_id, other.size)) {
        return invalid("id mappings must not overlap");
      }
    }
  }
  return ok();
}

Result<std::string> sysctl_path(std::string_view name) {
  std::size_t first = name.find_first_of("./");
  bool dots = first != std::string_view::npos && name[first] == '.';
  std::string path(name);
  if (dots) {
    for (char& c : path) c = c == '.' ? '/' : c == '/' ? '.' : c;
  }
  if (!is_sysctl_path(path)) return invalid("sysctl " + quote(name) + " is not in a separate kernel namespace");
  return path;
}

Result<void> validate_sysctl(const Linux& linux) {
  for (const auto& [name, value] : linux.sysctl) {
    std::string path = TRY(sysctl_path(name));
    if (is_ipc_sysctl(path)) {
      if (linux.has(NamespaceType::ipc)) continue;
      return invalid("sysctl " + quote(name) + " is not allowed in the hosts ipc namespace");
    }
    if (path.starts_with("net/")) {
      if (linux.has(NamespaceType::network)) continue;
      return invalid("sysctl " + quote(name) + " not allowed in host network namespace");
    }
    if (linux.has(NamespaceType::uts)) {
      if (path == "kernel/domainname") continue;
      if (path == "kernel/hostname") {
        return invalid("sysctl " + quote(name) + " is not allowed as it conflicts with the OCI \"hostname\" field");
      }
    }
    return invalid("sysctl " + quote(name) + " is not in a separate kernel namespace");
  }
  return ok();
}

Result<void> validate_resources(const Resources& resources) {
  for (std::size_t i = 0; i < resources.devices.size(); ++i) {
    const DeviceRule& rule = resources.devices[i];
    if (rule.access.empty()) return invalid("device access at " + std::to_string(i) + " field cannot be empty");
    if (rule.access.find_first_not_of("rwm") != std::string::npos) {
      return invalid("invalid device access " + quote(rule.access));
    }
    if (!rule.type.empty() && rule.type != "a" && rule.type != "b" && rule.type != "c") {
      return invalid("invalid cgroup device type " + quote(rule.type));
    }
  }
  for (const auto& [key, value] : resources.unified) {
    if (key.empty() || key == "." || key == ".." || key.find('/') != std::string::npos) {
      return invalid("unified resource " + quote(key) + " must be a file name without any slashes");
    }
  }
  if (resources.memory && resources.memory->swappiness.value_or(0) > 100) {
    return invalid("invalid memory swappiness value: " + std::to_string(*resources.memory->swappiness) +
                   " (valid range is 0-100)");
  }
  return ok();
}

Result<void> validate_linux(const Linux& linux) {
  if (!linux.rootfs_propagation.empty() && propagation_flags(linux.rootfs_propagation) == 0) {
    return invalid("rootfsPropagation=" + linux.rootfs_propagation + " is not supported");
  }
  TRY(validate_user_namespace(linux));
  TRY(validate_time_namespace(linux));
  TRY(validate_sysctl(linux));
  TRY(validate_absolute(linux.masked_paths, "maskedPaths"));
  TRY(validate_absolute(linux.readonly_paths, "readonlyPaths"));
  TRY(validate_devices(linux));
  if (linux.resources) TRY(validate_resources(*linux.resources));
  if (linux.intel_rdt) TRY(validate_rdt(*linux.intel_rdt));
  if (linux.personality && !number_of(personalities(), linux.personality->domain)) {
    return invalid("invalid personality domain " + linux.personality->domain);
  }
  if (linux.memory_policy) TRY(validate_memory_policy(*linux.memory_policy));
  return ok();
}

}  // namespace caisson::oci

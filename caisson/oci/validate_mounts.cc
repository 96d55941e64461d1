// The checks of config.json's mounts, and those for a caller that is not root.
// Layer: oci (pure). Used by validate.cc and runtime.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>

#include "caisson/oci/guest_path.h"
#include "caisson/oci/mount_options.h"
#include "caisson/oci/quote.h"
#include "caisson/oci/validate.h"

namespace caisson::oci {
namespace {

Error invalid(std::string_view text) { return Error::of(Kind::invalid, text); }

Result<void> validate_idmap(const Mount& mount, const MountOptions& options, const Linux& linux) {
  bool has_mappings = !mount.uid_mappings.empty() || !mount.gid_mappings.empty();
  if (!has_mappings && options.idmap == Idmap::none) return ok();
  if (!is_bind(mount, options)) return invalid("id-mapped mounts are only supported for bind-mounts");
  if (has_mappings) {
    if (mount.uid_mappings.empty() || mount.gid_mappings.empty()) {
      return invalid("id-mapped mounts must have both uid and gid mappings specified");
    }
    TRY(validate_id_mappings(mount.uid_mappings).during("uidMappings"));
    return validate_id_mappings(mount.gid_mappings).during("gidMappings");
  }
  // Without maps of its own, the mount takes those of the container's user namespace.
  if (!linux.has(NamespaceType::user)) {
    return invalid("id-mapped mounts must have both uid and gid mappings specified");
  }
  return ok();
}

// An id that no range holds. Texts that are not numbers are the file system's business.
bool is_unmapped(std::string_view text, const std::vector<IdMapping>& mappings) {
  std::uint32_t id = 0;
  auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (text.empty() || problem != std::errc() || end != text.data() + text.size()) return false;
  return std::ranges::none_of(
      mappings, [id](const IdMapping& m) { return id >= m.container_id && id - m.container_id < m.size; });
}

Result<void> validate_mapped_options(const Mount& mount, const Linux& linux) {
  for (std::string_view option : mount.options) {
    bool uid = option.starts_with("uid=");
    if (!uid && !option.starts_with("gid=")) continue;
    if (is_unmapped(option.substr(4), uid ? linux.uid_mappings : linux.gid_mappings)) {
      return invalid("cannot specify " + std::string(option) +
                     " mount option for rootless container: it is not mapped");
    }
  }
  return ok();
}

}  // namespace

Result<void> validate_proc_destination(std::string_view destination, const Mount& mount) {
  // What lxcfs and CRI-O put there; everything else could redirect the runtime's own writes or hide a mask.
  static constexpr std::string_view kAllowed[] = {
      "/proc/cpuinfo",
      "/proc/diskstats",
      "/proc/meminfo",
      "/proc/stat",
      "/proc/swaps",
      "/proc/uptime",
      "/proc/loadavg",
      "/proc/slabinfo",
      "/proc/net/dev",
      "/proc/sys/kernel/ns_last_pid",
      "/proc/sys/crypto/fips_enabled",
  };
  if (!is_within("/proc", destination)) return ok();
  if (destination == "/proc") {
    if (mount.type == "proc" || is_bind(mount, parse_mount_options(mount.options))) return ok();
    return invalid(quote(destination) + " cannot be mounted because it is not of type proc");
  }
  if (std::ranges::find(kAllowed, destination) != std::end(kAllowed)) return ok();
  // Whoever writes config.json says that this one is meant to be there.
  if (is_bind(mount, parse_mount_options(mount.options)) && parse_mount_options(mount.options).view) return ok();
  return invalid(quote(destination) + " cannot be mounted because it is inside /proc");
}

Result<void> validate_mount(const Mount& mount, const Linux& linux) {
  std::string step = "invalid mount " + quote(mount.destination);
  if (mount.destination.empty()) return invalid(step + ": destination must not be empty");
  MountOptions options = parse_mount_options(mount.options);
  if (is_bind(mount, options) && !options.data.empty()) {
    return invalid(step + ": bind mounts cannot have any filesystem-specific options applied");
  }
  TRY(validate_idmap(mount, options, linux).during(step));
  return validate_proc_destination(clean_guest_path(mount.destination), mount).during(step);
}

Result<void> validate_rootless(const Spec& spec) {
  const Linux& linux = spec.linux;
  if (!linux.has(NamespaceType::user)) return invalid("rootless container requires user namespaces");
  if (!linux.creates(NamespaceType::user)) return ok();
  if (linux.uid_mappings.empty()) return invalid("rootless containers requires at least one UID mapping");
  if (linux.gid_mappings.empty()) return invalid("rootless containers requires at least one GID mapping");
  for (const Mount& mount : spec.mounts) TRY(validate_mapped_options(mount, linux));
  return ok();
}

}  // namespace caisson::oci

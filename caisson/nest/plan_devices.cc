// Device nodes, device rules, masked and read-only paths of a nest.
// Layer: nest (pure). Declared in plan.h.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <span>

#include "caisson/nest/plan.h"

namespace caisson::nest {
namespace {

using oci::Device;
using oci::DeviceRule;

// Nodes a nest has beyond a plain container's. Without its grant /dev/kmsg is /dev/null's number: what is written there
// (systemd, kubelet) is lost, and the host's kernel log is not shown.
std::vector<Device> own_devices(const Facts& facts) {
  const GrantSet& grants = facts.terms.grants;
  std::vector<Device> out;
  if (grants.has(Grant::fuse)) out.push_back({"c", "/dev/fuse", 10, 229, 0666, 0, 0});
  if (grants.has(Grant::tun)) out.push_back({"c", "/dev/net/tun", 10, 200, 0666, 0, 0});
  if (!grants.has(Grant::kmsg)) out.push_back({"c", "/dev/kmsg", 1, 3, 0644, 0, 0});
  out.insert(out.end(), facts.granted.begin(), facts.granted.end());
  return out;
}

DeviceRule rule(const char* type, std::int64_t major, std::int64_t minor, const char* access) {
  DeviceRule out{.allow = true, .type = type, .major = {}, .minor = {}, .access = access};
  if (major >= 0) out.major = major;
  if (minor >= 0) out.minor = minor;
  return out;
}

// What a plain container may use, and what its grants name.
std::vector<DeviceRule> own_rules(const Facts& facts) {
  std::vector<DeviceRule> out = {
      rule("c", -1, -1, "m"), rule("b", -1, -1, "m"), rule("c", 1, 3, "rwm"),    rule("c", 1, 5, "rwm"),
      rule("c", 1, 7, "rwm"), rule("c", 1, 8, "rwm"), rule("c", 1, 9, "rwm"),    rule("c", 5, 0, "rwm"),
      rule("c", 5, 1, "rwm"), rule("c", 5, 2, "rwm"), rule("c", 136, -1, "rwm"),
  };
  if (facts.terms.grants.has(Grant::tun)) out.push_back(rule("c", 10, 200, "rwm"));
  if (facts.terms.grants.has(Grant::fuse)) out.push_back(rule("c", 10, 229, "rwm"));
  for (const Device& device : facts.granted)
    out.push_back(rule(device.type.c_str(), device.major, device.minor, "rwm"));
  return out;
}

bool any(const std::optional<std::int64_t>& number) { return !number || *number < 0; }
bool every_type(const DeviceRule& r) { return r.type.empty() || r.type == "a"; }
bool whole_access(const DeviceRule& r) { return r.access.empty() || r.access.find_first_of("rw") != std::string::npos; }

// "Every device": how --privileged says it. Never given: it is the host's.
bool is_blanket(const DeviceRule& r) { return r.allow && any(r.major) && any(r.minor) && whole_access(r); }
bool denies_all(const DeviceRule& r) { return !r.allow && every_type(r) && any(r.major) && any(r.minor); }

// In a user namespace that was there before, nobody of the host's makes nodes: each is the host's own, bound.
void give_host_node(oci::Spec& spec, const Device& device, const Facts& facts, std::vector<std::string>& warnings) {
  if (std::ranges::find(facts.absent_devices, device.path) != facts.absent_devices.end()) {
    warnings.push_back(device.path + " is not given: this host has none");
  } else if (device.path == "/dev/kmsg" && device.minor == 3) {
    spec.mounts.push_back({.destination = device.path,
                           .type = "bind",
                           .source = "/dev/null",
                           .options = {"bind", "nosuid", "noexec"},
                           .uid_mappings = {},
                           .gid_mappings = {}});
  } else {
    spec.linux.devices.push_back(device);
  }
}

}  // namespace

void plan_devices(oci::Spec& spec, Owner owner, const Facts& facts, std::vector<std::string>& warnings) {
  oci::Linux& linux = spec.linux;
  if (!linux.resources) linux.resources.emplace();
  std::vector<DeviceRule>& rules = linux.resources->devices;
  if (std::ranges::any_of(rules, is_blanket)) {
    std::erase_if(rules, is_blanket);
    linux.devices.clear();
    warnings.emplace_back("the host's devices are not given: --privileged is confined to the nest");
  }
  if (rules.empty() || !denies_all(rules.front()))
    rules.insert(rules.begin(), DeviceRule{.allow = false, .type = {}, .major = {}, .minor = {}, .access = "rwm"});
  for (DeviceRule& given : own_rules(facts)) rules.push_back(std::move(given));

  for (const Device& device : own_devices(facts)) {
    const auto taken = [&](const auto& entry) { return clean_path(entry.path) == device.path; };
    const auto bound = [&](const oci::Mount& mount) { return clean_path(mount.destination) == device.path; };
    if (std::ranges::any_of(linux.devices, taken) || std::ranges::any_of(spec.mounts, bound)) continue;
    if (owner == Owner::caller_joined) {
      give_host_node(spec, device, facts, warnings);
    } else {
      linux.devices.push_back(device);
    }
  }
}

namespace {

// Covered in profile `hardened`, whatever the caller says. At least one of each file system is in every kernel: with it
// the kernel lets nobody inside mount another proc or sysfs. source: mount_too_revealing() in fs/namespace.c
constexpr std::string_view hardened_masks[] = {
    "/proc/acpi",    "/proc/asound",     "/proc/kallsyms",      "/proc/kcore",
    "/proc/keys",    "/proc/kmsg",       "/proc/latency_stats", "/proc/sched_debug",
    "/proc/scsi",    "/proc/timer_list", "/proc/timer_stats",   "/sys/devices/virtual/powercap",
    "/sys/firmware",
};
constexpr std::string_view hardened_read_only[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sysrq-trigger"};

void add_missing(std::vector<std::string>& paths, std::span<const std::string_view> added) {
  for (const std::string_view path : added)
    if (std::ranges::none_of(paths, [&](const std::string& p) { return clean_path(p) == path; }))
      paths.emplace_back(path);
}

}  // namespace

// A cover over a part of /proc that the user namespace guards anyway only stands in an inner engine's way.
void plan_paths(oci::Linux& linux, Init init, Profile profile) {
  constexpr std::string_view whole[] = {"/proc", "/proc/sys", "/sys", "/sys/fs", "/sys/fs/cgroup"};
  constexpr std::string_view guarded[] = {"/proc/kcore", "/proc/kallsyms", "/proc/kmsg"};
  constexpr std::string_view systemd[] = {"/run", "/run/lock", "/tmp", "/sys/kernel"};
  const auto unwanted = [&](const std::string& path) {
    const std::string at = clean_path(path);
    const auto is_in = [&](std::span<const std::string_view> list) {
      return std::ranges::find(list, at) != list.end();
    };
    if (is_in(whole) || (init == Init::systemd && is_in(systemd))) return true;
    if (profile == Profile::minimal) return is_at_or_below(at, "/proc") || is_at_or_below(at, "/sys");
    return profile == Profile::compat && is_in(guarded);
  };
  std::erase_if(linux.masked_paths, unwanted);
  std::erase_if(linux.readonly_paths, unwanted);
  if (profile != Profile::hardened) return;
  add_missing(linux.masked_paths, hardened_masks);
  add_missing(linux.readonly_paths, hardened_read_only);
}

}  // namespace caisson::nest

// The config.json that the `spec` command writes: runc's, so that existing instructions and scripts work.
// Layer: oci (pure). Used by the runtime's `spec` command and by tests.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/oci/default_spec.h"

#include "caisson/oci/state.h"

namespace caisson::oci {
namespace {

Process default_process() {
  const std::vector<std::string> kept = {"CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"};
  Process process;
  process.terminal = true;
  process.args = {"sh"};
  process.env = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"};
  process.cwd = "/";
  process.capabilities = {.bounding = kept, .effective = kept, .permitted = kept};
  process.rlimits = {{"RLIMIT_NOFILE", 1024, 1024}};
  process.no_new_privileges = true;
  return process;
}

std::vector<Mount> default_mounts() {
  return {
      {.destination = "/proc", .type = "proc", .source = "proc"},
      {.destination = "/dev",
       .type = "tmpfs",
       .source = "tmpfs",
       .options = {"nosuid", "strictatime", "mode=755", "size=65536k"}},
      {.destination = "/dev/pts",
       .type = "devpts",
       .source = "devpts",
       .options = {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
      {.destination = "/dev/shm",
       .type = "tmpfs",
       .source = "shm",
       .options = {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}},
      {.destination = "/dev/mqueue", .type = "mqueue", .source = "mqueue", .options = {"nosuid", "noexec", "nodev"}},
      {.destination = "/sys", .type = "sysfs", .source = "sysfs", .options = {"nosuid", "noexec", "nodev", "ro"}},
      {.destination = "/sys/fs/cgroup",
       .type = "cgroup",
       .source = "cgroup",
       .options = {"nosuid", "noexec", "nodev", "relatime", "ro"}},
  };
}

}  // namespace

Spec default_spec() {
  Spec spec;
  spec.version = kVersion;
  spec.process = default_process();
  spec.root = {"rootfs", true};
  spec.hostname = "caisson";
  spec.mounts = default_mounts();
  Linux& linux = spec.linux;
  linux.resources = Resources{.devices = {{.allow = false, .access = "rwm"}}};
  for (NamespaceType type : {NamespaceType::pid, NamespaceType::network, NamespaceType::ipc, NamespaceType::uts,
                             NamespaceType::mount, NamespaceType::cgroup}) {
    linux.namespaces.push_back({type});
  }
  linux.masked_paths = {"/proc/acpi",
                        "/proc/asound",
                        "/proc/kcore",
                        "/proc/keys",
                        "/proc/latency_stats",
                        "/proc/timer_list",
                        "/proc/timer_stats",
                        "/proc/sched_debug",
                        "/sys/firmware",
                        "/proc/scsi",
                        "/sys/devices/virtual/tpm"};
  linux.readonly_paths = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};
  return spec;
}

Spec rootless_spec(std::uint32_t uid, std::uint32_t gid) {
  Spec spec = default_spec();
  Linux& linux = spec.linux;
  std::erase_if(linux.namespaces, [](const Namespace& ns) { return ns.type == NamespaceType::network; });
  linux.namespaces.push_back({NamespaceType::user});
  linux.uid_mappings = {{0, uid, 1}};
  linux.gid_mappings = {{0, gid, 1}};
  linux.resources.reset();
  for (Mount& mount : spec.mounts) {
    if (mount.destination == "/sys") {
      // A new sysfs needs a network namespace that belongs to the container's user namespace.
      mount = {.destination = "/sys",
               .type = "none",
               .source = "/sys",
               .options = {"rbind", "nosuid", "noexec", "nodev", "ro"}};
    }
    std::erase_if(mount.options, [](const std::string& o) { return o.starts_with("gid=") || o.starts_with("uid="); });
  }
  return spec;
}

}  // namespace caisson::oci

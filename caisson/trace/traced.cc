#include "caisson/trace/traced.h"

#include <algorithm>

#include "caisson/nest/trapped.h"
#include "caisson/procview/table.h"

namespace caisson::trace {
namespace {

using nest::Grant;

constexpr char any[] = "any";
constexpr char host[] = "host";
constexpr char admin[] = "CAP_SYS_ADMIN";
constexpr char network[] = "CAP_NET_ADMIN";

constexpr TracedCall table[] = {
    // Of nest's tables: what serves them is theirs to say.
    {"mount", Asks::always, "", "spsx-"},
    {"umount", Asks::always, "", "p"},
    {"umount2", Asks::always, "", "px"},
    {"pivot_root", Asks::always, "", "pp"},
    {"fsopen", Asks::always, "", "sx"},
    {"fsconfig", Asks::always, "", "fis-i"},
    {"fsmount", Asks::always, "", "fxx"},
    {"fspick", Asks::always, "", "@px"},
    {"open_tree", Asks::always, "", "@px"},
    {"open_tree_attr", Asks::always, "", "@px"},
    {"move_mount", Asks::always, "", "@p@px"},
    {"mount_setattr", Asks::always, "", "@px"},
    {"listmount", Asks::never, "", ""},
    {"statmount", Asks::never, "", ""},
    {"mknod", Asks::device_node, "", "poD"},
    {"mknodat", Asks::device_node, "", "@poD"},
    {"setrlimit", Asks::hard_limit, "", "i"},
    {"prlimit64", Asks::hard_limit, "", "ii"},
    {"setpriority", Asks::lower_nice, "", "iii"},
    {"init_module", Asks::always, "", "-is"},
    {"finit_module", Asks::always, "", "fsx"},
    {"setxattr", Asks::trusted_attribute, "", "ps"},
    {"lsetxattr", Asks::trusted_attribute, "", "ps"},
    {"fsetxattr", Asks::trusted_attribute, "", "fs"},
    {"getxattr", Asks::trusted_attribute, "", "ps"},
    {"lgetxattr", Asks::trusted_attribute, "", "ps"},
    {"fgetxattr", Asks::trusted_attribute, "", "fs"},
    {"removexattr", Asks::trusted_attribute, "", "ps"},
    {"lremovexattr", Asks::trusted_attribute, "", "ps"},
    {"fremovexattr", Asks::trusted_attribute, "", "fs"},
    {"listxattr", Asks::never, "", ""},
    {"llistxattr", Asks::never, "", ""},
    {"flistxattr", Asks::never, "", ""},
    {"sysinfo", Asks::never, "", ""},
    {"bpf", Asks::always, "", "i"},
    // By a capability that a grant gives.
    {"delete_module", Asks::always, "CAP_SYS_MODULE", "sx"},
    {"unshare", Asks::namespaces, admin, "x"},
    {"setns", Asks::always, admin, "fx"},
    {"clone", Asks::namespaces_clone, admin, "x"},
    {"clone3", Asks::namespaces_clone3, admin, ""},
    {"sethostname", Asks::always, admin, "-i"},
    {"setdomainname", Asks::always, admin, "-i"},
    {"ioctl", Asks::sets_interface, network, "fx"},
    {"setsockopt", Asks::firewall, network, "fii"},
    {"socket", Asks::socket, network, "iii"},
    {"sendto", Asks::netlink, network, "f"},
    {"sendmsg", Asks::netlink, network, "f"},
    // By what it is that is opened, made or kept.
    {"capset", Asks::capabilities, "", ""},
    {"open", Asks::opens, "", "pxo"},
    {"creat", Asks::opens, "", "po"},
    {"openat", Asks::opens, "", "@pxo"},
    {"openat2", Asks::opens, "", "@p"},
    {"mkdir", Asks::makes_directory, "", "po"},
    {"mkdirat", Asks::makes_directory, "", "@po"},
    // What the root of any container may do.
    {"chroot", Asks::always, any, "p"},
    {"chown", Asks::always, any, "pii"},
    {"lchown", Asks::always, any, "pii"},
    {"fchown", Asks::always, any, "fii"},
    {"fchownat", Asks::always, any, "@piix"},
    // What is the host's.
    {"sched_setscheduler", Asks::real_time, host, "ii"},
    {"ioprio_set", Asks::real_time, host, "iix"},
    {"swapon", Asks::always, host, "px"},
    {"swapoff", Asks::always, host, "p"},
    {"settimeofday", Asks::always, host, ""},
    {"clock_settime", Asks::always, host, "i"},
    {"reboot", Asks::always, host, "xxx"},
    {"kexec_load", Asks::always, host, ""},
    {"kexec_file_load", Asks::always, host, "ff"},
    {"acct", Asks::always, host, "p"},
    {"quotactl", Asks::always, host, "xs"},
    {"iopl", Asks::always, host, "i"},
    {"ioperm", Asks::always, host, "xii"},
    {"perf_event_open", Asks::always, host, "-iiix"},
    {"open_by_handle_at", Asks::always, host, "f-x"},
};

std::string name_of(Grant grant) {
  const auto row = std::ranges::find_if(nest::grants(), [&](const nest::GrantRow& r) { return r.grant == grant; });
  return row == nest::grants().end() ? "" : row->name;
}

Served by_grant(Grant grant) { return {.by = Served::By::grant, .grant = grant, .name = name_of(grant)}; }

bool has(std::span<const char* const> list, std::string_view word) {
  return std::ranges::find(list, word) != list.end();
}

// What a plain container has, and terminals.
bool is_plain_device(std::string_view path) {
  constexpr std::string_view plain[] = {"/dev/null", "/dev/zero",    "/dev/full", "/dev/random",
                                        "/dev/tty",  "/dev/urandom", "/dev/ptmx", "/dev/console"};
  return std::ranges::find(plain, path) != std::end(plain) || path.starts_with("/dev/pts/") ||
         path.starts_with("/dev/shm/") || path.starts_with("/dev/fd/");
}

// A value that a nest has of its own by its view: all others are the kernel's to give to a namespace, or the host's.
bool is_virtual(std::string_view path) {
  return std::ranges::any_of(procview::table(), [&](const procview::Row& row) {
    return row.content != procview::Content::directory && row.path == path.substr(1);
  });
}

// What the kernel has for each network, IPC, UTS, pid or user namespace: its root's to write.
bool is_namespaced(std::string_view path) {
  constexpr std::string_view below[] = {
      "/proc/sys/net/",       "/proc/sys/user/",      "/proc/sys/fs/mqueue/",  "/proc/sys/kernel/shm",
      "/proc/sys/kernel/msg", "/proc/sys/kernel/sem", "/proc/sys/kernel/host", "/proc/sys/kernel/domainname"};
  return std::ranges::any_of(below, [&](std::string_view start) { return path.starts_with(start); });
}

}  // namespace

std::span<const TracedCall> traced_calls() { return table; }

Served served_by_capability(std::string_view capability) {
  if (capability == any) return {.by = Served::By::anybody, .grant = Grant::always, .name = ""};
  for (const nest::GrantRow& row : nest::grants())
    if (has(row.capabilities, capability)) return by_grant(row.grant);
  return {};
}

Served served(const TracedCall& call) {
  for (const nest::TrappedCall& trapped : nest::trapped_calls())
    if (trapped.grant != Grant::always && call.name == std::string_view(trapped.name)) return by_grant(trapped.grant);
  for (const nest::GrantRow& row : nest::grants())
    if (has(row.calls, call.name)) return by_grant(row.grant);
  return served_by_capability(call.capability);
}

std::optional<Served> served_path(std::string_view path, bool is_device) {
  if (path.starts_with("/sys/fs/cgroup/")) return by_grant(Grant::cgroup);
  if (path.starts_with("/proc/sys/") || path.starts_with("/sys/module/")) {
    if (is_virtual(path)) return by_grant(Grant::sysctl);
    if (is_namespaced(path)) return Served{.by = Served::By::anybody, .grant = Grant::always, .name = ""};
    return Served();
  }
  if (path.starts_with("/sys/") && !path.starts_with("/sys/fs/")) return Served();
  if (!is_device || !path.starts_with("/dev/") || is_plain_device(path)) return std::nullopt;
  for (const nest::GrantRow& row : nest::grants())
    if (has(row.devices, path)) return by_grant(row.grant);
  Served device = by_grant(Grant::device);
  device.name = "device:" + std::string(path);
  return device;
}

}  // namespace caisson::trace

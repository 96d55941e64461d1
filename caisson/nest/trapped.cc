#include "caisson/nest/trapped.h"

#include <linux/mount.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <string_view>

#include "caisson/nest/handlers/handlers.h"

namespace caisson::nest {
namespace {

// Of the new mount API move_mount is enough: what fsmount gives is the kernel's own, and nothing was found that needs
// another answer of open_tree, fspick or mount_setattr. A mount's descriptor is O_PATH, which SECCOMP_IOCTL_NOTIF_ADDFD
// does not take: profile `hardened` has fsopen answered with ENOSYS instead (plan_seccomp.cc).
constexpr TrappedCall table[] = {
    {"mknod", When::device_node, Grant::mknod, handle_mknod, "makes the device nodes that a nest may have"},
    {"mknodat", When::device_node_at, Grant::mknod, handle_mknodat, "makes the device nodes that a nest may have"},
    {"mount", When::new_filesystem, Grant::mount, handle_mount, "a new proc or sysfs shows the nest's view"},
    {"move_mount", When::by_descriptor, Grant::mount, handle_move_mount,
     "a new proc or sysfs that is not mounted yet shows the nest's view"},
    {"umount2", When::not_detaching, Grant::mount, handle_umount,
     "a proc or sysfs goes together with the view over it"},
    {"umount", When::always, Grant::mount, handle_umount, "the same, by 32-bit programs' old call"},
    {"setrlimit", When::always, Grant::rlimit, handle_setrlimit, "raises hard limits up to the supervisor's own"},
    {"prlimit64", When::new_limit, Grant::rlimit, handle_prlimit,
     "raises hard limits, also of another process of the nest"},
    {"setpriority", When::always, Grant::priority, handle_setpriority, "niceness down to -10"},
    {"init_module", When::always, Grant::modules, handle_init_module,
     "succeeds if the host's kernel has the module, loaded or built in; none is ever loaded"},
    {"finit_module", When::always, Grant::modules, handle_finit_module,
     "succeeds if the host's kernel has the module, loaded or built in; none is ever loaded"},
    {"setxattr", When::always, Grant::trusted_xattr, handle_setxattr<Named::by_path>,
     "sets trusted.overlay.* of the nest's files"},
    {"lsetxattr", When::always, Grant::trusted_xattr, handle_setxattr<Named::link>,
     "sets trusted.overlay.* of the nest's files"},
    {"fsetxattr", When::always, Grant::trusted_xattr, handle_setxattr<Named::by_descriptor>,
     "sets trusted.overlay.* of the nest's files"},
    {"getxattr", When::always, Grant::trusted_xattr, handle_getxattr<Named::by_path>, "reads trusted.overlay.*"},
    {"lgetxattr", When::always, Grant::trusted_xattr, handle_getxattr<Named::link>, "reads trusted.overlay.*"},
    {"fgetxattr", When::always, Grant::trusted_xattr, handle_getxattr<Named::by_descriptor>, "reads trusted.overlay.*"},
    {"removexattr", When::always, Grant::trusted_xattr, handle_removexattr<Named::by_path>,
     "removes trusted.overlay.*"},
    {"lremovexattr", When::always, Grant::trusted_xattr, handle_removexattr<Named::link>, "removes trusted.overlay.*"},
    {"fremovexattr", When::always, Grant::trusted_xattr, handle_removexattr<Named::by_descriptor>,
     "removes trusted.overlay.*"},
    {"listxattr", When::always, Grant::trusted_xattr, handle_listxattr<Named::by_path>,
     "lists trusted.overlay.* with the others"},
    {"llistxattr", When::always, Grant::trusted_xattr, handle_listxattr<Named::link>,
     "lists trusted.overlay.* with the others"},
    {"flistxattr", When::always, Grant::trusted_xattr, handle_listxattr<Named::by_descriptor>,
     "lists trusted.overlay.* with the others"},
    {"sysinfo", When::always, Grant::always, handle_sysinfo, "memory, uptime and load of the nest"},
};

constexpr std::uint64_t attaching = MS_BIND | MS_MOVE | MS_REMOUNT | MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE;

oci::SyscallRule rule(const TrappedCall& call, const char* action, std::vector<oci::SyscallArg> args) {
  return {.names = {call.name}, .action = action, .errno_ret = {}, .args = std::move(args)};
}
oci::SyscallRule trap(const TrappedCall& call, std::vector<oci::SyscallArg> args) {
  return rule(call, "SCMP_ACT_NOTIFY", std::move(args));
}
oci::SyscallRule pass(const TrappedCall& call, std::vector<oci::SyscallArg> args) {
  return rule(call, "SCMP_ACT_ALLOW", std::move(args));
}
oci::SyscallArg masked(std::uint32_t index, std::uint64_t mask, std::uint64_t value) {
  return {.index = index, .value = mask, .value_two = value, .op = "SCMP_CMP_MASKED_EQ"};
}
oci::SyscallArg compared(std::uint32_t index, const char* op, std::uint64_t value) {
  return {.index = index, .value = value, .value_two = 0, .op = op};
}

// `mode` and `device` say which argument is which.
std::vector<oci::SyscallRule> device_rules(const TrappedCall& call, std::uint32_t mode, std::uint32_t device) {
  std::vector<oci::SyscallRule> out = {
      trap(call, {masked(mode, S_IFMT, S_IFCHR), compared(device, "SCMP_CMP_NE", 0)}),
      trap(call, {masked(mode, S_IFMT, S_IFBLK)}),
      pass(call, {masked(mode, S_IFMT, S_IFCHR), compared(device, "SCMP_CMP_EQ", 0)}),
  };
  for (const std::uint64_t type : {0U, 0U + S_IFREG, 0U + S_IFIFO, 0U + S_IFSOCK, 0U + S_IFDIR})
    out.push_back(pass(call, {masked(mode, S_IFMT, type)}));
  return out;
}

const char* when_text(When when) {
  switch (when) {
    case When::always:
      return "all";
    case When::new_filesystem:
      return "a new file system: no bind, move, remount or propagation";
    case When::by_descriptor:
      return "what is moved is a descriptor (`MOVE_MOUNT_F_EMPTY_PATH`)";
    case When::not_detaching:
      return "without `MNT_DETACH`";
    case When::new_limit:
      return "a new limit is given";
    case When::device_node:
    case When::device_node_at:
      return "device nodes, but the whiteout 0:0";
  }
  return "";
}

bool is_same_line(const TrappedCall& a, const TrappedCall& b) {
  return a.grant == b.grant && std::string_view(a.summary) == b.summary &&
         std::string_view(when_text(a.when)) == when_text(b.when);
}

std::string grant_text(Grant grant) {
  for (const GrantRow& row : grants())
    if (row.grant == grant) return "`" + std::string(row.name) + "`";
  return "every nest";
}

}  // namespace

std::string trapped_text() {
  std::string out = "| calls | of these | grant | what the supervisor does |\n| --- | --- | --- | --- |\n";
  for (std::size_t i = 0; i < std::size(table); ++i) {
    const TrappedCall& row = table[i];
    out.append(i > 0 && is_same_line(table[i - 1], row) ? ", " : "| ").append("`").append(row.name).append("`");
    if (i + 1 < std::size(table) && is_same_line(row, table[i + 1])) continue;
    out.append(" | ").append(when_text(row.when)).append(" | ").append(grant_text(row.grant));
    out.append(" | ").append(row.summary).append(" |\n");
  }
  return out;
}

std::span<const TrappedCall> trapped_calls() { return table; }

std::vector<oci::SyscallRule> rules_of(const TrappedCall& call) {
  switch (call.when) {
    case When::always:
      return {trap(call, {})};
    case When::by_descriptor:
      return {trap(call, {masked(4, MOVE_MOUNT_F_EMPTY_PATH, MOVE_MOUNT_F_EMPTY_PATH)}),
              pass(call, {masked(4, MOVE_MOUNT_F_EMPTY_PATH, 0)})};
    case When::not_detaching:
      return {trap(call, {masked(1, MNT_DETACH, 0)}), pass(call, {masked(1, MNT_DETACH, MNT_DETACH)})};
    case When::new_filesystem: {
      std::vector<oci::SyscallRule> out = {trap(call, {masked(3, attaching, 0)})};
      for (std::uint64_t bit = 1; bit <= attaching; bit <<= 1)
        if ((attaching & bit) != 0) out.push_back(pass(call, {masked(3, bit, bit)}));
      return out;
    }
    case When::new_limit:
      return {trap(call, {compared(2, "SCMP_CMP_NE", 0)}), pass(call, {compared(2, "SCMP_CMP_EQ", 0)})};
    case When::device_node:
      return device_rules(call, 1, 2);
    case When::device_node_at:
      return device_rules(call, 2, 3);
  }
  return {};
}

}  // namespace caisson::nest

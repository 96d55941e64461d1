// The caller's seccomp profile, opened for what engines call and not further.
// Layer: nest (pure). Declared in plan.h.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>

#include "caisson/nest/plan.h"

namespace caisson::nest {
namespace {

using oci::SyscallRule;

// What engines, init systems and their containers call, and plain containers' profiles leave out. None of them
// reaches beyond the nest's own namespaces: the kernel asks for power over the namespace, not over the host.
// source: Docker's and containers/common's default profiles; anchors on what runc, systemd and kubelet call.
std::vector<std::string> engine_calls() {
  return {
      "add_key",       "chroot",     "clone",       "clone3",         "close_range", "fsconfig",   "fsmount",
      "fsopen",        "fspick",     "keyctl",      "listmount",      "mknod",       "mknodat",    "mount",
      "mount_setattr", "move_mount", "open_tree",   "open_tree_attr", "pidfd_getfd", "pidfd_open", "pidfd_send_signal",
      "pivot_root",    "reboot",     "request_key", "setdomainname",  "sethostname", "setns",      "statmount",
      "umount",        "umount2",    "unshare",     "vhangup",
  };
}

bool permits(const std::string& action) { return action == "SCMP_ACT_ALLOW" || action == "SCMP_ACT_LOG"; }

// Profiles are lists without reasons: an ERRNO for setns is podman's default, not somebody's wish. Whoever kills,
// traps or asks a listener for a call has written that down on purpose, and is obeyed.
bool is_default_denial(const SyscallRule& rule) { return rule.action == "SCMP_ACT_ERRNO"; }

}  // namespace

void plan_seccomp(oci::Linux& linux) {
  if (!linux.seccomp) return;
  std::vector<SyscallRule>& rules = linux.seccomp->syscalls;
  std::vector<std::string> added = engine_calls();
  for (const SyscallRule& rule : rules) {
    if (permits(rule.action) || is_default_denial(rule)) continue;
    std::erase_if(added,
                  [&](const std::string& name) { return std::ranges::find(rule.names, name) != rule.names.end(); });
  }
  const auto is_added = [&](const std::string& name) { return std::ranges::find(added, name) != added.end(); };
  for (SyscallRule& rule : rules) {
    if (permits(rule.action) || is_default_denial(rule)) std::erase_if(rule.names, is_added);
  }
  std::erase_if(rules, [](const SyscallRule& rule) { return rule.names.empty(); });
  if (permits(linux.seccomp->default_action) || added.empty()) return;
  rules.insert(rules.begin(),
               SyscallRule{.names = std::move(added), .action = "SCMP_ACT_ALLOW", .errno_ret = {}, .args = {}});
}

}  // namespace caisson::nest

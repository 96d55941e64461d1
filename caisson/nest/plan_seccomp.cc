// The caller's seccomp profile, opened for what engines call and not further.
// Layer: nest (pure). Declared in plan.h.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>

#include "caisson/nest/plan.h"
#include "caisson/nest/trapped.h"
#include "caisson/seccomp/syscall_table.h"

namespace caisson::nest {
namespace {

using oci::SyscallRule;

// What engines, init systems and their containers call, and plain containers' profiles leave out. None of them
// reaches beyond the nest's own namespaces: the kernel asks for power over the namespace, not over the host.
// source: Docker's and containers/common's default profiles; anchors on what runc, systemd and kubelet call.
std::vector<std::string> engine_calls(const GrantSet& grants) {
  std::vector<std::string> out = {
      "add_key",     "chroot",        "clone",       "clone3",     "close_range",       "keyctl",
      "mknod",       "mknodat",       "pidfd_getfd", "pidfd_open", "pidfd_send_signal", "reboot",
      "request_key", "setdomainname", "sethostname", "setns",      "unshare",           "vhangup",
  };
  for (const GrantRow& row : nest::grants())
    if (grants.has(row.grant)) out.insert(out.end(), row.calls.begin(), row.calls.end());
  std::ranges::sort(out);
  return out;
}

std::vector<std::string> calls_not_granted(const GrantSet& grants) {
  std::vector<std::string> out;
  for (const GrantRow& row : nest::grants())
    if (!grants.has(row.grant)) out.insert(out.end(), row.calls.begin(), row.calls.end());
  return out;
}

bool permits(const std::string& action) { return action == "SCMP_ACT_ALLOW" || action == "SCMP_ACT_LOG"; }

// Profiles are lists without reasons: an ERRNO for setns is podman's default, not somebody's wish. Whoever kills,
// traps or asks a listener for a call has written that down on purpose, and is obeyed.
bool is_default_denial(const SyscallRule& rule) { return rule.action == "SCMP_ACT_ERRNO"; }

// Somebody's wish, which is obeyed: not one of the lists' ERRNO.
bool is_wish(const SyscallRule& rule) { return !permits(rule.action) && !is_default_denial(rule); }

bool names(const SyscallRule& rule, std::string_view name) {
  return std::ranges::find(rule.names, name) != rule.names.end();
}

// `added` takes the place of whatever else the profile permits or denies about the calls that it names.
void replace_rules(std::vector<SyscallRule>& rules, std::vector<SyscallRule> added) {
  const auto is_added = [&](const std::string& name) {
    return std::ranges::any_of(added, [&](const SyscallRule& rule) { return names(rule, name); });
  };
  for (SyscallRule& rule : rules)
    if (!is_wish(rule)) std::erase_if(rule.names, is_added);
  std::erase_if(rules, [](const SyscallRule& rule) { return rule.names.empty(); });
  rules.insert(rules.begin(), std::make_move_iterator(added.begin()), std::make_move_iterator(added.end()));
}

bool is_wished(const oci::Seccomp& profile, std::string_view name) {
  return std::ranges::any_of(profile.syscalls,
                             [&](const SyscallRule& rule) { return is_wish(rule) && names(rule, name); });
}

void open_for_engines(oci::Seccomp& profile, const GrantSet& grants) {
  std::vector<std::string> added = engine_calls(grants);
  std::erase_if(added, [&](const std::string& name) { return is_wished(profile, name); });
  std::vector<SyscallRule> rule;
  if (!added.empty())
    rule.push_back({.names = std::move(added), .action = "SCMP_ACT_ALLOW", .errno_ret = {}, .args = {}});
  const bool needed = !permits(profile.default_action);
  replace_rules(profile.syscalls, rule);
  if (!needed && !rule.empty()) profile.syscalls.erase(profile.syscalls.begin());
}

// A call of a grant that is not given fails, whatever the profile permits: also in a user namespace made inside, where
// the bounding set is no limit.
void close_for_grants(oci::Seccomp& profile, const GrantSet& grants) {
  std::vector<std::string> closed = calls_not_granted(grants);
  std::erase_if(closed, [&](const std::string& name) { return is_wished(profile, name); });
  if (closed.empty()) return;
  replace_rules(profile.syscalls,
                {{.names = std::move(closed), .action = "SCMP_ACT_ERRNO", .errno_ret = EPERM, .args = {}}});
}

// The calls that the supervisor answers. A profile with a listener of its own keeps it: a task has one at most.
void trap(oci::Seccomp& profile, const std::string& listener, const GrantSet& grants) {
  std::vector<SyscallRule> added;
  for (const TrappedCall& call : trapped_calls()) {
    if (!grants.has(call.grant) || is_wished(profile, call.name)) continue;
    for (SyscallRule& rule : rules_of(call))
      if (!permits(rule.action) || !permits(profile.default_action)) added.push_back(std::move(rule));
  }
  replace_rules(profile.syscalls, std::move(added));
  profile.listener_path = listener;
  profile.flags.emplace_back("SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV");
}

oci::Seccomp unconfined() {
  oci::Seccomp out;
  out.default_action = "SCMP_ACT_ALLOW";
  for (const seccomp::Abi& abi : seccomp::machine_abis()) out.architectures.emplace_back(abi.name);
  return out;
}

bool has_listener(const oci::Seccomp& profile) {
  return std::ranges::any_of(profile.syscalls,
                             [](const SyscallRule& rule) { return rule.action == "SCMP_ACT_NOTIFY"; });
}

// Below /proc and /sys, as the runtime covers them.
std::vector<std::string> of_kernel_views(const std::vector<std::string>& paths) {
  std::vector<std::string> out;
  for (const std::string& path : paths)
    if (const std::string at = clean_path(path); at.starts_with("/proc/") || at.starts_with("/sys/")) out.push_back(at);
  return out;
}

}  // namespace

Result<void> plan_seccomp(oci::Linux& linux, Owner owner, const Facts& facts) {
  const Terms& terms = facts.terms;
  const GrantSet& grants = terms.grants;
  const bool traps = !facts.listener.empty() && !(linux.seccomp && has_listener(*linux.seccomp));
  if (terms.profile == Profile::hardened && owner == Owner::caller_joined)
    return Error::of(Kind::unsupported,
                     "profile hardened: in a user namespace that is given by path no mount can be locked");
  if (terms.profile == Profile::hardened && !traps)
    return Error::of(Kind::unsupported,
                     "profile hardened: a supervisor of its own is needed, and below another's listener none can be");
  if (!linux.seccomp && !traps && calls_not_granted(grants).empty()) return ok();
  if (!linux.seccomp) linux.seccomp = unconfined();
  close_for_grants(*linux.seccomp, grants);
  open_for_engines(*linux.seccomp, grants);
  if (!traps) return ok();
  trap(*linux.seccomp, facts.listener, grants);
  // A file system of the new mount API cannot be made by another for its caller: programs fall back to mount(2).
  if (terms.profile == Profile::hardened && grants.has(Grant::mount) && !is_wished(*linux.seccomp, "fsopen"))
    replace_rules(linux.seccomp->syscalls,
                  {{.names = {"fsopen"}, .action = "SCMP_ACT_ERRNO", .errno_ret = ENOSYS, .args = {}}});
  Instructions instructions{.terms = terms, .masked = {}, .read_only = {}};
  if (terms.profile == Profile::hardened) {
    instructions.masked = of_kernel_views(linux.masked_paths);
    instructions.read_only = of_kernel_views(linux.readonly_paths);
  }
  linux.seccomp->listener_metadata = to_text(instructions);
  return ok();
}

}  // namespace caisson::nest

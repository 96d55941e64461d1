// Group's processes: who is in it, and signals for all of them.
// Layer: cgroup. Used by ps, kill and delete through group.h.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <csignal>

#include "caisson/cgroup/files.h"
#include "caisson/cgroup/group.h"
#include "caisson/cgroup/tree.h"
#include "caisson/sys/backoff.h"
#include "caisson/sys/signal.h"

namespace caisson::cgroup {
namespace {

using std::chrono_literals::operator""ms;

// All hierarchies have the same processes; runc asks `devices`, which no container gets to write to.
const Directory* listing_of(const Placement& placement) {
  for (const char* controller : {"devices", "freezer", "pids", "memory"})
    if (const Directory* found = placement.find(controller); found != nullptr && found->version == Version::v1)
      return found;
  if (placement.unified() != nullptr) return placement.unified();
  return placement.directories.empty() ? nullptr : &placement.directories.front();
}

Result<void> append_pids(const std::string& group, std::vector<pid_t>& out) {
  auto text = read_value(group, "cgroup.procs");
  if (!text) {
    // A threaded v2 cgroup lists its processes in its domain only (EOPNOTSUPP).
    if (is_gone(text.error()) || text.error().is(EOPNOTSUPP)) return ok();
    return std::move(text).error();
  }
  for (std::string_view rest = *text; !rest.empty();) {
    const auto pid = parse_number(take_line(rest));
    if (pid.value_or(0) > 0 && *pid <= INT32_MAX) out.push_back(static_cast<pid_t>(*pid));  // 0: not in our namespace
  }
  return ok();
}

Result<void> signal_listed(const Group& group, int signal) {
  const std::vector<pid_t> pids = TRY(group.pids());
  Result<void> first = ok();
  for (const pid_t pid : pids) {
    auto sent = sys::send_signal(pid, signal);
    if (!sent && !sent.error().is(ESRCH) && first) first = std::move(sent);
  }
  return first;
}

bool is_empty(const Group& group) {
  auto pids = group.pids();
  return pids && pids->empty();
}

// Frozen, nobody forks and no pid is given to another process. A group that is paused stays so, unless it is to end.
Result<void> signal_frozen(const Group& group, int signal) {
  const bool was_frozen = TRY(group.is_frozen());
  // Processes that cannot be frozen (a debugger's, one in uninterruptible sleep) are signalled all the same.
  if (!was_frozen) (void)group.freeze();
  Result<void> sent = signal_listed(group, signal);
  if (signal == SIGKILL)
    group.thaw_all();
  else if (!was_frozen)
    (void)group.thaw();
  return sent;
}

}  // namespace

Result<std::vector<pid_t>> Group::pids() const {
  std::vector<pid_t> out;
  const Directory* directory = listing_of(placement_);
  if (directory == nullptr) return out;
  const std::vector<std::string> groups = list_groups(directory->absolute());
  for (const std::string& group : groups) TRY(append_pids(group, out));
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

Result<void> Group::kill_all(int signal) const {
  const Directory* unified = placement_.unified();
  if (signal != SIGKILL || unified == nullptr) return is_empty(*this) ? ok() : signal_frozen(*this, signal);
  // The kernel kills the whole subtree at once, forks included. source: cgroup-v2.rst "cgroup.kill", Linux 5.14
  auto killed = write_value(unified->absolute(), "cgroup.kill", "1");
  if (!killed && !is_gone(killed.error())) return killed;
  if (!killed) return is_empty(*this) ? ok() : signal_frozen(*this, signal);
  if (placement_.mode() == Mode::v2) return ok();
  // v1 beside it: what is frozen there dies when thawed, and somebody may have been moved out of the v2 group only.
  thaw_all();
  sys::Backoff backoff(200ms);
  while (!is_empty(*this))
    if (!backoff.wait()) return signal_frozen(*this, signal);
  return ok();
}

}  // namespace caisson::cgroup

// setrlimit, prlimit64, setpriority: limits and priorities of the nest's own processes, raised as far as its host
// allows. Layer: nest. Declared in handlers.h. SPDX-License-Identifier: Apache-2.0
//
// The kernel lowers for everybody, and raises for the host's root only. The nest's root raises by us: resource limits
// up to our own hard limits, niceness down to `lowest_nice`. Real-time policies and classes stay the kernel's to
// refuse: below a cgroup's share nothing is taken from the host, but above it everything is.
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <unistd.h>

#include "caisson/nest/arguments.h"
#include "caisson/nest/handlers/handlers.h"
#include "caisson/sys/raw.h"

namespace caisson::nest {
namespace {

using seccomp::Answer;
using sys::UniqueFd;
using sys::raw::call;

constexpr int lowest_nice = -10;

// The root of the nest's own user namespace, with the capability for this.
bool may_raise(const Call& trapped, unsigned capability) {
  if (!trapped.caller.has(capability)) return false;
  auto own = trapped.caller.user_namespace();
  return own && *own == trapped.nest.user_namespace;
}

// The nest's process that is meant; `alive` is its directory in /proc, which answers no more when it has ended.
struct Target {
  pid_t pid = 0;
  UniqueFd alive;

  bool is_there() const { return static_cast<bool>(sys::raw::call(SYS_faccessat, alive.get(), "stat", F_OK) == 0); }
};

Result<Target> target_of(const Call& trapped, int number) {
  Target out;
  out.pid = trapped.caller.pid();
  if (number != 0) out.pid = TRY(trapped.caller.host_pid(number));
  const std::string at = "/proc/" + std::to_string(out.pid);
  const long opened = call(SYS_openat, AT_FDCWD, at.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (opened < 0) return Error::os(ESRCH, at);
  out.alive = UniqueFd(static_cast<int>(opened));
  const long user = call(SYS_openat, out.alive.get(), "ns/user", O_RDONLY | O_CLOEXEC);
  if (user < 0) return Error::os(ESRCH, at);
  const UniqueFd held(static_cast<int>(user));
  const std::uint64_t id = TRY(namespace_id(held.get()));
  if (id != trapped.nest.user_namespace) return Error::os(EPERM, at);
  return out;
}

long set_limit(pid_t pid, int resource, const rlimit64* wanted, rlimit64* before) {
  return call(SYS_prlimit64, pid, resource, wanted, before);
}

bool write_limit(const UniqueFd& memory, std::uint64_t address, const rlimit64& limit) {
  return ::pwrite(memory.get(), &limit, sizeof limit, static_cast<off_t>(address)) ==
         static_cast<ssize_t>(sizeof limit);
}

// `old_at` 0: not asked for.
Answer raise_limit(Call& trapped, int number, int resource, const rlimit64& wanted, std::uint64_t old_at) {
  if (resource < 0 || resource >= static_cast<int>(RLIM_NLIMITS) || wanted.rlim_cur > wanted.rlim_max)
    return Answer::native();
  rlimit64 ceiling{};
  rlimit64 before{};
  auto target = target_of(trapped, number);
  if (!target || set_limit(target->pid, resource, nullptr, &before) < 0) return Answer::native();
  const bool raised_before = trapped.resumed();
  if (!raised_before && wanted.rlim_max <= before.rlim_max) return Answer::native();
  if (set_limit(0, resource, nullptr, &ceiling) < 0 || wanted.rlim_max > ceiling.rlim_max) return Answer::native();
  if (!may_raise(trapped, CAP_SYS_RESOURCE)) return Answer::native();
  auto memory = trapped.caller.open("mem", O_RDWR);
  if (!memory) return Answer::native();
  if (raised_before) before = {.rlim_cur = trapped.slot.marks[1], .rlim_max = trapped.slot.marks[2]};
  trapped.slot.marks[1] = before.rlim_cur;
  trapped.slot.marks[2] = before.rlim_max;
  if (!trapped.begin(0)) return Answer::native();
  if (set_limit(target->pid, resource, &wanted, nullptr) < 0) return Answer::native();
  if (!target->is_there()) {
    // It ended meanwhile: whoever may have got its number keeps what it had.
    (void)set_limit(target->pid, resource, &before, nullptr);
    return Answer::fail(ESRCH);
  }
  if (old_at != 0 && !write_limit(*memory, old_at, before)) return Answer::fail(EFAULT);
  return Answer::success();
}

}  // namespace

Answer handle_prlimit(Call& trapped) {
  rlimit64 wanted{};
  auto got = seccomp::read_memory(trapped.caller.pid(), trapped.argument(2), &wanted, sizeof wanted);
  if (!got || *got != sizeof wanted) return Answer::native();
  return raise_limit(trapped, trapped.number(0), trapped.number(1), wanted, trapped.argument(3));
}

Answer handle_setrlimit(Call& trapped) {
  std::uint8_t bytes[sizeof(rlimit64)] = {};
  const std::size_t size = trapped.is_compat ? sizeof(std::uint32_t) * 2 : sizeof(rlimit64);
  auto got = seccomp::read_memory(trapped.caller.pid(), trapped.argument(1), bytes, size);
  if (!got || *got != size) return Answer::native();
  const Limit wanted = parse_limit({bytes, size});
  return raise_limit(trapped, 0, trapped.number(0), {.rlim_cur = wanted.soft, .rlim_max = wanted.hard}, 0);
}

Answer handle_setpriority(Call& trapped) {
  const int nice = nice_of(trapped.number(2));
  if (trapped.number(0) != PRIO_PROCESS || nice < lowest_nice) return Answer::native();
  auto target = target_of(trapped, trapped.number(1));
  if (!target) return Answer::native();
  const long before = call(SYS_getpriority, PRIO_PROCESS, target->pid);  // 20 - niceness. source: getpriority(2)
  if (before < 0 || (!trapped.resumed() && 20 - before <= nice)) return Answer::native();
  if (!may_raise(trapped, CAP_SYS_NICE) || !trapped.begin(0)) return Answer::native();
  if (call(SYS_setpriority, PRIO_PROCESS, target->pid, nice) < 0) return Answer::native();
  if (target->is_there()) return Answer::success();
  (void)call(SYS_setpriority, PRIO_PROCESS, target->pid, 20 - static_cast<int>(before));
  return Answer::fail(ESRCH);
}

}  // namespace caisson::nest

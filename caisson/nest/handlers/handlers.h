// Handlers: one function a trapped call. Each reads its arguments, decides, acts on descriptors, and can be cut short
// by SIGKILL anywhere: what it does after Call::begin() it must find done when it is called again.
// Layer: nest. Named by trapped.cc, called by supervisor.cc.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "caisson/nest/caller.h"
#include "caisson/nest/supervised.h"
#include "caisson/seccomp/notify.h"
#include "caisson/shim/journal.h"

namespace caisson::nest {

// One trapped call in hand.
struct Call {
  const seccomp_notif& notification;
  Caller caller;
  Supervised& nest;
  shim::Slot& slot;
  bool is_compat = false;  // a 32-bit program's: addresses and longs have 32 bits

  std::uint64_t argument(int index) const {
    const std::uint64_t value = notification.data.args[index];
    return is_compat ? value & 0xffffffffU : value;
  }
  int number(int index) const { return static_cast<int>(notification.data.args[index]); }
  // True when a predecessor was killed after begin(): the effect may have happened.
  bool resumed() const { return slot.phase.load() == shim::Phase::started; }
  // To be called right before the effect, with what a successor needs to see whether it happened.
  // False: the caller has gone, and what was learnt of it may be another's: nothing may be done.
  [[nodiscard]] bool begin(std::uint64_t mark) const {
    if (!caller.is_waiting()) return false;
    slot.marks[0] = mark;
    slot.phase.store(shim::Phase::started);
    return true;
  }
};

// After an answer, while nobody waits: what makes this thread's next one faster.
void prepare_covers(const Supervised& nest);

seccomp::Answer handle_mknod(Call& trapped);
seccomp::Answer handle_mknodat(Call& trapped);
seccomp::Answer handle_mount(Call& trapped);
seccomp::Answer handle_umount(Call& trapped);
seccomp::Answer handle_move_mount(Call& trapped);
seccomp::Answer handle_sysinfo(Call& call);
seccomp::Answer handle_setrlimit(Call& trapped);
seccomp::Answer handle_prlimit(Call& trapped);
seccomp::Answer handle_setpriority(Call& trapped);
seccomp::Answer handle_init_module(Call& trapped);
seccomp::Answer handle_finit_module(Call& trapped);

enum class Named : unsigned char { by_path, link, by_descriptor };  // setxattr, lsetxattr, fsetxattr
template <Named named>
seccomp::Answer handle_setxattr(Call& trapped);
template <Named named>
seccomp::Answer handle_getxattr(Call& trapped);
template <Named named>
seccomp::Answer handle_removexattr(Call& trapped);
template <Named named>
seccomp::Answer handle_listxattr(Call& trapped);

}  // namespace caisson::nest

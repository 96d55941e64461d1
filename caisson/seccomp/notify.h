// The supervisor's side of a listener: notifications received, answered, and the stopped task's memory.
// Layer: seccomp (through sys). Used by nest's supervisor.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <linux/seccomp.h>
#include <sys/types.h>

#include <cstdint>
#include <string>

#include "caisson/base/result.h"

namespace caisson::seccomp {

// Whether a filter of ours may have a listener: a task may be below one only. Tried in a child.
bool can_listen();

// What a trapped call comes to. errno_ is positive; with `proceed` the kernel executes the call as it is.
struct Answer {
  std::int64_t value = 0;
  int errno_ = 0;
  bool proceed = false;

  static Answer success(std::int64_t value = 0) { return {.value = value}; }
  static Answer fail(int code) { return {.errno_ = code}; }
  static Answer native() { return {.proceed = true}; }
};

// Waits for a notification and lets the kernel write it to `out`, which must be zeroed: in shared memory it is there
// even if we are killed on the way back. False: the caller has gone meanwhile; out.id is 0 then.
//   source  seccomp_unotify(2)
Result<bool> receive(int listener, seccomp_notif& out);

// Whether the caller still waits for this answer: what was read by its pid before belongs to it.
bool is_waiting(int listener, std::uint64_t id);

// A caller that has gone is no error: nobody waits.
Result<void> answer(int listener, std::uint64_t id, const Answer& answer);

// Answers with a descriptor: the call returns the caller's new number of it, close-on-exec or not.
Result<void> answer_with_descriptor(int listener, std::uint64_t id, int descriptor, bool close_on_exec);

// Wakes supervisor and caller on the same processor where the kernel can (6.6): the round trip is short.
void prefer_short_round_trips(int listener);

// ---- the memory of a stopped task. is_waiting() afterwards says that it was that task's.

// Up to `size` bytes; fewer where a page is missing. errors: os EFAULT: not one byte
Result<std::size_t> read_memory(pid_t pid, std::uint64_t address, void* out, std::size_t size);
// A text up to its zero byte, at most `limit` bytes with it. errors: os EFAULT, os ENAMETOOLONG
Result<std::string> read_text(pid_t pid, std::uint64_t address, std::size_t limit);
//   errors  os EFAULT: not all of it
Result<void> write_memory(pid_t pid, std::uint64_t address, const void* data, std::size_t size);

}  // namespace caisson::seccomp

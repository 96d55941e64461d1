// Visit: this thread is in a caller's namespaces for a while: what it mounts is mounted there.
// Layer: nest. Used by the handlers of mounts, each in a thread with a file system context of its own.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sched.h>

#include "caisson/base/result.h"
#include "caisson/nest/supervised.h"

namespace caisson::nest {

class Visit {
 public:
  // `kind`: CLONE_NEWNS, CLONE_NEWNET, or CLONE_NEWPID, where only the next child goes; the user namespace stays the
  // host's.
  //   source  setns(2)
  static Result<Visit> enter(int descriptor, int kind, const Supervised& nest);
  Visit(Visit&& other) noexcept;
  Visit& operator=(Visit&&) = delete;
  ~Visit();  // a thread that cannot come back ends the supervisor: its successor is at home

 private:
  Visit(int home, int kind) : home_(home), kind_(kind) {}
  int home_;
  int kind_;
};

}  // namespace caisson::nest

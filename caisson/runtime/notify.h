// A container that tells the service manager when it is ready: its own socket, from which only that is passed on.
// Layer: runtime. Used by create, start and run when NOTIFY_SOCKET is in the runtime's environment.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "caisson/runtime/plan.h"
#include "caisson/runtime/state.h"
#include "caisson/sys/unique_fd.h"

namespace caisson::runtime {

// The caller's NOTIFY_SOCKET, or nothing.
std::string notify_address();

// At create: a directory in the record, bound to /run/notify, and the variable that names the socket in it.
Result<void> add_notify(const Record& record, Plan& plan);

class NotifySocket {
 public:
  // At start, before the program runs. Nothing when the container was created without one.
  static Result<std::optional<NotifySocket>> open(const Record& record);

  // Waits until the container says READY=1 or ends; the service manager hears READY=1 and MAINPID, and nothing else
  // that the container says. source: sd_notify(3)
  Result<void> pass_on(pid_t pid) const;

  // The same in a child of ours, for a caller that has other things to wait for.
  Result<void> pass_on_aside(pid_t pid) const;

 private:
  explicit NotifySocket(sys::UniqueFd fd) : fd_(std::move(fd)) {}
  sys::UniqueFd fd_;
};

}  // namespace caisson::runtime

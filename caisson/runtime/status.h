// What a container is doing now: its record, its state file, and what the kernel says of its pid and its cgroup.
// Layer: runtime. Used by every command that takes an ID.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "caisson/base/result.h"
#include "caisson/cgroup/group.h"
#include "caisson/runtime/state.h"
#include "caisson/sys/process.h"

namespace caisson::runtime {

struct Container {
  Record record;
  ContainerState state;
  Status status;  // at the time of the look
};

//   errors  not_found: `container does not exist`; invalid: bad ID or damaged state
Result<Container> find_container(const StateStore& store, const std::string& id, Lock lock = Lock::no);

// status_of() and paused: what the freezer says of a container that is alive.
Result<Status> current_status(const Record& record, const ContainerState& state);

// Its cgroup; one without directories when the container was created without.
Result<cgroup::Group> group_of(const ContainerState& state);

// Its init, safe against reuse of the pid.
//   errors  not_found: see not_running()
Result<sys::Pidfd> open_init(const ContainerState& state);

// "container not running: no such process": runc's text, and what CRI-O looks for.
Error not_running();

}  // namespace caisson::runtime

// Makes the container's first process in its namespaces.
// Layer: runtime. Used by creation.cc.
// SPDX-License-Identifier: Apache-2.0
//
// Most containers take one clone3: every new namespace at once. A user namespace that is joined, a time namespace, a
// pid namespace that is joined, and locked mounts need a process in between (the stage), because a process enters
// those only by being forked. The stage forks the first process as its own sibling and ends.
#pragma once

#include <sys/types.h>

#include "caisson/base/result.h"
#include "caisson/runtime/channel.h"
#include "caisson/runtime/container_init.h"
#include "caisson/sys/process.h"

namespace caisson::runtime {

struct Spawned {
  sys::Process init;
  sys::UniqueFd user_namespace;  // when one was made or joined
};

// Answers what the new process asks until it is in its namespaces and mapped.
//   errors  what the child said failed
Result<Spawned> spawn_init(InitRequest& request, Channel& parent_end, Channel& child_end);

}  // namespace caisson::runtime

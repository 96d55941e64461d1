// Builds the root of a container with locked mounts: by host root, outside the container's user namespace.
// Layer: runtime. Used by creation.cc while the first process waits.
// SPDX-License-Identifier: Apache-2.0
//
// The first process is in its user, pid, network, IPC, UTS and cgroup namespaces already, but still in a mount
// namespace that belongs to the host's user namespace. A helper joins all of these but the user namespace, mounts
// everything and pivots, which moves the first process' root too. When that one then takes a mount namespace of its
// own, the kernel locks every mount that is there: no remount, no unmount, no uncovering inside. (docs/adr/0006)
#pragma once

#include <sys/types.h>

#include <functional>

#include "caisson/base/result.h"
#include "caisson/runtime/container_init.h"

namespace caisson::runtime {

//   user_namespace  the container's, borrowed: whose maps the idmapped mounts take
//   mounted         called when the root is built and not entered yet: for createRuntime hooks
//   errors          what failed, as from Rootfs
Result<void> build_locked_root(const InitRequest& request, pid_t init, int user_namespace,
                               const std::function<Result<void>()>& mounted);

}  // namespace caisson::runtime

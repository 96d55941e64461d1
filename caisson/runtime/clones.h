// Clones of what is on the host, for the container: bind sources and the root, detached, with id maps where asked.
// Layer: runtime. Used by rootfs.cc, and by create for containers whose user namespace may not reach the sources.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "caisson/base/result.h"
#include "caisson/runtime/plan.h"
#include "caisson/sys/mount.h"
#include "caisson/sys/unique_fd.h"

namespace caisson::runtime {

using MountAttributes = sys::MountAttributes;

// The MOUNT_ATTR_* that a mount's own (not recursive) flags set and clear. "rw" clears nothing: a source that is
// read-only stays so, as under runc.
MountAttributes attributes_of(const oci::MountOptions& options);

//   user_namespace  whose maps are used where a mount has none of its own; -1 without one
Result<sys::UniqueFd> clone_bind(const MountStep& step, const Plan& plan, int user_namespace);
Result<sys::UniqueFd> clone_root(const RootPlan& root, int user_namespace);

// All that Rootfs::build() takes, in its order: the root, then every bind mount that is not made inside.
Result<std::vector<sys::UniqueFd>> clone_sources(const Plan& plan, int user_namespace);

// The mount that holds `path` becomes private, so that what is mounted there does not travel to its peers.
Result<void> make_parent_private(const std::string& path);

// Lines for /proc/PID/uid_map.
std::string map_text(const std::vector<oci::IdMapping>& mappings);

}  // namespace caisson::runtime

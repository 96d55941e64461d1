// What the global flags say, handed to every command: no command reads a global.
// Layer: runtime. Used by every command.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "caisson/runtime/log.h"
#include "caisson/runtime/state.h"

namespace caisson::runtime {

enum class CgroupManager : unsigned char { cgroupfs, systemd, disabled };

struct Context {
  Log log;
  StateStore store;
  CgroupManager cgroup_manager = CgroupManager::cgroupfs;
  std::optional<bool> rootless = std::nullopt;  // --rootless; absent: auto, see is_rootless()
};

// Given, or: not root, or root of a user namespace only. Then what cgroups refuse is not an error.
Result<bool> is_rootless(const Context& context);

}  // namespace caisson::runtime

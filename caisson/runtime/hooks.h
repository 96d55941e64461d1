// Runs the OCI hooks: programs of the engine's, one after another, with the container's state on stdin.
// Layer: runtime. Used by create, start, run and delete.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "caisson/base/result.h"
#include "caisson/oci/hooks.h"
#include "caisson/seccomp/compile.h"

namespace caisson::runtime {

// Where and under what hooks of one kind run. runc: createRuntime in the bundle, createContainer in the root.
struct HookSetting {
  std::string directory;                          // "": the caller's working directory
  const std::vector<std::string>* env = nullptr;  // of a hook that gives none; null: the caller's own
  const seccomp::Program* filter = nullptr;  // loaded before they start: startContainer hooks are the container's own
};

// Stops at the first hook that fails, is killed or takes longer than its timeout (then it is killed first).
// A hook gets exactly its own args and the environment of its `env`, no descriptor above 2, the state on stdin.
// `kind` is the hook's name in config.json and goes into the error.
//   errors  os: it could not be started; internal never: the rest are Kind::os with code 0 and the hook's output
//   source  runtime-spec config.md "POSIX-platform Hooks"
Result<void> run_hooks(const std::vector<oci::Hook>& hooks, const std::string& state_json, std::string_view kind,
                       const HookSetting& setting = {});

}  // namespace caisson::runtime

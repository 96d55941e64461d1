// create and run: gather, plan, prepare, and hand over to the runtime. release and forget: the other end.
// Layer: nest. Used by main.cc.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "caisson/base/result.h"
#include "caisson/nest/command_line.h"
#include "caisson/nest/record.h"

namespace caisson::nest {

struct Context {
  CommandLine line;
  Places places;
  std::string program;  // this executable's path
  std::string runtime_root;
};

// argv of the runtime for the rewritten bundle. The nest's records are made, and everything is undone on an error.
//   errors  invalid: config.json, or what a nest cannot be given; conflict: data in use, ID in use
Result<std::vector<std::string>> prepare(const Context& context);

// argv of the runtime for exec: the process file is rewritten by the nest's rules.
Result<std::vector<std::string>> prepare_exec(const Context& context);

// After the runtime deleted the container (poststop hook), or failed to create it.
Result<void> release(const Context& context, const std::string& id);

// After a `delete`: what commands that were killed left of a container that is not there.
Result<void> clear(const Context& context, const std::string& id);

// Removes the data of a nest that is not alive: `caisson-nest forget ID`.
//   errors  not_found, conflict
Result<void> forget(const Context& context, const std::string& id);

}  // namespace caisson::nest

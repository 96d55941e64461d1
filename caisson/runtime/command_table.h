// Every command and flag of the runtime, runc's and the few that are crun's or our own. The help texts come from here.
// Layer: runtime (plain data). Used by runtime/main.cc and tests.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "caisson/runtime/flags.h"

namespace caisson::runtime {

std::span<const Flag> global_flags();
std::span<const Command> commands();  // in the order of the help text

}  // namespace caisson::runtime

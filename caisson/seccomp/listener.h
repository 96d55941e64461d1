// The seccomp listener's descriptor, handed to the agent that the profile names.
// Layer: seccomp (through sys). Used by runtime when a program notifies.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "caisson/base/result.h"

namespace caisson::seccomp {

// runtime-spec "The container process state": `state` is the container's state as JSON text (oci::print_state).
std::string listener_message(std::string_view version, pid_t pid, std::string_view metadata, std::string_view state);

// Connects to the unix socket at `path` and sends `message` with the descriptor (SCM_RIGHTS). `listener` is borrowed.
Result<void> send_listener(const std::string& path, int listener, std::string_view message);

}  // namespace caisson::seccomp

// Makes a container up to the point where only `start` is missing; what a failure leaves is taken away again.
// Layer: runtime. Used by the commands create and run.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "caisson/base/result.h"
#include "caisson/runtime/bundle.h"
#include "caisson/runtime/channel.h"
#include "caisson/runtime/container_init.h"
#include "caisson/runtime/context.h"
#include "caisson/runtime/criu.h"
#include "caisson/runtime/flags.h"
#include "caisson/runtime/state.h"
#include "caisson/sys/process.h"

namespace caisson::runtime {

struct Created {
  Record record;  // locked
  ContainerState state;
  oci::Spec spec;
  sys::Process init;
  Channel channel;  // of a container that is started by it
};

//   console  StartBy::channel: the socket that gets the terminal, when there is no --console-socket
Result<Created> create_container(Context& context, const Arguments& arguments, StartBy start_by, sys::UniqueFd console);

// A container whose processes CRIU wrote to files: it runs. `descriptors` as in criu.h.
Result<Created> restore_container(Context& context, const Arguments& arguments, const CriuImages& images,
                                  std::vector<std::string> descriptors);

// poststart hooks, after the program runs. A failure ends the container (runtime-spec 1.3).
Result<void> after_start(const Context& context, const oci::Spec& spec, const ContainerState& state);

// Writes the number beside and renames: a reader never sees half. Never replaces what is not an ordinary file.
Result<void> write_pid_file(const std::string& path, pid_t pid);
// One message, `name` and a pidfd. source: runc --pidfd-socket
Result<void> send_pidfd(const std::string& path, pid_t pid, const char* name);

// A process loaded a filter with a listener, descriptor `number` of its own: taken from it and given to the agent that
// the profile names, before anything is trapped.
Result<void> pass_seccomp_listener(const std::string& number, pid_t pid, const oci::Spec& spec,
                                   const std::string& state);

// LISTEN_FDS and --preserve-fds: how many descriptors after 2 the program gets; sets LISTEN_* in `env`.
Result<int> preserved_descriptors(const Arguments& arguments, std::vector<std::string>& env);

}  // namespace caisson::runtime

// The container's first process, from clone to its program: namespaces, root file system, then itself.
// Layer: runtime. Made by spawn.h; talks to the runtime over a channel.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "caisson/cgroup/group.h"
#include "caisson/oci/spec.h"
#include "caisson/runtime/channel.h"
#include "caisson/runtime/plan.h"
#include "caisson/runtime/process_setup.h"
#include "caisson/runtime/rootfs.h"

namespace caisson::runtime {

enum class StartBy : unsigned char {
  fifo,     // `create`: somebody else starts it
  channel,  // `run`: the same runtime does
};

// What the parent decided and opened. The child has a copy of its memory, as after fork(2), and may use all of it.
struct InitRequest {
  const oci::Spec* spec = nullptr;
  Plan plan;
  std::string id, bundle;
  std::vector<CgroupMount> cgroup_mounts;
  cgroup::JoinFds join;
  std::function<Result<void>(pid_t)> attach;  // where somebody else must move the process into its cgroup
  const seccomp::Program* filter = nullptr;
  sys::UniqueFd console_socket;
  sys::UniqueFd start_fifo;
  StartBy start_by = StartBy::channel;
  Rootfs::Enter enter = Rootfs::Enter::pivot;
  bool new_keyring = true;
  bool may_set_groups = true;
  bool rootless = false;
  int preserved = 0;
  int record_fd = -1;  // the state directory's, whose lock must not live on in the child
};

// In the child, once it is in all namespaces but its cgroup and (locked mounts) mount namespace. Never returns.
[[noreturn]] void container_init(InitRequest& request, const Channel& channel);

// Before that: cgroups, the cgroup namespace, ids.
void join_cgroups(const cgroup::JoinFds& join, const Channel& channel);
Result<void> become_root();

// The state that hooks read, for a container that is being made.
std::string hook_state(const InitRequest& request, int pid, std::string_view status);

}  // namespace caisson::runtime

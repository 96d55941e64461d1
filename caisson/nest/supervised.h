// What a supervisor knows of its nest: learnt from the first process, once.
// Layer: nest. Used by supervisor.cc and the handlers.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "caisson/base/result.h"
#include "caisson/nest/locked_view.h"
#include "caisson/nest/terms.h"
#include "caisson/oci/linux.h"
#include "caisson/procview/procview.h"
#include "caisson/sys/unique_fd.h"
#include "caisson/sys/user_namespace.h"

namespace caisson::nest {

struct Supervised {
  std::string directory;             // RUN/HASH/ID
  pid_t init = -1;                   // the first process
  std::uint64_t user_namespace = 0;  // its inode
  std::vector<sys::IdExtent> uids;   // the host's ids that are the nest's
  Instructions instructions;         // its grants and profile
  std::vector<oci::Device> devices;  // of its grants on request
  procview::Nest view;               // what its /proc and /sys are made of
  procview::Known known;             // `view`, when the first process is there
  mutable procview::Sysinfo sysinfo;
  LockedViews locked;         // of profile `hardened`
  sys::UniqueFd host_mounts;  // the host's mount namespace
  sys::UniqueFd host_network;
  sys::UniqueFd host_processes;  // the pid namespace that its supervisor is in

  bool owns(uid_t uid) const;
  // Every proc and sysfs inside is ours to make: the kernel makes none.
  bool is_hardened() const { return instructions.terms.profile == Profile::hardened; }
};

// What is known before it has a process.
Result<procview::Nest> empty_view(const std::string& directory);

//   errors  os ESRCH: it has ended
//   instructions  what its plan says, as to_text(Instructions)
Result<void> learn(Supervised& nest, pid_t init, std::string_view instructions);

}  // namespace caisson::nest

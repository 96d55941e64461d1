// What a supervisor knows of its nest: learnt from the first process, once.
// Layer: nest. Used by supervisor.cc and the handlers.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "caisson/base/result.h"
#include "caisson/sys/unique_fd.h"

namespace caisson::nest {

struct HostRange {
  std::uint32_t first = 0;
  std::uint32_t count = 0;
};

struct Supervised {
  std::string directory;             // RUN/HASH/ID
  pid_t init = -1;                   // the first process
  std::uint64_t user_namespace = 0;  // its inode
  std::vector<HostRange> uids;       // the host's ids that are the nest's
  sys::UniqueFd host_mounts;         // the host's mount namespace
  sys::UniqueFd host_network;

  bool owns(uid_t uid) const;
};

//   errors  os ESRCH: it has ended
Result<void> learn(Supervised& nest, pid_t init);

}  // namespace caisson::nest

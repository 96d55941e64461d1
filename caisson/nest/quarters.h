// Where a nest's shim and supervisor live: a cgroup of their own, /caisson/HASH-ID, apart from the nest's and from that
// of the engine that started them: the nest's limits do not stop them, and what they use is seen by itself.
// Layer: nest. Made by create.cc, removed by live.cc; a nest whose caller may make no cgroup goes without.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "caisson/base/result.h"
#include "caisson/sys/unique_fd.h"

namespace caisson::nest {

struct Quarters {
  std::vector<sys::UniqueFd> tasks;  // v1: the member writes "0" to each
  sys::UniqueFd unified;             // v2: a directory to be cloned into
};

//   directory  RUN/HASH/ID, which keeps where the cgroup is
// Empty where we may make none.
Result<Quarters> make_quarters(const std::string& directory);

// When its members have ended.
void remove_quarters(const std::string& directory);

}  // namespace caisson::nest

// Descriptors that nobody needs any more, closed together: neighbours take one system call.
// Layer: sys. Used where many are opened one after another (rootfs, cgroup doors).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>
#include <vector>

#include "caisson/sys/unique_fd.h"

namespace caisson::sys {

// Open until close_all(), the end of this object, or until there are many. For descriptors whose being open a moment
// longer harms nobody: never one that a lock or another process' end of file hangs on.
class SpentFds {
 public:
  SpentFds() = default;
  SpentFds(const SpentFds&) = delete;
  SpentFds& operator=(const SpentFds&) = delete;
  ~SpentFds() { close_all(); }

  void add(UniqueFd fd);
  void close_all();

 private:
  std::vector<int> fds_;
};

}  // namespace caisson::sys

// Triggers: who waits for pressure (PSI), kept in files so that a successor goes on watching.
// Layer: procview. Used by server.cc. source: linux Documentation/accounting/psi.rst "Monitoring for pressure
// thresholds" SPDX-License-Identifier: Apache-2.0
#pragma once

#include <poll.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "caisson/base/result.h"
#include "caisson/procview/values.h"
#include "caisson/sys/unique_fd.h"

namespace caisson::procview {

// An open file of the nest (`handle`, chosen at its open) has at most one trigger, as in the kernel. Its file
// "psi-HANDLE" holds the kernel's poll handle, the path and the text; "psi-HANDLE.fired" says that it fired and
// nobody has been told.
class Triggers {
 public:
  explicit Triggers(const ValueStore& store) : store_(store) {}

  // Those that a server before us watched.
  void resume();

  //   errors  os: as the write to the cgroup's file: EINVAL, EBUSY: this handle has one already
  Result<void> add(std::uint64_t handle, const std::string& file, std::string_view text);
  void remove(std::uint64_t handle);

  // Answers FUSE_POLL: whether it fired since it was last asked. `kernel_handle` is what a notification carries.
  struct Answer {
    bool known = false;
    bool fired = false;
  };
  Answer ask(std::uint64_t handle, std::uint64_t kernel_handle);

  bool any() const { return !watched_.empty(); }
  // What to wait for, and afterwards: the kernel handles whose waiters are to be woken.
  void append_to(std::vector<pollfd>& out) const;
  std::vector<std::uint64_t> fired(const std::vector<pollfd>& polled);

 private:
  struct Watched {
    sys::UniqueFd fd;
    std::uint64_t kernel_handle = 0;
    std::string file, text;
  };
  bool load(std::uint64_t handle);
  void save(std::uint64_t handle, const Watched& watched) const;

  const ValueStore& store_;
  std::map<std::uint64_t, Watched> watched_;
};

}  // namespace caisson::procview

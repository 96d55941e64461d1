// A proc or sysfs of the nest's and the view over it: what the handlers of both mount APIs share.
// Layer: nest. Used by mount.cc and move_mount.cc.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "caisson/nest/handlers/handlers.h"
#include "caisson/nest/visit.h"
#include "caisson/procview/procview.h"
#include "caisson/sys/unique_fd.h"

namespace caisson::nest {

// Which mount a path leads to: another number after a successful mount. source: statx(2), STATX_MNT_ID
std::uint64_t mount_id(int fd);

// Whether the mount that `fd` is the root of is mounted somewhere.
bool is_attached(int fd);

// Root of its user namespace, which owns its mounts and what the file system shows: all else the kernel decides.
bool may_mount(const Call& trapped, int mounts, int shown);

// Of the namespace that is `shown`, not mounted anywhere yet, owned by that one's user namespace.
Result<sys::UniqueFd> make_filesystem(const Call& trapped, procview::Filesystem kind, int shown,
                                      const std::string& source, std::string_view data, std::uint64_t attributes);

// The mounts of the view, copied and ready to be put over the nodes of a proc or sysfs.
class Cover {
 public:
  static Cover prepare(const Call& trapped, procview::Filesystem kind);
  // In profile `hardened`: the view and the masks; what cannot be covered is an error. Called by LockedViews::lock().
  Result<void> put_and_mask(const Supervised& nest, procview::Filesystem kind, int base) const;
  // Over the nodes of a file system of ours that nobody else has seen yet. False: before Linux 6.15 nothing can be
  // mounted on what is not mounted itself.
  bool put_over_unseen(int filesystem) const;
  // Over the nodes of the mount `base`, in whose namespace we are; what is covered already stays.
  void put_over(int base) const;

 private:
  explicit Cover(const Supervised& nest) : nest_(&nest) {}
  std::optional<Visit> enter_network() const;

  const Supervised* nest_;
  sys::UniqueFd network_;  // the caller's: each network namespace has files of its own in one and the same proc
  const std::vector<procview::Overmount>* nodes_ = nullptr;
  std::vector<sys::UniqueFd> copies_;
};

}  // namespace caisson::nest

// Locked views: a new proc or sysfs together with what covers it, as one tree that nobody inside can take apart.
// Layer: nest. Used by the handlers of mounts in profile `hardened`.
// SPDX-License-Identifier: Apache-2.0
//
// Mounts are locked to each other only when they pass, at once, into a mount namespace of a lesser user namespace
// (mount_namespaces(7), "Restrictions on mount namespaces"). So there are two mount namespaces in which nobody lives:
// a tree is built in the first, propagates into the second, whose user namespace is a child's, and is copied from
// there.
#pragma once

#include <functional>
#include <mutex>
#include <string>

#include "caisson/base/result.h"
#include "caisson/sys/unique_fd.h"

namespace caisson::nest {

struct Supervised;

class LockedViews {
 public:
  // What is put over `base`, a mount in whose namespace we are. Masks: copies of what mask() names there.
  using Cover = std::function<Result<void>(int base)>;

  // `filesystem` is not mounted anywhere yet; what comes back is not either.
  Result<sys::UniqueFd> lock(const Supervised& nest, int filesystem, const Cover& cover);

  // While `cover` runs: a path of an empty file or directory.
  enum class Empty : bool { file, directory };
  static std::string mask(const Supervised& nest, Empty kind);

 private:
  Result<void> open(const std::string& directory);

  std::mutex mutex_;
  sys::UniqueFd building_;
  sys::UniqueFd locking_;
};

// The source of their masks, as mountinfo shows it.
inline constexpr char mask_source[] = "caisson-mask";

}  // namespace caisson::nest

// An overlay mounted by the names of its layers, for kernels that do not take layers by descriptor (before Linux 6.13).
// Layer: runtime. Used by clones.cc, when the kernel refuses the other way.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "caisson/base/result.h"
#include "caisson/sys/unique_fd.h"

namespace caisson::runtime {

struct OverlayLayers {
  std::vector<sys::UniqueFd> lower;  // detached mounts, top first
  sys::UniqueFd above;               // a detached mount with the upper and the work directory in it; none: read-only
  std::string upper, work;           // their names in it
  std::vector<std::string> options;  // "metacopy=on", "userxattr"
};

// The overlay as a detached mount. The layers are attached, on a tmpfs that covers `scratch`, in the mount namespace of
// a child that only lives for this call: nothing of it is seen elsewhere.
//   scratch  a directory of the host: the root file system's own
//   errors   os: the kernel's; too many layers for one page of options is E2BIG
//   source   Documentation/filesystems/overlayfs.rst; clone_private_mount() wants layers in the caller's namespace
Result<sys::UniqueFd> overlay_by_path(const std::string& scratch, const OverlayLayers& layers);

}  // namespace caisson::runtime

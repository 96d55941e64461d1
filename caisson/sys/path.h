// Paths below a root that somebody else controls: resolved by the kernel, never by us.
// Layer: sys. Used by whoever touches a container's root file system.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "caisson/base/result.h"
#include "caisson/sys/unique_fd.h"

namespace caisson::sys {

enum class Links : bool { follow, refuse };  // inside the root; links that leave it are clamped by the kernel

// openat2(2) with RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS and O_CLOEXEC: "/", ".." and absolute links mean `root`.
//   root    a directory descriptor, borrowed (O_PATH will do)
//   errors  os EAGAIN is retried (a rename raced with us); unsupported: kernel < 5.6
//   source  openat2(2); CVE-2021-30465, CVE-2019-18837
Result<UniqueFd> open_in_root(int root, const std::string& path, int flags, Links links = Links::follow);

// Below one directory only: no links, no "..", no other mount. For /proc and cgroup files.
Result<UniqueFd> open_beneath(int dir, const std::string& path, int flags);

// mkdir -p below the root, one descriptor at a time; returns an O_PATH descriptor of the last one.
// Directories that are there are used, also through links that stay inside; a dangling link is an error.
Result<UniqueFd> make_directories_in_root(int root, const std::string& path, mode_t mode);

// The same, and whether the last one was made now: then it lies in a file system that takes new directories, not proc.
enum class Made : bool { no, yes };
struct DirectoryInRoot {
  UniqueFd fd;
  Made made = Made::no;
};
Result<DirectoryInRoot> make_directory_in_root(int root, const std::string& path, mode_t mode);

// As above for the parents, and an empty regular file at the end if nothing is there. O_PATH.
Result<UniqueFd> make_file_in_root(int root, const std::string& path, mode_t mode);

struct ParentAndName {
  UniqueFd parent;  // O_PATH
  std::string name;
};
// The directory that holds the last component, made if it is missing. For mknodat, symlinkat, unlinkat.
Result<ParentAndName> make_parent_in_root(int root, const std::string& path, mode_t mode);

}  // namespace caisson::sys

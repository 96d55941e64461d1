// Directories as the kernel's pseudo file systems need them: rmdir, owner of one entry, how many directories it holds.
// Layer: sys. Used by cgroup and idmap.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <string>

#include "caisson/base/result.h"

namespace caisson::sys {

//   errors  os ENOENT, EBUSY, ENOTEMPTY as rmdir(2)
Result<void> remove_directory(const std::string& path);

// st_nlink: 2 and one for each directory it holds, on file systems that count them (cgroupfs, tmpfs, ext4); 1
// elsewhere.
Result<unsigned long> link_count(const std::string& path);

Result<void> remove_file(const std::string& path);  // unlink(2)

// fchownat(2), links not followed. `dir` is borrowed; an empty path means `dir` itself.
Result<void> change_owner_at(int dir, const std::string& path, uid_t uid, gid_t gid);

}  // namespace caisson::sys

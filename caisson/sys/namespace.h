// Namespaces as the kernel relates them: who is above, which user namespace owns one, and another's host name.
// Layer: sys. Used by tree.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "caisson/base/result.h"
#include "caisson/sys/unique_fd.h"

namespace caisson::sys {

// The inode number that names a namespace, from "pid:[4026531836]"; 0 if it is not such a text.
std::uint64_t namespace_of_link(std::string_view link);

// The same, of a descriptor.
Result<std::uint64_t> namespace_inode(int fd);

// Of a pid or user namespace. source: ioctl_ns(2)
//   errors  os EPERM: it is outside of our own
Result<UniqueFd> parent_namespace(int fd);
Result<UniqueFd> owning_user_namespace(int fd);

// The host name in a UTS namespace. The process is there for a moment, and must be the only thread.
//   home  its own, to come back to
//   errors  os EPERM: it may not enter; a process that cannot come back stays where nothing but a name differs
Result<std::string> host_name_in(int uts, int home);

}  // namespace caisson::sys

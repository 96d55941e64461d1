// A user namespace nobody lives in: only its maps are wanted, for idmapped mounts.
// Layer: sys. Used by runtime for mounts with maps of their own, by nest to ask whether a file system takes any.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "caisson/base/result.h"
#include "caisson/sys/unique_fd.h"

namespace caisson::sys {

// The maps as /proc/PID/uid_map takes them: "0 100000 65536\n". Costs one short-lived child.
//   source  user_namespaces(7), mount_setattr(2) "ID-mapped mounts"
Result<UniqueFd> make_map_namespace(const std::string& uid_map, const std::string& gid_map);

}  // namespace caisson::sys

// Writes the id maps of a new user namespace, by our own right or through newuidmap(1) and newgidmap(1).
// Layer: runtime. Used by spawn.cc.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <vector>

#include "caisson/base/result.h"
#include "caisson/oci/id_mapping.h"

namespace caisson::runtime {

//   may_set_groups  false: setgroups(2) is denied inside first, which the kernel asks of an unprivileged mapper
//   source          user_namespaces(7), newuidmap(1)
Result<void> write_id_maps(pid_t pid, const std::vector<oci::IdMapping>& uids, const std::vector<oci::IdMapping>& gids,
                           bool may_set_groups);

}  // namespace caisson::runtime

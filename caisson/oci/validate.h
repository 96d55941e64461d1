// Everything about a config.json that can be found wrong without asking the kernel, in runc's words.
// Layer: oci (pure). Used by runtime (before anything is made) and nest.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "caisson/base/result.h"
#include "caisson/oci/spec.h"

namespace caisson::oci {

// All errors are Kind::invalid and read as runc's do: callers match on the texts.

// 1 to 1024 of A-Z a-z 0-9 _ + . - and not "." or "..".
//   errors  "invalid container ID format"
Result<void> validate_id(std::string_view id);

// All checks of this file but the id and the rootless ones; the first failure is the answer. An absent process is one
// (create needs it). Left to the runtime, which can look: whether the root exists, whether a joined network namespace
// is the host's own (then net.* is refused), whether a bind mount at /proc is a proc, LSM and cgroup support.
Result<void> validate(const Spec& spec);

// For a caller that is not root: a user namespace, at least one id mapped, uid= and gid= of mounts mapped.
Result<void> validate_rootless(const Spec& spec);

// cwd, args, rlimits, scheduler, I/O priority, affinity. Also for `exec`.
Result<void> validate_process(const Process& process);

// Device rules, unified keys, swappiness. Also for `update`.
Result<void> validate_resources(const Resources& resources);

// One mount: null bytes and such, data on bind mounts, id maps, and validate_proc_destination.
Result<void> validate_mount(const Mount& mount, const Linux& linux);

// /proc takes a proc or a bind mount; below it only what lxcfs provides. `destination` is clean (guest_path.h): once as
// written, and once more by the runtime when symbolic links have been resolved.
Result<void> validate_proc_destination(std::string_view destination, const Mount& mount);

// Names must be of a namespace that the container does not share. A joined one counts as its own.
Result<void> validate_sysctl(const Linux& linux);

// "net.ipv4.ip_forward" and "net/ipv4/ip_forward" -> "net/ipv4/ip_forward", below /proc/sys. The first separator
// decides which of the two it is, as in sysctl(8): "net.ipv4.conf.eth0/1.mtu" -> "net/ipv4/conf/eth0.1/mtu".
// Write only to what this returns: it is what validate_sysctl judged.
//   errors  empty, "..", or components and characters that no sysctl has
Result<std::string> sysctl_path(std::string_view name);

// Ranges that are not empty, do not wrap or overlap on either side, at most 340 (user_namespaces(7)).
Result<void> validate_id_mappings(const std::vector<IdMapping>& mappings);

}  // namespace caisson::oci

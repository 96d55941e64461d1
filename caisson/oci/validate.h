// Everything about a config.json that can be found wrong without asking the kernel, in runc's words.
// Layer: oci (pure). Used by runtime (before anything is made) and nest.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "caisson/base/result.h"
#include "caisson/oci/spec.h"

namespace caisson::oci {

// 1 to 1024 of A-Z a-z 0-9 _ + . - and not "." or "..".
// errors: invalid "invalid container ID format"
Result<void> validate_id(std::string_view id);

// cwd, args, rlimits, scheduler, ioPriority, affinity. Also for `exec`.
Result<void> validate_process(const Process& process);

// All checks, cheapest first; the first failure is the answer. An absent process is an error (create needs it).
Result<void> validate(const Spec& spec);

// Names must be of a namespace that the container does not share with the host.
Result<void> validate_sysctl(const Linux& linux);

// "net.ipv4.ip_forward" and "net/ipv4/ip_forward" -> "net/ipv4/ip_forward", below /proc/sys. The first separator
// decides which of the two it is, as in sysctl(8): "net.ipv4.conf.eth0/1.mtu" -> "net/ipv4/conf/eth0.1/mtu".
// errors: invalid (empty, "..", or other components and characters that no sysctl has)
Result<std::string> sysctl_path(std::string_view name);

// Ranges that do not overlap on either side and are not empty, at most 340 (user_namespaces(7)).
Result<void> validate_id_mappings(const std::vector<IdMapping>& mappings);

}  // namespace caisson::oci

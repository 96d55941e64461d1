// The config.json that the `spec` command writes: runc's, so that existing instructions and scripts work.
// Layer: oci (pure). Used by the runtime's `spec` command and by tests.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "caisson/oci/spec.h"

namespace caisson::oci {

Spec default_spec();

// What `spec --rootless` changes: a user namespace with one id mapped, no network namespace, /sys bound, no cgroup.
Spec rootless_spec(std::uint32_t uid, std::uint32_t gid);

// Indented by a tab, as runc writes it; no newline at the end.
std::string print_indented(const Spec& spec);

}  // namespace caisson::oci

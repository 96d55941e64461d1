// Capabilities of this thread, as masks by capability number.
// Layer: sys. Used by runtime for a container's process, by nest for its supervisor.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "caisson/base/result.h"

namespace caisson::sys {

struct Capabilities {
  std::uint64_t effective = 0;
  std::uint64_t permitted = 0;
  std::uint64_t inheritable = 0;
};

//   source  capget(2)
Result<Capabilities> capabilities();
Result<void> set_capabilities(const Capabilities& wanted);

// For good, and for every program that this thread executes. source: capabilities(7) "Capability bounding set"
Result<void> drop_bounding(std::uint64_t keep);

}  // namespace caisson::sys

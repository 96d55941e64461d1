// Which 65,536 host ids a nest has, for as long as its record is there (DESIGN D5).
// Layer: nest. Used by record.cc, under its lock.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "caisson/base/result.h"

namespace caisson::nest {

// One range per key; asked again, the same.  errors  conflict: the pool is empty
Result<std::uint32_t> allocate_range(const std::string& state, const std::string& key);
Result<void> free_range(const std::string& state, const std::string& key);

}  // namespace caisson::nest

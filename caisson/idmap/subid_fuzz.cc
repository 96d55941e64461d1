// Fuzz: /etc/subuid text never crashes, and never yields a slice that is not in the pool.
// Layer: idmap, fuzz target.
// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "caisson/idmap/pool.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto entries = caisson::idmap::parse_subid({reinterpret_cast<const char*>(data), size});
  for (const auto& entry : entries)
    if (entry.count == 0 || std::uint64_t{entry.first} + entry.count > 0xffffffffULL) std::abort();
  const caisson::idmap::Pool pool = caisson::idmap::make_pool(entries, {});
  if (const auto slice = caisson::idmap::find_slice(pool, {}, static_cast<std::uint32_t>(size * 65537))) {
    for (const auto& other : pool.others)
      if (slice->first < std::uint64_t{other.first} + other.size &&
          other.first < std::uint64_t{slice->first} + slice->size)
        std::abort();
  }
  return 0;
}

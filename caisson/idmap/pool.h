// Pool: the host ids that nests get their ranges from, and those nobody may be given.
// Layer: idmap. Pure, but for load_pool(). Used by allocator.h.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "caisson/base/result.h"
#include "caisson/idmap/subid.h"

namespace caisson::idmap {

// The same numbers for users and groups.
struct IdRange {
  std::uint32_t first = 0;
  std::uint32_t size = 0;
  bool operator==(const IdRange&) const = default;
};

inline constexpr std::uint32_t slice_size = 65536;  // what one nest gets

// Without an entry `caisson`: 0x70000000 up to 0x7ffdffff, 4094 slices. Above systemd's ranges for containers
// (0x00080000-0x6fffffff), below its foreign ids (0x7ffe0000). source: systemd's UIDS-GIDS.md
inline constexpr IdRange default_pool = {0x70000000, 0x0ffe0000};

struct Pool {
  std::vector<IdRange> ours;
  std::vector<IdRange> others;  // entries of other owners: never given, even where they overlap ours
};

// Ours are the entries of `caisson` that both files have; one file alone counts for both.
Pool make_pool(const std::vector<SubidEntry>& subuid, const std::vector<SubidEntry>& subgid);

// The first free slice at or after `from`, then from the pool's start; nothing when all is taken.
std::optional<IdRange> find_slice(const Pool& pool, const std::vector<IdRange>& taken, std::uint32_t from);

// From /etc/subuid and /etc/subgid; a file that is not there is empty.
Result<Pool> load_pool();

}  // namespace caisson::idmap

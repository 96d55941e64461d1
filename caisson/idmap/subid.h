// /etc/subuid and /etc/subgid: who may use which host ids in user namespaces.
// Layer: idmap. Pure. Used by pool.h, and by a rootless runtime for its own user.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace caisson::idmap {

struct SubidEntry {
  std::string owner;  // a login name or a uid, as written
  std::uint32_t first = 0;
  std::uint32_t count = 0;
  bool operator==(const SubidEntry&) const = default;
};

// "name:first:count" lines. What is not such a line, or reaches past the last id, is passed over, as shadow does.
//   source  subuid(5)
std::vector<SubidEntry> parse_subid(std::string_view text);

}  // namespace caisson::idmap

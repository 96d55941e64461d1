// User namespaces, as /proc tells them.
// Layer: sys. Used by runtime to choose its defaults, by nest for a nest's ids.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "caisson/base/result.h"

namespace caisson::sys {

// A line of a map. source: user_namespaces(7), "User and group ID mappings"
struct IdExtent {
  std::uint32_t inside = 0;
  std::uint32_t outside = 0;
  std::uint32_t count = 0;
};

// What is not a line of three numbers is left out. Pure.
std::vector<IdExtent> parse_id_map(std::string_view text);

// /proc/PID/uid_map or gid_map.
Result<std::vector<IdExtent>> read_id_map(const std::string& path);

// Are we the machine's root, or root of a user namespace only? True unless our map is the initial namespace's.
Result<bool> in_user_namespace();

}  // namespace caisson::sys

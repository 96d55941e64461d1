// Finds a user by number in the text of a passwd file: the host's, or an image's, which may be of any size and form.
// Pure. Layer: runtime. Used by process_setup.cc (HOME) and state.cc (the owner that `list` shows).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace caisson::runtime {

struct PasswdEntry {
  std::string_view name, home;  // parts of the text they were found in
};

// The first line of that user; lines without all of "name:password:uid:gid:comment:home" are not looked at. source:
// passwd(5) Not getpwuid(3): a static executable must not load NSS modules, least of all a container's.
std::optional<PasswdEntry> find_user(std::string_view passwd, std::uint32_t uid);

}  // namespace caisson::runtime

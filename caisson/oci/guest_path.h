// Paths of config.json as text: what "/a//b/../c" means before any symbolic link has its say.
// Layer: oci (pure). Used by oci/validate.h, runtime and nest to compare destinations, never to open them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace caisson::oci {

// Absolute, without "", "." and "..", without a slash at the end: "proc/./x/.." -> "/proc". ".." stops at "/".
std::string clean_guest_path(std::string_view path);

// `inner` is `outer` or below it; both are clean.
bool is_within(std::string_view outer, std::string_view inner);

}  // namespace caisson::oci

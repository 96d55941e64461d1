// Fuzz: layout text, which the kernel or a damaged state file may give, never crashes and never leaves its laws.
// Layer: cgroup, fuzz target.
// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "caisson/cgroup/placement.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t half = text.find('\0');
  const auto layout =
      caisson::cgroup::parse_layout(text.substr(0, half), half == text.npos ? text : text.substr(half + 1));
  for (const auto& hierarchy : layout.hierarchies) {
    if (!hierarchy.mount_point.starts_with('/') || !hierarchy.own.starts_with('/')) std::abort();
    if (hierarchy.version == caisson::cgroup::Version::v1 && hierarchy.controllers.empty()) std::abort();
  }
  (void)caisson::cgroup::place(layout, "", "box");
  return 0;
}

// Fuzz: placement text, which the kernel or a damaged state file may give, never crashes and never leaves its laws.
// Layer: cgroup, fuzz target.
// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "caisson/cgroup/placement.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto placement = caisson::cgroup::parse_placement(text)) {
    for (const auto& directory : (*placement).directories)
      if (directory.path == "/" || (directory.absolute() + "/").find("/../") != std::string::npos) std::abort();
    const std::string printed = print(*placement);
    const auto again = caisson::cgroup::parse_placement(printed);
    if (!again || print(*again) != printed) std::abort();
  }
  const caisson::cgroup::Layout layout{{{caisson::cgroup::Version::v2, {}, "/sys/fs/cgroup", "/", "/own"}}};
  if (const auto placement = caisson::cgroup::place(layout, text, "box"))
    if (!caisson::cgroup::parse_placement(print(*placement))) std::abort();
  return 0;
}

// Fuzz: whatever cgroupsPath and id are, a unit's directory is below its manager's and has no way up.
// Layer: cgroup tests. ./dev fuzz runs it.
// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "caisson/cgroup/unit_name.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace cgroup = caisson::cgroup;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto name = cgroup::parse_unit_name(text, text, cgroup::Systemd::system);
  if (!name) return 0;
  const cgroup::Layout layout{{{cgroup::Version::v2, {}, "/c", "/", "/own"}}};
  const auto placement = cgroup::place_unit(layout, *name, "/manager");
  if (!placement) std::abort();
  const std::string& path = placement->directories[0].path;
  if (!path.starts_with("/manager/") || (path + "/").find("/../") != path.npos || path.find("//") != path.npos)
    std::abort();
  if (!cgroup::parse_placement(cgroup::print(*placement))) std::abort();  // the state file brings it back
  return 0;
}

// What a container is called by systemd: its unit, the slice that is in, and the directories both mean.
// Layer: cgroup. Pure. Used by the runtime's systemd driver; placement.h is the driver without systemd.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "caisson/base/result.h"
#include "caisson/cgroup/layout.h"
#include "caisson/cgroup/placement.h"

namespace caisson::cgroup {

enum class Systemd : bool {
  system,
  user,  // the caller's own: `systemctl --user`
};

struct UnitName {
  std::string slice;  // "machine.slice"; "-.slice" is the root
  std::string unit;   // "libpod-ID.scope", or a slice

  bool is_slice() const { return unit.ends_with(".slice"); }
};

// cgroupsPath is "slice:prefix:name", or empty for ":runc:ID". An empty slice is system.slice, or user.slice. The unit
// is prefix-name.scope, or name alone if that is a slice.
//   errors  invalid: not of that form, or not the name of a unit
Result<UnitName> parse_unit_name(std::string_view cgroups_path, std::string_view id, Systemd systemd);

// "a-b.slice" -> "/a.slice/a-b.slice"; "-.slice" -> "/".
//   errors  invalid: no slice
//   source  systemd.slice(5)
Result<std::string> expand_slice(std::string_view slice);

// The unit's directory in each hierarchy.
//   manager  the cgroup that systemd has put everything in: "" on a machine, "/user.slice/.../user@1000.service" of a
//            user's
//   errors  unsupported: no cgroup file system is mounted
Result<Placement> place_unit(const Layout& layout, const UnitName& name, const std::string& manager);

}  // namespace caisson::cgroup

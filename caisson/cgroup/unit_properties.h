// A container's unit as systemd's properties: what it is, its limits, its devices.
// Layer: cgroup. Pure. Used by the runtime's systemd driver; tests read the properties' text.
// SPDX-License-Identifier: Apache-2.0
//
// systemd writes the same files again whenever it likes (daemon-reload): what it is not told, it takes back. For what
// it has no property for, and for exact values, the files are written by us after it (limits.h).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "caisson/cgroup/layout.h"
#include "caisson/cgroup/limits.h"
#include "caisson/cgroup/unit_name.h"
#include "caisson/dbus/message.h"
#include "caisson/oci/resources.h"

namespace caisson::cgroup {

using Properties = std::vector<dbus::Property>;

// A new scope, with one process; or a slice, which takes none.
Properties unit_properties(const UnitName& name, std::string_view id, pid_t member, Mode mode);

// The limits a plan would write into files, as far as systemd of this version has properties for them. Raw files of
// `unified` are settings too, and so are mapped.
//   source  systemd.resource-control(5), org.freedesktop.systemd1(5)
Result<Properties> limit_properties(const std::vector<Setting>& settings, unsigned systemd_version);

// DevicePolicy and DeviceAllow for rules that forbid all but a list; for others systemd is told to let all pass, and
// our own program or files are alone. A part that is taken out of an allowed range cannot be said to systemd either.
//   proc_devices  the text of /proc/devices: systemd knows drivers with all their minors by name only
Properties device_properties(const std::vector<oci::DeviceRule>& rules, std::string_view proc_devices);

}  // namespace caisson::cgroup

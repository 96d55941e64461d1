// Grants: everything that a nest is given beyond a plain container, by name: the one table (DESIGN D9). Pure.
// Layer: nest. Read by the plan, the filter (trapped.cc), the handlers, `caisson grants` and docs/guide/grants.md.
// SPDX-License-Identifier: Apache-2.0
//
// A list of grants, as an annotation or a flag has it, is words with commas between them:
//   default            what dockerd, containerd, systemd and kubelet need; none: nothing
//   NAME, +NAME        given; device:PATH may be there for several paths
//   -NAME              taken away again
// A list that begins with a sign begins with the default set: "+kvm,-mknod" is "default,kvm,-mknod".
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "caisson/base/result.h"

namespace caisson::nest {

// In the table's order.
enum class Grant : unsigned char {
  mount,
  cgroup,
  net,
  sysctl,
  mknod,
  fuse,
  tun,
  rlimit,
  priority,
  modules,
  trusted_xattr,
  bpf,
  kmsg,
  nfs,
  loop,
  kvm,
  device,
  always,  // not in the table: of a trapped call that every nest has
};

enum class Given : bool { on_request, by_default };

struct GrantRow {
  Grant grant;
  const char* name;                           // "device:PATH" stands for all of them
  const char* summary;                        // one line for people
  Given given;                                // whether the default set has it
  std::span<const char* const> capabilities;  // not in the bounding set without it
  std::span<const char* const> calls;         // opened in the caller's filter; without it they fail with EPERM
  std::span<const char* const> devices;       // nodes made, of the host's numbers, and allowed by the device rules
  const char* nodes;                          // what of the view of /proc and /sys is there only with it, or ""
  const char* needs;                          // what this kernel and host must have, or ""
  const char* refused;                        // why it cannot be given, or ""
};
std::span<const GrantRow> grants();

class GrantSet {
 public:
  GrantSet() = default;  // nothing
  static GrantSet by_default();

  bool has(Grant grant) const { return grant == Grant::always || (bits_ >> index(grant) & 1U) != 0; }
  const std::vector<std::string>& devices() const { return devices_; }  // PATH of each device:PATH, sorted
  void give(Grant grant) { bits_ |= 1U << index(grant); }
  void take(Grant grant) { bits_ &= ~(1U << index(grant)); }
  void give_device(std::string path);
  void take_device(std::string_view path);

  // Nodes of the host that its grants name, those of device:PATH last.
  std::vector<std::string> device_paths() const;
  bool operator==(const GrantSet&) const = default;

 private:
  static unsigned index(Grant grant) { return static_cast<unsigned>(grant); }
  std::uint32_t bits_ = 0;  // never that of Grant::device
  std::vector<std::string> devices_;
};

//   errors  invalid: naming the word that is unknown, refused or there twice, and the known ones
Result<GrantSet> parse_grants(std::string_view list);

// The list that parse_grants() reads as `set`: its names in the table's order, or "none".
std::string to_text(const GrantSet& set);

}  // namespace caisson::nest

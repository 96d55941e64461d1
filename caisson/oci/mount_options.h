// What the option words of a mount mean: flags, propagation, recursive attributes, extensions, or data for the fs.
// Layer: oci (pure). Used by runtime, nest and the `features` document.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "caisson/oci/mount.h"

namespace caisson::oci {

enum class Idmap : unsigned char { none, flat, recursive };  // options idmap and ridmap

struct MountOptions {
  unsigned long flags = 0;                   // MS_*; bind mounts have MS_BIND, maybe MS_REC
  unsigned long cleared = 0;                 // MS_* that a word cleared: "rw" must undo the "ro" of what is bound
  std::vector<unsigned long> propagation{};  // MS_SHARED.. [| MS_REC], each applied after the mount, in order
  std::uint64_t attr_set = 0;                // MOUNT_ATTR_* for mount_setattr with AT_RECURSIVE
  std::uint64_t attr_clear = 0;              // complete: __ATIME is in it when an access time is set
  Idmap idmap = Idmap::none;
  bool copy_up = false;  // tmpcopyup
  bool view = false;     // x-caisson.view: over a node of the kernel's /proc or /sys, if it is there
  bool inside = false;   // x-caisson.inside: made by the container's root (annotation io.caisson.locked-mounts)
  std::string data{};    // every other word, joined by commas
  bool operator==(const MountOptions&) const = default;

  bool has_attributes() const { return attr_set != 0 || attr_clear != 0; }
};

MountOptions parse_mount_options(const std::vector<std::string>& options);

// By option, which is what runc looks at, or by type "bind" alone (then `flags` has no MS_BIND).
bool is_bind(const Mount& mount, const MountOptions& options);

// The words of the table, sorted, for the `features` document.
std::vector<std::string_view> mount_option_names();

// "private", "rslave", "shared" ... for linux.rootfsPropagation; 0: unknown.
unsigned long propagation_flags(std::string_view name);

}  // namespace caisson::oci

// What will be mounted, decided before anything is. Planning is pure: every rule of the OCI mount list is tested
// without root. rootfs.h walks the plan once.
// Layer: runtime (pure). Used by plan.h and rootfs.h.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "caisson/base/result.h"
#include "caisson/oci/mount_options.h"
#include "caisson/oci/spec.h"

namespace caisson::runtime {

enum class MountKind : unsigned char {
  bind,        // a clone of something the caller's mount namespace has
  filesystem,  // a new instance of a file system
  cgroup,      // the container's view of every hierarchy (OCI type "cgroup")
  remount,     // changes what an earlier step mounted (option "remount")
};

struct MountStep {
  MountKind kind = MountKind::filesystem;
  std::string target;  // absolute inside the root, without "." and ".."
  std::string type, source;
  oci::MountOptions options;
  std::vector<oci::IdMapping> uid_mappings, gid_mappings;  // bind: its own maps; empty with an idmap option: ours
  bool read_only_last = false;  // tmpfs: made writable, closed after devices and mount points are in it
};

//   bundle  absolute: relative sources of bind mounts start there
//   errors  invalid: naming the mount and what is wrong with it
//   source  runtime-spec config.md "Mounts", config-linux.md "Default Filesystems"
Result<std::vector<MountStep>> plan_mounts(const oci::Spec& spec, const std::string& bundle);

std::string to_text(const MountStep& step);

}  // namespace caisson::runtime

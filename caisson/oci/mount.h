// One entry of config.json `mounts`. What its options mean is in oci/mount_options.h.
// Layer: oci (plain data). Used by runtime and nest.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "caisson/oci/id_mapping.h"

namespace caisson::oci {

struct Mount {
  std::string destination{};  // may be relative: then it is taken from the container's root
  std::string type{};         // "", "none" or "bind" with option bind/rbind is a bind mount
  std::string source{};       // relative sources of bind mounts are taken from the bundle
  std::vector<std::string> options{};
  std::vector<IdMapping> uid_mappings{};  // not empty: an idmapped mount
  std::vector<IdMapping> gid_mappings{};
  bool operator==(const Mount&) const = default;
};

}  // namespace caisson::oci

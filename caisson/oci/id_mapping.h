// One range of a user or group id map, as config.json writes it.
// Layer: oci (plain data). Used by oci/mount.h, oci/linux.h, idmap, runtime and nest.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace caisson::oci {

struct IdMapping {
  std::uint32_t container_id = 0;
  std::uint32_t host_id = 0;
  std::uint32_t size = 0;
  bool operator==(const IdMapping&) const = default;
};

}  // namespace caisson::oci

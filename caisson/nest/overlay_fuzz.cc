// Fuzz: mountinfo and an overlay's options never crash us; what is read has a mount point, and layers that are not
// empty. Layer: nest, fuzz target. SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "caisson/nest/overlay.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace nest = caisson::nest;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto line = nest::parse_mount_line(text); line && line->point.empty()) std::abort();
  (void)nest::mount_of(text, "/var/lib/docker/overlay2/x/merged");
  if (const auto overlay = nest::parse_overlay(text))
    for (const auto& layer : overlay->lower)
      if (layer.empty()) std::abort();
  return 0;
}

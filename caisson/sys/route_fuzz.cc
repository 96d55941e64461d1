// Fuzz: rtnetlink's messages, whole or cut short, never make us read beyond them. Layer: sys, fuzz target.
// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "caisson/sys/route.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view message(reinterpret_cast<const char*>(data), size);
  if (caisson::sys::parse_device(message).name.size() > size) std::abort();
  const auto address = caisson::sys::parse_address(message);
  if (address.local.size() + address.peer.size() + address.broadcast.size() > 3 * size) std::abort();
  return 0;
}

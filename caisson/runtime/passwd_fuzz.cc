// Fuzz: an image's passwd never crashes us, and what is found is a part of it.
// Layer: runtime, fuzz target.
// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "caisson/runtime/passwd.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const std::uint32_t uid : {0U, 7U, 1000U, 4294967294U}) {
    const auto found = caisson::runtime::find_user(text, uid);
    if (found && (text.find(found->name) == text.npos || found->home.find('\n') != found->home.npos)) std::abort();
  }
  return 0;
}

// Fuzz: arguments of trapped calls, as a hostile caller writes them, are read without a crash and mean what they may.
// Layer: nest, fuzz target.
// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "caisson/nest/arguments.h"

static void must(bool holds) {
  if (!holds) std::abort();
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace caisson::nest;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::uint64_t number = 0;
  std::memcpy(&number, data, size < sizeof number ? size : sizeof number);
  (void)mount_attributes(number);
  (void)device_of(number);
  for (const auto& option : mount_options(text)) must(option.key.find(',') == std::string::npos && option.fd < 0);
  const OwnDescriptor own = own_descriptor(text);
  must(own.number >= -1 && (own.rest.empty() || own.rest.front() != '/'));
  const EntryPath entry = entry_path(text);
  must(entry.code != 0 || (!entry.name.empty() && entry.name.find('/') == std::string::npos && entry.name != ".."));
  must(entry.code != 0 || !entry.parent.empty());
  (void)parse_credentials(text);
  (void)lists_mount(text, number);
  (void)children_of(text, number);
  return 0;
}

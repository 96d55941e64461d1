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
  namespace nest = caisson::nest;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::uint64_t number = 0;
  std::memcpy(&number, data, size < sizeof number ? size : sizeof number);
  (void)nest::mount_attributes(number);
  (void)nest::device_of(number);
  for (const auto& option : nest::mount_options(text)) must(option.key.find(',') == std::string::npos && option.fd < 0);
  const nest::OwnDescriptor own = nest::own_descriptor(text);
  must(own.number >= -1 && (own.rest.empty() || own.rest.front() != '/'));
  const nest::EntryPath entry = nest::entry_path(text);
  must(entry.code != 0 || (!entry.name.empty() && entry.name.find('/') == std::string::npos && entry.name != ".."));
  must(entry.code != 0 || !entry.parent.empty());
  (void)nest::parse_credentials(text);
  (void)nest::parse_limit({data, size});
  must(nest::nice_of(static_cast<int>(number)) >= -20 && nest::nice_of(static_cast<int>(number)) <= 19);
  for (const std::string& name : {nest::module_of_path(text), nest::module_of_image(text)})
    must(name.find('/') == std::string::npos && name.find('.') == std::string::npos);
  must(nest::visible_attributes(text).size() <= size + 1);
  (void)nest::lists_module(text, "overlay");
  (void)nest::children_of(text, number);
  return 0;
}

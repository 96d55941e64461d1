// Fuzz: a damaged state.json, descriptors.json or mountinfo never crashes us; a state that is read is printed and read
// as the same. Layer: runtime, fuzz target. SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "caisson/runtime/criu.h"
#include "caisson/runtime/state.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace runtime = caisson::runtime;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto state = runtime::parse_state_file(text)) {
    const std::string printed = runtime::print_state_file(*state);
    const auto again = runtime::parse_state_file(printed);
    if (!again || runtime::print_state_file(*again) != printed) std::abort();
  }
  if (const auto names = runtime::parse_descriptors(text)) {
    const auto again = runtime::parse_descriptors(runtime::print_descriptors(*names));
    if (!again || *again != *names) std::abort();
  }
  runtime::Plan plan;
  plan.masked_paths = {"/proc/kcore", "/proc/keys"};
  if (runtime::masked_files(plan, text).size() > size) std::abort();
  return 0;
}

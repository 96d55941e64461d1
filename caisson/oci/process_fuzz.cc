// Fuzz: the smaller texts (a process, resources, a state, a list of numbers) never crash, and print as they were read.
// Layer: oci, fuzz target.
// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "caisson/oci/number_list.h"
#include "caisson/oci/process.h"
#include "caisson/oci/resources.h"
#include "caisson/oci/spec.h"
#include "caisson/oci/state.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace oci = caisson::oci;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)oci::parse_process(text);
  (void)oci::parse_resources(text);
  (void)oci::parse_number_list(text);
  if (const auto state = oci::parse_state(text)) {
    const auto again = oci::parse_state(oci::print_state(*state, oci::Layout::line));
    if (!again || !(*again == *state)) std::abort();
  }
  return 0;
}

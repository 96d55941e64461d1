// Fuzz: states, resources and lists of numbers of any form never crash the readers; a state that is read is printed and
// read as the same. Layer: oci, fuzz target. SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "caisson/oci/number_list.h"
#include "caisson/oci/resources.h"
#include "caisson/oci/state.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace oci = caisson::oci;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto state = oci::parse_state(text))
    for (const oci::Layout layout : {oci::Layout::line, oci::Layout::indented}) {
      const auto again = oci::parse_state(oci::print_state(*state, layout));
      if (!again || *again != *state) std::abort();
    }
  (void)oci::parse_resources(text);
  if (const auto list = oci::parse_number_list(text); list && list->size() > 65536 / (8 * sizeof(long))) std::abort();
  return 0;
}

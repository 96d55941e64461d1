// Fuzz: what is written to a node, of any form, is refused or taken as its rule says; what is taken is taken again.
// Layer: procview, fuzz target. SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "caisson/procview/values.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace procview = caisson::procview;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const procview::Row& row : procview::table()) {
    if (row.rule.form == procview::Form::none) continue;
    const auto shown = procview::accept_value(row.rule, text, "1\n");
    if (!shown) continue;
    const auto again = procview::accept_value(row.rule, *shown, *shown);
    if (!again || *again != *shown) std::abort();
  }
  return 0;
}

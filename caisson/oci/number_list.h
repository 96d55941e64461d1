// Lists of numbers as the kernel writes them for CPUs and memory nodes: "0-3,7".
// Layer: oci (pure). Used by oci/validate.h and by runtime for sched_setaffinity(2) and set_mempolicy(2).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

#include "caisson/base/result.h"

namespace caisson::oci {

// Bit n of word n / (8 * sizeof(long)) is set for every n in the list, as both calls want their masks. Blanks around
// numbers are skipped; an empty list gives an empty vector.
// errors: invalid (not a list, a range that ends before it starts, a number above 65535)
Result<std::vector<unsigned long>> parse_number_list(std::string_view list);

}  // namespace caisson::oci

// Asks the kernel: every process of /proc, its namespaces, and how these relate.
// Layer: tree. Used by main.cc.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "caisson/base/result.h"
#include "caisson/tree/facts.h"

namespace caisson::tree {

enum class Outermost : bool { counted, described };  // processes in no container below us

// A process that ends meanwhile is left out.
Result<Facts> gather(Outermost outermost);

// Adds what our own records say. `roots`: of the runtime's state, beside those that nests' records name.
void add_records(Facts& facts, const std::vector<std::string>& roots, const std::string& nests_run);

}  // namespace caisson::tree

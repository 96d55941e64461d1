// `caisson grants`: the table of grants for people and programs, with what this host can give.
// Layer: nest. Used by apps/caisson.cc; the guide's test compares grants_guide() with docs/guide/grants.md.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace caisson::nest {

// argv[0] is not looked at. 1 for an error.
int grants_main(int argc, char** argv);

// The table as the guide has it.
std::string grants_guide();

}  // namespace caisson::nest

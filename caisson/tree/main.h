// `caisson tree`: from argv to the exit status, and its row of the command line for help, manual page and completion.
// Layer: tree. Used by apps/caisson.cc.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "caisson/runtime/flags.h"

namespace caisson::tree {

const runtime::Command& tree_command();

// argv[0] is not looked at. 1 for an error.
int tree_main(int argc, char** argv);

}  // namespace caisson::tree

// `caisson trace`: from argv to the command's exit status, and its row of the command line.
// Layer: trace. Used by apps/caisson.cc.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "caisson/runtime/flags.h"

namespace caisson::trace {

const runtime::Command& trace_command();

// argv[0] is not looked at. Ends as the command does; 125: it could not be followed.
int trace_main(int argc, char** argv);

}  // namespace caisson::trace

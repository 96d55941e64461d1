// caisson-runtime's command line, from argv to the exit status.
// Layer: runtime. Used by apps/caisson.cc.
// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace caisson::runtime {

// argv[0] is not looked at. 0, what the command says, 1 for an error (255 in exec, as runc), 3 for an unknown command.
int runtime_main(int argc, char** argv);

}  // namespace caisson::runtime

// caisson-nest: an OCI runtime whose containers can hold container engines.
// Layer: nest. Used by apps.
// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace caisson::nest {

// The exit status. Every command that nest has nothing to say about becomes caisson-runtime's.
int nest_main(int argc, char** argv);

}  // namespace caisson::nest

// caisson-supervisor: one a nest. Answers its trapped system calls and serves its view of /proc and /sys.
// Layer: nest. Started by caisson-shim with the descriptors that shim.h names; may be killed at any moment.
// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace caisson::nest {

// `caisson-supervisor --directory DIR`
int supervisor_main(int argc, char** argv);

}  // namespace caisson::nest

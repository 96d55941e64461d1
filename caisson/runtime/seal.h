// Makes our own executable unwritable through /proc/PID/exe before a process of ours can be seen from a container.
// Layer: runtime. Called first by create, run and exec. CVE-2019-5736
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "caisson/base/result.h"

namespace caisson::runtime {

// Runs this program again from a read-only clone of the mount it is on, or (without the right to clone mounts) from a
// sealed copy in memory; returns at once in the program that was run so. Arguments and environment are the same,
// argv[0] is "caisson-runtime".
//   errors  os: neither works
Result<void> seal_executable(char** argv);

}  // namespace caisson::runtime

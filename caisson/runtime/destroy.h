// The end of a container: killed, its cgroup and its record removed, its poststop hooks run.
// Layer: runtime. Used by delete, by run, and by create and start when they fail.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "caisson/base/result.h"
#include "caisson/runtime/context.h"
#include "caisson/runtime/state.h"

namespace caisson::runtime {

// Kills what is alive and waits for the end of init, which need not be our child, nor reaped. The record must hold the
// lock. A poststop hook that fails is a warning.
//   spec  its config, from a caller that has it; null: read from the record
Result<void> destroy_container(const Context& context, Record record, const ContainerState& state,
                               const oci::Spec* spec = nullptr);

}  // namespace caisson::runtime

// The value flags of `update` as the resources they mean.
// Layer: runtime (pure). Used by command_update.cc.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "caisson/base/result.h"
#include "caisson/oci/resources.h"
#include "caisson/runtime/flags.h"

namespace caisson::runtime {

// Only what was given is set: the rest stays as it is.
//   errors  invalid: `invalid value for memory: "64X"`
Result<oci::Resources> resources_of(const Arguments& arguments);

}  // namespace caisson::runtime

// The checks of config.json's `linux` section.
// Layer: oci (private to it). Used by validate.cc.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "caisson/base/result.h"
#include "caisson/oci/linux.h"

namespace caisson::oci {

Result<void> validate_linux(const Linux& linux);

}  // namespace caisson::oci

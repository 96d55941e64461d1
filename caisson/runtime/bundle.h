// The bundle: its directory and what its config.json says, read and planned.
// Layer: runtime. Used by create, run and plan.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "caisson/base/result.h"
#include "caisson/oci/spec.h"
#include "caisson/runtime/plan.h"

namespace caisson::runtime {

struct Bundle {
  std::string path;    // absolute
  std::string config;  // the text of config.json
  oci::Spec spec;
  Plan plan;
};

//   path    "": the working directory
//   errors  invalid, not_found: naming the file or the field
Result<Bundle> read_bundle(const std::string& path);

}  // namespace caisson::runtime

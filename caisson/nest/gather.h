// Asks this machine what the plan needs to know: by doing, never by version.
// Layer: nest. Used by create.cc and exec.cc.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "caisson/base/result.h"
#include "caisson/nest/facts.h"
#include "caisson/oci/spec.h"

namespace caisson::nest {

// The root file system that config.json names: where it is, what it is made of. Relative layers are made absolute.
//   errors  invalid: no such directory; unsupported: an overlay that cannot be mounted again
Result<RootFacts> gather_root(const oci::Spec& spec, const std::string& bundle);

// Our own limits, which no container of ours can exceed without CAP_SYS_RESOURCE.
Result<void> gather_limits(Facts& facts);

// Which bind mounts, the root and the data directory take id maps. `facts.root`, `bundle` and `first_id` are set.
Result<void> gather_sources(Facts& facts, const oci::Spec& spec);

// What the image says about its engines: Docker's data-root, and data roots that are not empty.
Result<void> gather_image(Facts& facts);

// Nodes that a nest has beyond a plain container's, and this host has not.
Result<void> gather_devices(Facts& facts);

// The devices of grants on request, as this host has them.
//   errors  unsupported: naming the grant and what this host lacks; denied: a device that is never given
Result<std::vector<oci::Device>> gather_granted(const GrantSet& given);

// Sources of bind mounts as absolute paths: the rewritten config.json lives in another bundle.
void make_sources_absolute(oci::Spec& spec, const std::string& bundle);

}  // namespace caisson::nest

// Fuzzes config.json: any text is refused or parsed, and what was parsed prints and parses to the same.
// Layer: tests of oci only.
// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "caisson/oci/document.h"
#include "caisson/oci/mount_options.h"
#include "caisson/oci/validate.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace oci = caisson::oci;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  caisson::Result<oci::Spec> spec = oci::parse_spec(text);
  if (!spec) return 0;
  caisson::Result<oci::Spec> again = oci::parse_spec(oci::print_spec(*spec));
  if (!again || !(*again == *spec)) std::abort();
  caisson::Result<oci::Document> document = oci::Document::parse(text, "config.json");
  if (!document) std::abort();
  document->put(*spec);
  caisson::Result<oci::Spec> kept = document->spec();
  if (!kept || !(*kept == *spec)) std::abort();
  caisson::Result<void> valid = oci::validate(*spec);
  for (const auto& [name, value] : spec->linux.sysctl) {
    caisson::Result<std::string> path = oci::sysctl_path(name);
    if (valid && (!path || path->find("..") != std::string::npos || path->starts_with('/'))) std::abort();
  }
  return 0;
}

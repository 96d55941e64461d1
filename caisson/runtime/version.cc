#include "caisson/runtime/version.h"

#include "caisson/oci/state.h"

namespace caisson::runtime {

std::string_view version() { return CAISSON_VERSION; }
std::string_view commit() { return CAISSON_COMMIT; }

std::string version_text() {
  return "caisson-runtime version " + std::string(version()) + "\ncommit: " + std::string(commit()) +
         "\nspec: " + std::string(oci::kVersion) + "\n";
}

}  // namespace caisson::runtime

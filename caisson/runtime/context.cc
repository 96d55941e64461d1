#include "caisson/runtime/context.h"

#include <unistd.h>

#include "caisson/sys/user_namespace.h"

namespace caisson::runtime {

bool is_rootless(const Context& context) {
  if (context.rootless) return *context.rootless;
  return ::geteuid() != 0 || sys::in_user_namespace();
}

}  // namespace caisson::runtime

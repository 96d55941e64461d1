#include "caisson/runtime/context.h"

#include <unistd.h>

#include "caisson/sys/user_namespace.h"

namespace caisson::runtime {

Result<bool> is_rootless(const Context& context) {
  if (context.rootless) return *context.rootless;
  if (::geteuid() != 0) return true;
  return sys::in_user_namespace();
}

}  // namespace caisson::runtime

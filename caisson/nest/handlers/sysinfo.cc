// sysinfo
// SPDX-License-Identifier: Apache-2.0
#include "caisson/nest/handlers/handlers.h"
namespace caisson::nest {
seccomp::Answer handle_sysinfo(Call&) { return seccomp::Answer::native(); }
seccomp::Answer handle_mount(Call&) { return seccomp::Answer::native(); }
seccomp::Answer handle_umount(Call&) { return seccomp::Answer::native(); }
}  // namespace caisson::nest

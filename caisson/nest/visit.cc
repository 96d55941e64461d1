#include "caisson/nest/visit.h"

#include <unistd.h>

#include <utility>

#include "caisson/nest/caller.h"
#include "caisson/sys/raw.h"

namespace caisson::nest {

Result<Visit> Visit::enter(int descriptor, int kind, const Supervised& nest) {
  const long r = sys::raw::call(SYS_setns, descriptor, kind);
  if (r < 0) return Error::os(static_cast<int>(-r), "setns");
  const sys::UniqueFd& home = kind == CLONE_NEWNS    ? nest.host_mounts
                              : kind == CLONE_NEWNET ? nest.host_network
                                                     : nest.host_processes;
  return Visit(home.get(), kind);
}

Visit::Visit(Visit&& other) noexcept : home_(std::exchange(other.home_, -1)), kind_(other.kind_) {}

Visit::~Visit() {
  if (home_ < 0) return;
  if (sys::raw::call(SYS_setns, home_, kind_) < 0) ::_exit(1);
}

}  // namespace caisson::nest

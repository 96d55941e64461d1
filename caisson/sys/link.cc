#include "caisson/sys/link.h"

#include <fcntl.h>

#include "caisson/sys/raw.h"

namespace caisson::sys {

Result<void> rename_path(const std::string& from, const std::string& to) {
  const long r = raw::call(SYS_renameat, AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str());
  if (r < 0) return Error::os(static_cast<int>(-r), "renameat").during(from);
  return caisson::ok();
}

Result<void> replace_link(const std::string& path, const std::string& target) {
  const std::string beside = path + ".tmp." + std::to_string(::getpid());
  raw::call(SYS_unlinkat, AT_FDCWD, beside.c_str(), 0);
  if (const long r = raw::call(SYS_symlinkat, target.c_str(), AT_FDCWD, beside.c_str()); r < 0)
    return Error::os(static_cast<int>(-r), "symlink").during(path);
  auto renamed = rename_path(beside, path);
  if (!renamed) raw::call(SYS_unlinkat, AT_FDCWD, beside.c_str(), 0);
  return renamed;
}

}  // namespace caisson::sys

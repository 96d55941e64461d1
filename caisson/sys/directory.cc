#include "caisson/sys/directory.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "caisson/sys/raw.h"

namespace caisson::sys {
namespace {

Result<void> checked(long result, std::string_view call, const std::string& path) {
  if (result < 0) return Error::os(static_cast<int>(-result), call).during(path);
  return ok();
}

}  // namespace

Result<void> remove_directory(const std::string& path) {
  return checked(raw::call(SYS_unlinkat, AT_FDCWD, path.c_str(), AT_REMOVEDIR), "rmdir", path);
}

Result<unsigned long> link_count(const std::string& path) {
  struct stat st{};
  if (::fstatat(AT_FDCWD, path.c_str(), &st, AT_SYMLINK_NOFOLLOW) < 0) return Error::os(errno, "stat").during(path);
  return static_cast<unsigned long>(st.st_nlink);
}

Result<void> remove_file(const std::string& path) {
  return checked(raw::call(SYS_unlinkat, AT_FDCWD, path.c_str(), 0), "unlink", path);
}

Result<void> change_owner_at(int dir, const std::string& path, uid_t uid, gid_t gid) {
  const int flags = AT_SYMLINK_NOFOLLOW | (path.empty() ? AT_EMPTY_PATH : 0);
  return checked(raw::call(SYS_fchownat, dir, path.c_str(), uid, gid, flags), "chown", path);
}

}  // namespace caisson::sys

#include "caisson/sys/path.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>

#include "caisson/sys/raw.h"

namespace caisson::sys {
namespace {

Result<UniqueFd> open_resolved(int dir, const std::string& path, int flags, unsigned long long resolve) {
  open_how how{.flags = static_cast<unsigned long long>(flags | O_CLOEXEC), .mode = 0, .resolve = resolve};
  for (int attempt = 0;; ++attempt) {
    const long r = raw::call_retrying(SYS_openat2, dir, path.c_str(), &how, sizeof how);
    if (r >= 0) return UniqueFd(static_cast<int>(r));
    if (r == -EAGAIN && attempt < 1000) continue;
    return Error::os(static_cast<int>(-r), "openat2").during(path);
  }
}

std::string without_trailing_slashes(std::string path) {
  while (!path.empty() && path.back() == '/') path.pop_back();
  return path;
}

}  // namespace

Result<UniqueFd> open_in_root(int root, const std::string& path, int flags, Links links) {
  const unsigned long long extra = links == Links::refuse ? RESOLVE_NO_SYMLINKS : 0;
  return open_resolved(root, path.empty() ? "." : path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | extra);
}

Result<UniqueFd> open_beneath(int dir, const std::string& path, int flags) {
  return open_resolved(dir, path, flags,
                       RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV);
}

Result<UniqueFd> make_directories_in_root(int root, const std::string& path, mode_t mode) {
  DirectoryInRoot directory = TRY(make_directory_in_root(root, path, mode));
  return std::move(directory.fd);
}

Result<DirectoryInRoot> make_directory_in_root(int root, const std::string& path, mode_t mode) {
  auto there = open_in_root(root, path, O_PATH | O_DIRECTORY);
  if (there) return DirectoryInRoot{std::move(*there), Made::no};
  if (!there.error().is(ENOENT)) return std::move(there).error();
  const ParentAndName at = TRY(make_parent_in_root(root, path, mode));
  const long r = raw::call(SYS_mkdirat, at.parent.get(), at.name.c_str(), mode);
  if (r < 0 && r != -EEXIST) return Error::os(static_cast<int>(-r), "mkdir").during(path);
  UniqueFd directory =
      TRY(open_in_root(at.parent.get(), at.name, O_PATH | O_DIRECTORY | O_NOFOLLOW, Links::refuse).during(path));
  return DirectoryInRoot{std::move(directory), r == 0 ? Made::yes : Made::no};
}

Result<UniqueFd> make_file_in_root(int root, const std::string& path, mode_t mode) {
  auto there = open_in_root(root, path, O_PATH);
  if (there || !there.error().is(ENOENT)) return there;
  const ParentAndName at = TRY(make_parent_in_root(root, path, 0755));
  const long r = raw::call(SYS_mknodat, at.parent.get(), at.name.c_str(), S_IFREG | mode, 0);
  if (r < 0 && r != -EEXIST) return Error::os(static_cast<int>(-r), "create").during(path);
  return open_in_root(at.parent.get(), at.name, O_PATH | O_NOFOLLOW, Links::refuse).during(path);
}

Result<ParentAndName> make_parent_in_root(int root, const std::string& path, mode_t mode) {
  const std::string trimmed = without_trailing_slashes(path);
  const std::size_t slash = trimmed.rfind('/');
  std::string name = slash == std::string::npos ? trimmed : trimmed.substr(slash + 1);
  if (name.empty() || name == "." || name == "..")
    return Error::of(Kind::invalid, "does not end in a name").during(path);
  const std::string parent = slash == std::string::npos ? "" : trimmed.substr(0, slash);
  UniqueFd directory = TRY(make_directories_in_root(root, parent.empty() ? "/" : parent, mode));
  return ParentAndName{std::move(directory), std::move(name)};
}

}  // namespace caisson::sys

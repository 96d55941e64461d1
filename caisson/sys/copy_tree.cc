#include "caisson/sys/copy_tree.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "caisson/sys/file.h"
#include "caisson/sys/raw.h"

namespace caisson::sys {
namespace {

constexpr int deepest = 100;

Error failure(const std::string& what, const std::string& name) { return Error::os(errno, what).during(name); }

void copy_attributes(int from, int to) {
  char names[4096];
  const ssize_t size = ::flistxattr(from, names, sizeof names);
  for (ssize_t at = 0; at < size; at += static_cast<ssize_t>(std::string_view(names + at).size()) + 1) {
    char value[4096];
    const ssize_t length = ::fgetxattr(from, names + at, value, sizeof value);
    if (length >= 0) (void)::fsetxattr(to, names + at, value, static_cast<std::size_t>(length), 0);
  }
}

Result<void> copy_status(int to, const std::string& name, const struct stat& st) {
  if (::fchownat(to, name.c_str(), st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0) return failure("chown", name);
  if (!S_ISLNK(st.st_mode) && ::fchmodat(to, name.c_str(), st.st_mode & 07777, 0) < 0) return failure("chmod", name);
  const timespec times[2] = {st.st_atim, st.st_mtim};
  if (::utimensat(to, name.c_str(), times, AT_SYMLINK_NOFOLLOW) < 0) return failure("utimensat", name);
  return ok();
}

Result<void> copy_file(int from, int to, const std::string& name) {
  const UniqueFd in = TRY(open_at(from, name, O_RDONLY | O_NOFOLLOW));
  const UniqueFd out = TRY(open_at(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
  for (;;) {
    const long n = raw::call_retrying(SYS_sendfile, out.get(), in.get(), nullptr, 1 << 30);
    if (n < 0) return Error::os(static_cast<int>(-n), "sendfile").during(name);
    if (n == 0) break;
  }
  copy_attributes(in.get(), out.get());
  return ok();
}

Result<void> copy_level(int from, int to, dev_t device, int depth);

Result<void> copy_directory(int from, int to, const std::string& name, dev_t device, int depth) {
  const UniqueFd in = TRY(open_at(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  const struct stat st = TRY(status_of(in.get()));
  if (st.st_dev != device) return ok();
  auto made = make_directory_at(to, name, 0700);
  if (!made && !made.error().is(EEXIST)) return made;
  const UniqueFd out = TRY(open_at(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  copy_attributes(in.get(), out.get());
  return copy_level(in.get(), out.get(), device, depth + 1).during(name);
}

Result<void> copy_entry(int from, int to, const std::string& name, dev_t device, int depth) {
  struct stat st{};
  if (::fstatat(from, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) < 0) return failure("stat", name);
  if (S_ISDIR(st.st_mode)) {
    TRY(copy_directory(from, to, name, device, depth));
  } else if (S_ISREG(st.st_mode)) {
    TRY(copy_file(from, to, name));
  } else if (S_ISLNK(st.st_mode)) {
    const std::string target = TRY(read_link_at(from, name));
    if (::symlinkat(target.c_str(), to, name.c_str()) < 0) return failure("symlink", name);
  } else if (::mknodat(to, name.c_str(), st.st_mode, st.st_rdev) < 0) {
    return failure("mknod", name);
  }
  return copy_status(to, name, st);
}

Result<void> copy_level(int from, int to, dev_t device, int depth) {
  if (depth > deepest) return Error::of(Kind::invalid, "directories are nested too deep to copy");
  const auto entries = TRY(list_directory_at(from, "."));
  for (const DirectoryEntry& entry : entries) TRY(copy_entry(from, to, entry.name, device, depth));
  return ok();
}

}  // namespace

Result<void> copy_tree(int from, int to) {
  const struct stat st = TRY(status_of(from));
  TRY(copy_level(from, to, st.st_dev, 0));
  if (::fchown(to, st.st_uid, st.st_gid) < 0) return failure("chown", ".");
  return ok();
}

}  // namespace caisson::sys

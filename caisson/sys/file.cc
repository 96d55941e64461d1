#include "caisson/sys/file.h"

#include <dirent.h>
#include <sys/file.h>
#include <sys/statfs.h>

#include <cstddef>
#include <cstring>

#include "caisson/sys/raw.h"

namespace caisson::sys {
namespace {

Error failure(long result, std::string_view call, const std::string& path) {
  return Error::os(static_cast<int>(-result), call).during(path);
}

}  // namespace

Result<UniqueFd> open_at(int dir, const std::string& path, int flags, mode_t mode) {
  const long r = raw::call_retrying(SYS_openat, dir, path.c_str(), flags | O_CLOEXEC, mode);
  if (r < 0) return failure(r, "open", path);
  return UniqueFd(static_cast<int>(r));
}

Result<std::string> read_all(int fd, std::size_t limit) {
  std::string out;
  std::size_t used = 0;
  for (;;) {
    if (out.size() - used < 4096) out.resize(out.empty() ? 8192 : out.size() * 2);
    const long n = raw::call_retrying(SYS_read, fd, out.data() + used, out.size() - used);
    if (n < 0) return Error::os(static_cast<int>(-n), "read");
    if (n == 0) break;
    used += static_cast<std::size_t>(n);
    if (used > limit) return Error::of(Kind::invalid, "larger than " + std::to_string(limit) + " bytes");
  }
  out.resize(used);
  return out;
}

Result<std::string> read_file_at(int dir, const std::string& path, std::size_t limit) {
  UniqueFd fd = TRY(open_at(dir, path, O_RDONLY));
  return read_all(fd.get(), limit).during(path);
}

Result<std::string> read_start_at(int dir, const std::string& path) {
  UniqueFd fd = TRY(open_at(dir, path, O_RDONLY));
  char start[4096];
  const long n = raw::call_retrying(SYS_read, fd.get(), start, sizeof start);
  if (n < 0) return failure(n, "read", path);
  return std::string(start, static_cast<std::size_t>(n));
}

Result<void> write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const long n = raw::call_retrying(SYS_write, fd, text.data(), text.size());
    if (n < 0) return Error::os(static_cast<int>(-n), "write");
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return ok();
}

Result<void> write_once_at(int dir, const std::string& path, std::string_view text) {
  UniqueFd fd = TRY(open_at(dir, path, O_WRONLY));
  const long n = raw::call_retrying(SYS_write, fd.get(), text.data(), text.size());
  if (n < 0) return failure(n, "write", path);
  if (static_cast<std::size_t>(n) != text.size()) return Error::of(Kind::os, "short write").during(path);
  return ok();
}

Result<void> replace_file_at(int dir, const std::string& name, std::string_view text, mode_t mode) {
  const std::string beside = name + ".tmp." + std::to_string(::getpid());
  UniqueFd fd = TRY(open_at(dir, beside, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode));
  Result<void> written = write_all(fd.get(), text);
  long r = 0;
  if (written) r = raw::call(SYS_renameat, dir, beside.c_str(), dir, name.c_str());
  if (!written || r < 0) raw::call(SYS_unlinkat, dir, beside.c_str(), 0);
  if (!written) return std::move(written).during(name);
  if (r < 0) return failure(r, "renameat", name);
  return ok();
}

Result<void> replace_file(const std::string& path, std::string_view text, mode_t mode) {
  return replace_file_at(AT_FDCWD, path, text, mode);
}

Result<void> place_file(const std::string& path, std::string_view text, mode_t mode) {
  const std::size_t slash = path.rfind('/');
  auto fd = open_file(slash == path.npos ? "." : path.substr(0, slash + 1), O_WRONLY | O_TMPFILE, mode);
  if (!fd && (fd.error().is(EOPNOTSUPP) || fd.error().is(EISDIR))) return replace_file(path, text, mode);
  if (!fd) return std::move(fd).error();
  TRY(write_all(fd->get(), text).during(path));
  const std::string nameless = "/proc/self/fd/" + std::to_string(fd->get());
  long r = -EEXIST;
  for (int attempt = 0; attempt < 64 && r == -EEXIST; ++attempt) {
    if (attempt > 0) r = raw::call(SYS_unlinkat, AT_FDCWD, path.c_str(), 0);
    if (attempt > 0 && r < 0 && r != -ENOENT) return failure(r, "unlink", path);
    r = raw::call(SYS_linkat, AT_FDCWD, nameless.c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW);
  }
  if (r < 0) return failure(r, "link", path);
  return ok();
}

Result<void> make_directory_at(int dir, const std::string& path, mode_t mode) {
  if (const long r = raw::call(SYS_mkdirat, dir, path.c_str(), mode); r < 0) return failure(r, "mkdir", path);
  return ok();
}

Result<void> make_directories(const std::string& path, mode_t mode) {
  for (std::size_t at = 1; at <= path.size(); ++at) {
    if (at != path.size() && path[at] != '/') continue;
    auto made = make_directory_at(AT_FDCWD, path.substr(0, at), mode);
    if (!made && !made.error().is(EEXIST)) return made;
  }
  return ok();
}

bool is_absent(const std::string& path) {
  const long r = raw::call(SYS_faccessat, AT_FDCWD, path.c_str(), F_OK);
  return r == -ENOENT || r == -ENOTDIR;
}

bool is_shortage(const Error& error) {
  return error.is(ENOMEM) || error.is(EMFILE) || error.is(ENFILE) || error.is(EIO) || error.is(ENOSPC) ||
         error.is(EBUSY) || error.is(EAGAIN) || error.is(EINTR);
}

bool exists(const std::string& path) { return raw::call(SYS_faccessat, AT_FDCWD, path.c_str(), F_OK) == 0; }

Result<struct stat> status_of(int fd) {
  struct stat st{};
  if (::fstat(fd, &st) < 0) return Error::os(errno, "fstat");
  return st;
}

Result<std::string> read_link_at(int dir, const std::string& path) {
  std::string out(4096, '\0');
  const long n = raw::call(SYS_readlinkat, dir, path.c_str(), out.data(), out.size());
  if (n < 0) return failure(n, "readlink", path);
  out.resize(static_cast<std::size_t>(n));
  return out;
}

Result<std::vector<DirectoryEntry>> list_directory_at(int dir, const std::string& path) {
  // Not readdir(3): it asks for a 32 kB buffer and looks at the descriptor first.
  UniqueFd fd = TRY(open_at(dir, path, O_RDONLY | O_DIRECTORY));
  std::vector<DirectoryEntry> out;
  char buffer[4096];
  for (;;) {
    const long size = raw::call(SYS_getdents64, fd.get(), buffer, sizeof buffer);
    if (size < 0) return failure(size, "getdents64", path);
    if (size == 0) return out;
    for (long at = 0; at < size;) {
      const char* entry = buffer + at;
      std::uint16_t length = 0;
      std::memcpy(&length, entry + offsetof(dirent64, d_reclen), sizeof length);
      std::string name = entry + offsetof(dirent64, d_name);
      const auto type = static_cast<unsigned char>(entry[offsetof(dirent64, d_type)]);
      if (name != "." && name != "..") out.push_back({std::move(name), type});
      at += length;
    }
  }
}

namespace {

Result<void> remove_below(int dir, const std::string& path, dev_t device) {
  UniqueFd fd = TRY(open_at(dir, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  const struct stat st = TRY(status_of(fd.get()));
  if (st.st_dev != device) return Error::of(Kind::conflict, "is another mount").during(path);
  const auto entries = TRY(list_directory_at(fd.get(), "."));
  for (const DirectoryEntry& entry : entries) {
    long r = raw::call(SYS_unlinkat, fd.get(), entry.name.c_str(), 0);
    if (r == -EISDIR || r == -EPERM) {
      TRY(remove_below(fd.get(), entry.name, device).during(path));
      r = raw::call(SYS_unlinkat, fd.get(), entry.name.c_str(), AT_REMOVEDIR);
    }
    if (r < 0 && r != -ENOENT) return failure(r, "unlink", path + "/" + entry.name);
  }
  return ok();
}

}  // namespace

Result<void> remove_tree_at(int dir, const std::string& path) {
  struct stat st{};
  if (::fstatat(dir, path.c_str(), &st, AT_SYMLINK_NOFOLLOW) < 0) {
    if (errno == ENOENT) return ok();
    return Error::os(errno, "stat").during(path);
  }
  const bool is_directory = S_ISDIR(st.st_mode);
  if (is_directory) TRY(remove_below(dir, path, st.st_dev));
  const long r = raw::call(SYS_unlinkat, dir, path.c_str(), is_directory ? AT_REMOVEDIR : 0);
  if (r < 0 && r != -ENOENT) return failure(r, "unlink", path);
  return ok();
}

Result<std::uint64_t> filesystem_magic(int fd) {
  struct statfs fs{};
  if (::fstatfs(fd, &fs) < 0) return Error::os(errno, "fstatfs");
  return static_cast<std::uint64_t>(fs.f_type);
}

Result<UniqueFd> lock_file(const std::string& path, Wait wait) {
  UniqueFd fd = TRY(open_file(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  const long r = raw::call_retrying(SYS_flock, fd.get(), LOCK_EX | (wait == Wait::no ? LOCK_NB : 0));
  if (r == -EWOULDBLOCK) return Error::of(Kind::conflict, "is locked by another process").during(path);
  if (r < 0) return failure(r, "flock", path);
  return fd;
}

}  // namespace caisson::sys

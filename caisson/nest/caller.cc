#include "caisson/nest/caller.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>

#include <charconv>
#include <string_view>
#include <utility>

#include "caisson/sys/file.h"
#include "caisson/sys/raw.h"

namespace caisson::nest {
namespace {

using sys::UniqueFd;
using sys::raw::call;

template <class Number>
Number field(std::string_view text, std::string_view name, int column, int base) {
  std::size_t at = text.find(name);
  if (at == std::string_view::npos) return 0;
  at += name.size();
  for (int i = 0; i < column; ++i) at = text.find('\t', at) + 1;
  Number out = 0;
  std::from_chars(text.data() + at, text.data() + text.size(), out, base);
  return out;
}

// Opened before any thread leaves it.
int host_root() {
  static const long root = call(SYS_openat, AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  return static_cast<int>(root);
}

// While it lives, this thread's root and working directory are the caller's: paths mean what they mean there.
// The thread has a file system context of its own (unshare CLONE_FS).
class Within {
 public:
  static Result<Within> enter(int root, int directory) {
    Within out;
    out.entered_ = host_root() >= 0;
    if (call(SYS_fchdir, root) < 0 || call(SYS_chroot, ".") < 0 || call(SYS_fchdir, directory) < 0)
      return Error::of(Kind::internal, "the caller's root cannot be entered");
    return out;
  }
  Within(Within&& other) noexcept : entered_(std::exchange(other.entered_, false)) {}
  Within& operator=(Within&&) = delete;
  ~Within() {
    if (!entered_) return;
    if (call(SYS_fchdir, host_root()) < 0 || call(SYS_chroot, ".") < 0)
      ::_exit(1);  // lost in a guest's root: a successor is not
  }

 private:
  Within() = default;
  bool entered_ = false;
};

Result<UniqueFd> open_there(int dir, const std::string& path, std::uint64_t flags, std::uint64_t resolve) {
  open_how how{.flags = flags | O_PATH | O_CLOEXEC, .mode = 0, .resolve = resolve | RESOLVE_NO_MAGICLINKS};
  const long r = call(SYS_openat2, dir, path.c_str(), &how, sizeof how);
  if (r < 0) return Error::os(static_cast<int>(-r), "openat2");
  return UniqueFd(static_cast<int>(r));
}

struct OwnDescriptor {
  int number = -1;
  std::string rest;
};

// "/proc/self/fd/5/x" is descriptor 5 and "x".
OwnDescriptor own_descriptor(std::string_view path) {
  for (const std::string_view prefix : {"/proc/self/fd/", "/proc/thread-self/fd/", "/dev/fd/"}) {
    if (!path.starts_with(prefix)) continue;
    path.remove_prefix(prefix.size());
    OwnDescriptor out;
    const auto [end, error] = std::from_chars(path.data(), path.data() + path.size(), out.number);
    path.remove_prefix(static_cast<std::size_t>(end - path.data()));
    if (error != std::errc() || (!path.empty() && path.front() != '/')) return {};
    while (path.starts_with("/")) path.remove_prefix(1);
    out.rest = path;
    return out;
  }
  return {};
}

}  // namespace

Result<std::string> Caller::text(std::uint64_t address, std::size_t limit) const {
  return seccomp::read_text(pid_, address, limit);
}

Result<Credentials> Caller::credentials() const {
  const std::string status = TRY(sys::read_start_at(AT_FDCWD, "/proc/" + std::to_string(pid_) + "/status"));
  Credentials out;
  out.umask = field<mode_t>(status, "\nUmask:\t", 0, 8);
  out.fsuid = field<uid_t>(status, "\nUid:\t", 3, 10);
  out.fsgid = field<gid_t>(status, "\nGid:\t", 3, 10);
  out.effective = field<std::uint64_t>(status, "\nCapEff:\t", 0, 16);
  return out;
}

Result<std::uint64_t> Caller::user_namespace() const {
  struct stat status{};
  if (::stat(("/proc/" + std::to_string(pid_) + "/ns/user").c_str(), &status) < 0) return Error::os(errno, "stat");
  return static_cast<std::uint64_t>(status.st_ino);
}

Result<UniqueFd> Caller::open(const std::string& what, int flags) const {
  return sys::open_file("/proc/" + std::to_string(pid_) + "/" + what, flags);
}

Result<UniqueFd> Caller::resolve(int dir, const std::string& path, Last last) const {
  if (path.empty()) return Error::os(ENOENT, "resolve");
  const OwnDescriptor own = own_descriptor(path);
  if (own.number >= 0 && own.rest.empty()) return open("fd/" + std::to_string(own.number), O_PATH);
  const std::string from = own.number >= 0   ? "fd/" + std::to_string(own.number)
                           : dir == AT_FDCWD ? "cwd"
                                             : "fd/" + std::to_string(dir);
  const UniqueFd root = TRY(open("root", O_PATH | O_DIRECTORY));
  const std::uint64_t flags = last == Last::keep ? O_NOFOLLOW : 0;
  if (path.front() == '/' && own.number < 0) return open_there(root.get(), path, flags, RESOLVE_IN_ROOT);
  // Only from there do ".." and absolute links mean what they mean to the caller.
  const UniqueFd base = TRY(open(from, O_PATH | O_DIRECTORY));
  const Within within = TRY(Within::enter(root.get(), base.get()));
  return open_there(AT_FDCWD, own.number >= 0 ? own.rest : path, flags, 0);
}

Result<Caller::Entry> Caller::resolve_entry(int dir, const std::string& path) const {
  if (path.empty()) return Error::os(ENOENT, "resolve");
  std::string_view rest = path;
  if (rest.ends_with('/'))
    return Error::os(rest.find_first_not_of('/') == std::string_view::npos ? EEXIST : ENOENT, "resolve");
  const std::size_t slash = rest.rfind('/');
  Entry out;
  out.name = rest.substr(slash == std::string_view::npos ? 0 : slash + 1);
  if (out.name == "." || out.name == "..") return Error::os(EEXIST, "resolve");
  const std::string parent(slash == std::string_view::npos ? "." : slash == 0 ? "/" : rest.substr(0, slash));
  out.parent = TRY(resolve(dir, parent, Last::follow));
  return out;
}

Result<std::uint64_t> namespace_id(int fd) {
  const struct stat status = TRY(sys::status_of(fd));
  return static_cast<std::uint64_t>(status.st_ino);
}

Result<std::uint64_t> owner_id(int fd) {
  const long r = call(SYS_ioctl, fd, NS_GET_USERNS);
  if (r < 0) return Error::os(static_cast<int>(-r), "NS_GET_USERNS");
  const UniqueFd owner(static_cast<int>(r));
  return namespace_id(owner.get());
}

}  // namespace caisson::nest

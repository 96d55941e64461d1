#include "caisson/nest/caller.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>

#include <iterator>
#include <utility>

#include "caisson/sys/file.h"
#include "caisson/sys/raw.h"

namespace caisson::nest {
namespace {

using sys::UniqueFd;
using sys::raw::call;

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

}  // namespace

Result<std::string> Caller::text(std::uint64_t address, std::size_t limit) const {
  return seccomp::read_text(pid_, address, limit);
}

Result<Credentials> Caller::credentials() const {
  const std::string status = TRY(sys::read_start_at(AT_FDCWD, "/proc/" + std::to_string(pid_) + "/status"));
  return parse_credentials(status);
}

bool Caller::has(unsigned capability) const {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = pid_};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
  constexpr unsigned bits = 32;
  if (capability >= bits * std::size(data) || call(SYS_capget, &header, data) < 0) return false;
  return (data[capability / bits].effective >> capability % bits & 1U) != 0;
}

Result<std::uint64_t> Caller::user_namespace() const {
  struct stat status{};
  if (::stat(("/proc/" + std::to_string(pid_) + "/ns/user").c_str(), &status) < 0) return Error::os(errno, "stat");
  return static_cast<std::uint64_t>(status.st_ino);
}

Result<pid_t> Caller::host_pid(int number) const {
  const UniqueFd pids = TRY(open("ns/pid", O_RDONLY));
  constexpr unsigned long get_pid_from_pidns = _IOR(0xb7, 0x6, int);  // source: linux 6.11, linux/nsfs.h
  const long r = call(SYS_ioctl, pids.get(), get_pid_from_pidns, static_cast<long>(number));
  if (r == -ENOTTY) return Error::of(Kind::unsupported, "NS_GET_PID_FROM_PIDNS");
  if (r <= 0) return Error::os(ESRCH, "NS_GET_PID_FROM_PIDNS");
  return static_cast<pid_t>(r);
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
  EntryPath split = entry_path(path);
  if (split.code != 0) return Error::os(split.code, "resolve");
  Entry out;
  out.name = std::move(split.name);
  out.parent = TRY(resolve(dir, split.parent, Last::follow));
  return out;
}

Result<std::uint64_t> namespace_id(int fd) {
  const struct stat status = TRY(sys::status_of(fd));
  return static_cast<std::uint64_t>(status.st_ino);
}

bool is_owned_within(int fd, std::uint64_t user_namespace) {
  UniqueFd at(static_cast<int>(call(SYS_ioctl, fd, NS_GET_USERNS)));
  while (at.get() >= 0) {
    const auto id = namespace_id(at.get());
    if (!id) return false;
    if (*id == user_namespace) return true;
    at = UniqueFd(static_cast<int>(call(SYS_ioctl, at.get(), NS_GET_PARENT)));  // EPERM above the initial one
  }
  return false;
}

Result<std::uint64_t> owner_id(int fd) {
  const long r = call(SYS_ioctl, fd, NS_GET_USERNS);
  if (r < 0) return Error::os(static_cast<int>(-r), "NS_GET_USERNS");
  const UniqueFd owner(static_cast<int>(r));
  return namespace_id(owner.get());
}

}  // namespace caisson::nest

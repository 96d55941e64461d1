// mknod, mknodat: device nodes that a nest may have, where they can be opened.
// Layer: nest. Declared in handlers.h.
// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "caisson/nest/arguments.h"
#include "caisson/nest/handlers/handlers.h"
#include "caisson/sys/capability.h"
#include "caisson/sys/file.h"
#include "caisson/sys/raw.h"

namespace caisson::nest {
namespace {

using seccomp::Answer;
using sys::UniqueFd;
using sys::raw::call;

struct Allowed {
  unsigned major, minor;
};
// What every container may use: the same numbers as its device rules (plan_devices.cc).
constexpr Allowed allowed[] = {
    {1, 3},  // null
    {1, 5},  // zero
    {1, 7},  // full
    {1, 8},  // random
    {1, 9},  // urandom
    {5, 0},  // tty
    {5, 1},  // console
    {5, 2},  // ptmx
};

constexpr Allowed fuse = {10, 229};
constexpr Allowed tun = {10, 200};

bool is(dev_t device, const Allowed& a) { return a.major == major(device) && a.minor == minor(device); }

bool may_have(const Supervised& nest, mode_t mode, dev_t device) {
  const GrantSet& grants = nest.instructions.terms.grants;
  const bool is_character = S_ISCHR(mode);
  if (is_character && std::ranges::any_of(allowed, [&](const Allowed& a) { return is(device, a); })) return true;
  if (is_character && is(device, fuse)) return grants.has(Grant::fuse);
  if (is_character && is(device, tun)) return grants.has(Grant::tun);
  return std::ranges::any_of(nest.devices, [&](const oci::Device& d) {
    return (d.type == "c") == is_character && d.major == major(device) && d.minor == minor(device);
  });
}

// This thread's file ids become the caller's, and stay: the next caller's are the same as a rule. Its capabilities are
// not touched (SECBIT_NO_SETUID_FIXUP), and no other handler depends on them.
void create_as(uid_t uid, gid_t gid) {
  thread_local uid_t current_uid = 0;
  thread_local gid_t current_gid = 0;
  if (gid != current_gid) call(SYS_setfsgid, gid);
  if (uid != current_uid) call(SYS_setfsuid, uid);
  current_gid = gid;
  current_uid = uid;
}

bool is_there(int parent, const char* name, mode_t mode, dev_t device) {
  struct stat status{};
  return ::fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && (status.st_mode & S_IFMT) == (mode & S_IFMT) &&
         status.st_rdev == device;
}

// A file system that the nest itself has mounted refuses to open any device. source: may_open_dev() in fs/namei.c
bool can_be_opened(dev_t filesystem, int parent, const char* name) {
  thread_local dev_t known = 0;  // one that does not
  if (filesystem == known) return true;
  const long fd = call(SYS_openat, parent, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
  if (fd >= 0) call(SYS_close, fd);
  if (fd == -EACCES) return false;
  known = filesystem;
  return true;
}

// A caller in a user namespace inside the nest (a nest in a nest, a rootless engine) has only the power of the ids that
// it has there: while this lives, so has this thread, but for mknod itself.
class Unprivileged {
 public:
  static Result<Unprivileged> enter() {
    sys::Capabilities less = TRY(sys::capabilities());
    Unprivileged out(less);
    less.effective = std::uint64_t{1} << CAP_MKNOD;
    TRY(sys::set_capabilities(less));
    out.entered_ = true;
    return out;
  }
  Unprivileged(Unprivileged&& other) noexcept
      : before_(other.before_), entered_(std::exchange(other.entered_, false)) {}
  Unprivileged& operator=(Unprivileged&&) = delete;
  ~Unprivileged() {
    if (entered_ && !sys::set_capabilities(before_)) ::_exit(1);  // a successor has them
  }

 private:
  explicit Unprivileged(sys::Capabilities before) : before_(before) {}
  sys::Capabilities before_;
  bool entered_ = false;
};

Answer make_node(Call& trapped, int dir, std::uint64_t path_at, mode_t mode, dev_t device) {
  const Caller& caller = trapped.caller;
  if (!may_have(trapped.nest, mode, device)) return Answer::native();
  auto credentials = caller.credentials();
  if (!credentials || !credentials->has(CAP_MKNOD)) return Answer::native();
  auto user_namespace = caller.user_namespace();
  if (!user_namespace) return Answer::native();
  auto path = caller.text(path_at);
  if (!path) return Answer::fail(path.error().code());
  auto entry = caller.resolve_entry(dir, *path);
  // What cannot be resolved, the kernel refuses with the right error, or resolves as the caller may.
  if (!entry) return Answer::native();
  struct stat parent{};
  if (::fstat(entry->parent.get(), &parent) < 0 || !trapped.nest.owns(parent.st_uid)) return Answer::native();

  create_as(credentials->fsuid, credentials->fsgid);
  std::optional<Unprivileged> unprivileged;
  if (*user_namespace != trapped.nest.user_namespace) {
    auto entered = Unprivileged::enter();
    if (!entered) return Answer::native();
    unprivileged.emplace(*std::move(entered));
  }
  const char* name = entry->name.c_str();
  const bool resumed = trapped.resumed();
  if (!trapped.begin(0)) return Answer::native();
  const long r = call(SYS_mknodat, entry->parent.get(), name, mode & ~credentials->umask, device);
  if (r == -EEXIST && resumed && is_there(entry->parent.get(), name, mode, device)) return Answer::success();
  if (r < 0) return r == -EPERM ? Answer::native() : Answer::fail(static_cast<int>(-r));
  if (can_be_opened(parent.st_dev, entry->parent.get(), name)) return Answer::success();
  call(SYS_unlinkat, entry->parent.get(), name, 0);
  return Answer::native();
}

}  // namespace

Answer handle_mknod(Call& trapped) {
  return make_node(trapped, AT_FDCWD, trapped.argument(0), static_cast<mode_t>(trapped.number(1)) & 0xffff,
                   device_of(trapped.argument(2)));
}

Answer handle_mknodat(Call& trapped) {
  return make_node(trapped, trapped.number(0), trapped.argument(1), static_cast<mode_t>(trapped.number(2)) & 0xffff,
                   device_of(trapped.argument(3)));
}

}  // namespace caisson::nest

#include "caisson/nest/locked_view.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "caisson/nest/supervised.h"
#include "caisson/nest/visit.h"
#include "caisson/sys/file.h"
#include "caisson/sys/mount.h"
#include "caisson/sys/process.h"
#include "caisson/sys/raw.h"

namespace caisson::nest {
namespace {

using sys::UniqueFd;
using sys::raw::call;

struct Pipe {
  UniqueFd read, write;
  static Result<Pipe> make() {
    int ends[2];
    const long r = call(SYS_pipe2, ends, O_CLOEXEC);
    if (r < 0) return Error::os(static_cast<int>(-r), "pipe2");
    return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
  }
};

// Below the nest's run directory, and only in the two namespaces.
struct Paths {
  explicit Paths(const std::string& directory)
      : top(directory), build(top + "/build"), stage(top + "/stage"), file(top + "/file"), empty(top + "/empty") {}
  std::string top, build, stage, file, empty;
};

bool done(long result) { return result >= 0; }

bool tell_and_wait(int say, int hear) {
  char byte = 'x';
  return call(SYS_write, say, &byte, 1) == 1 && call(SYS_read, hear, &byte, 1) == 1;
}

// In a process of its own, of a program that has threads: system calls only.
[[noreturn]] void make_namespaces(const Paths& paths, int say, int hear) {
  constexpr unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  const bool built =
      done(call(SYS_unshare, CLONE_NEWNS)) && done(call(SYS_mount, nullptr, "/", nullptr, MS_REC | MS_PRIVATE, 0L)) &&
      done(call(SYS_mount, mask_source, paths.top.c_str(), "tmpfs", flags, "mode=755")) &&
      done(call(SYS_mkdir, paths.build.c_str(), 0755)) && done(call(SYS_mkdir, paths.stage.c_str(), 0755)) &&
      done(call(SYS_mkdir, paths.empty.c_str(), 0555)) &&
      done(call(SYS_mknod, paths.file.c_str(), S_IFREG | 0444, 0L)) &&
      done(call(SYS_mount, paths.stage.c_str(), paths.stage.c_str(), nullptr, MS_BIND, 0L)) &&
      done(call(SYS_mount, nullptr, paths.stage.c_str(), nullptr, MS_SHARED, 0L)) && tell_and_wait(say, hear);
  // What was shared there is a slave here, and all that is there is locked.
  if (built && done(call(SYS_unshare, CLONE_NEWUSER | CLONE_NEWNS))) tell_and_wait(say, hear);
  ::_exit(0);
}

Result<UniqueFd> hear_of_namespace(pid_t maker, int hear, int say) {
  char byte = 0;
  if (sys::raw::call_retrying(SYS_read, hear, &byte, 1) != 1)
    return Error::of(Kind::unsupported, "namespaces for locked views cannot be made");
  UniqueFd out = TRY(sys::open_file("/proc/" + std::to_string(maker) + "/ns/mnt", O_RDONLY));
  call(SYS_write, say, &byte, 1);
  return out;
}

// A directory for each thread: they do not wait for each other.
Result<UniqueFd> own_directory(const std::string& parent, const std::string& name) {
  const std::string path = parent + "/" + name;
  if (const long r = call(SYS_mkdir, path.c_str(), 0755); r < 0 && r != -EEXIST)
    return Error::os(static_cast<int>(-r), "mkdir");
  return sys::open_file(path, O_PATH | O_DIRECTORY);
}

Result<void> enter(const UniqueFd& space) {
  const long r = call(SYS_setns, space.get(), CLONE_NEWNS);
  return r < 0 ? Result<void>(Error::os(static_cast<int>(-r), "setns")) : ok();
}

}  // namespace

std::string LockedViews::mask(const Supervised& nest, Empty kind) {
  const Paths paths(nest.directory);
  return kind == Empty::file ? paths.file : paths.empty;
}

Result<void> LockedViews::open(const std::string& directory) {
  const std::lock_guard lock(mutex_);
  if (locking_) return ok();
  const Paths paths(directory);
  Pipe from = TRY(Pipe::make());
  Pipe to = TRY(Pipe::make());
  const pid_t maker = TRY(sys::clone_process(0));
  if (maker == 0) make_namespaces(paths, from.write.get(), to.read.get());
  from.write.reset();
  auto building = hear_of_namespace(maker, from.read.get(), to.write.get());
  auto locking = building ? hear_of_namespace(maker, from.read.get(), to.write.get()) : Result<UniqueFd>(UniqueFd());
  to.write.reset();
  (void)sys::wait_for(maker);
  building_ = TRY(std::move(building));
  locking_ = TRY(std::move(locking));
  return ok();
}

Result<UniqueFd> LockedViews::lock(const Supervised& nest, int filesystem, const Cover& cover) {
  TRY(open(nest.directory));
  const Paths paths(nest.directory);
  const std::string name = std::to_string(call(SYS_gettid));
  const Visit visit = TRY(Visit::enter(building_.get(), CLONE_NEWNS, nest));
  const UniqueFd build = TRY(own_directory(paths.build, name));
  const UniqueFd stage = TRY(own_directory(paths.stage, name));
  TRY(sys::attach_mount(filesystem, build.get()));
  auto covered = cover(filesystem);
  const long moved = !covered ? -EPERM
                              : call(SYS_move_mount, filesystem, "", stage.get(), "",
                                     MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
  if (moved < 0) {
    (void)sys::detach_mount(paths.build + "/" + name);
    TRY(std::move(covered));
    return Error::os(static_cast<int>(-moved), "move_mount");
  }
  TRY(enter(locking_));
  auto locked = sys::open_tree_clone(AT_FDCWD, paths.stage + "/" + name, sys::Recursive::yes);
  TRY(enter(building_));
  TRY(sys::detach_mount(paths.stage + "/" + name));
  return locked;
}

}  // namespace caisson::nest

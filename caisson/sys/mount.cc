#include "caisson/sys/mount.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "caisson/sys/file.h"
#include "caisson/sys/process.h"
#include "caisson/sys/raw.h"

namespace caisson::sys {
namespace {

unsigned recurse(Recursive r) { return r == Recursive::yes ? AT_RECURSIVE : 0U; }

Error failure(long result, std::string_view call) { return Error::os(static_cast<int>(-result), call); }

// The last "e ..." line that the file system left in its context, or nothing. source: fsopen(2)
std::string explanation(int context) {
  std::string last;
  char line[512];
  for (;;) {
    const long n = raw::call(SYS_read, context, line, sizeof line);
    if (n <= 2) return last;
    if (line[0] == 'e') last.assign(line + 2, static_cast<std::size_t>(n - 2));
  }
}

Error explained(long result, int context, const std::string& step) {
  const std::string why = explanation(context);
  return failure(result, why.empty() ? step : step + " (" + why + ")");
}

}  // namespace

Result<UniqueFd> open_tree_clone(int dir, const std::string& path, Recursive recursive) {
  const unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (path.empty() ? AT_EMPTY_PATH : 0U) | recurse(recursive);
  const long r = raw::call(SYS_open_tree, dir, path.c_str(), flags);
  if (r < 0) return path.empty() ? failure(r, "open_tree") : failure(r, "open_tree").during(path);
  return UniqueFd(static_cast<int>(r));
}

Result<void> set_mount_attributes(int mount, const MountAttributes& attributes, Recursive recursive) {
  mount_attr attr{.attr_set = attributes.set,
                  .attr_clr = attributes.clear,
                  .propagation = attributes.propagation,
                  .userns_fd = attributes.userns < 0 ? 0 : static_cast<std::uint64_t>(attributes.userns)};
  const long r = raw::call(SYS_mount_setattr, mount, "", AT_EMPTY_PATH | recurse(recursive), &attr, sizeof attr);
  if (r < 0) return failure(r, "mount_setattr");
  return ok();
}

Result<void> attach_mount(int mount, int target, const char* name) {
  const unsigned itself = *name == '\0' ? MOVE_MOUNT_T_EMPTY_PATH : 0;
  const long r = raw::call(SYS_move_mount, mount, "", target, name, MOVE_MOUNT_F_EMPTY_PATH | itself);
  if (r < 0) return failure(r, "move_mount");
  return ok();
}

Result<void> mount_filesystem(int target, const std::string& type, const std::string& source, unsigned long flags,
                              const std::string& data) {
  if (const long r = raw::call(SYS_fchdir, target); r < 0) return failure(r, "fchdir");
  const long r = raw::call(SYS_mount, source.c_str(), ".", type.c_str(), flags, data.empty() ? nullptr : data.c_str());
  if (r < 0) return failure(r, "mount");
  return ok();
}

Result<void> set_propagation(const std::string& path, unsigned long flags) {
  const long r = raw::call(SYS_mount, nullptr, path.c_str(), nullptr, flags, nullptr);
  if (r < 0) return failure(r, "mount").during("set the propagation of " + path);
  return ok();
}

Result<void> pivot_to(int root) {
  // mount(2) does not cross from "." to what is stacked on it, as umount(2) does: the old root needs a descriptor.
  const UniqueFd old = TRY(open_file("/", O_PATH | O_DIRECTORY));
  if (const long r = raw::call(SYS_fchdir, root); r < 0) return failure(r, "fchdir");
  if (const long r = raw::call(SYS_pivot_root, ".", "."); r < 0) return failure(r, "pivot_root");
  // It must not carry our unmount to its peers on the host: those would lose everything that is mounted there.
  if (const long r = raw::call(SYS_fchdir, old.get()); r < 0) return failure(r, "fchdir to the old root");
  if (const long r = raw::call(SYS_mount, nullptr, ".", nullptr, MS_SLAVE | MS_REC, nullptr); r < 0)
    return failure(r, "make the old root a slave");
  if (const long r = raw::call(SYS_umount2, ".", MNT_DETACH); r < 0) return failure(r, "detach the old root");
  if (const long r = raw::call(SYS_chdir, "/"); r < 0) return failure(r, "chdir to /");
  return ok();
}

Result<void> move_root_to(int root) {
  if (const long r = raw::call(SYS_fchdir, root); r < 0) return failure(r, "fchdir");
  if (const long r = raw::call(SYS_mount, ".", "/", nullptr, MS_MOVE, nullptr); r < 0) return failure(r, "move root");
  if (const long r = raw::call(SYS_chroot, "."); r < 0) return failure(r, "chroot");
  if (const long r = raw::call(SYS_chdir, "/"); r < 0) return failure(r, "chdir to /");
  return ok();
}

Result<void> detach_mount(const std::string& path) {
  const long r = raw::call(SYS_umount2, path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
  if (r < 0) return failure(r, "umount").during(path);
  return ok();
}

Result<UniqueFd> new_filesystem(const std::string& type, const FilesystemOption* options, std::size_t count,
                                std::uint64_t attributes) {
  const long opened = raw::call(SYS_fsopen, type.c_str(), FSOPEN_CLOEXEC);
  if (opened < 0) return failure(opened, "fsopen").during(type);
  return new_filesystem(UniqueFd(static_cast<int>(opened)), type, options, count, attributes);
}

Result<UniqueFd> open_filesystem_by_child(const char* type) {
  // The child puts its context in this one's place, in the table of descriptors that both have.
  UniqueFd place = TRY(open_file("/", O_PATH | O_CLOEXEC));
  const pid_t child = TRY(clone_process(CLONE_FILES | CLONE_VFORK, -1));
  if (child == 0) {  // a copy of one thread of several: raw calls alone
    long r = raw::call(SYS_fsopen, type, FSOPEN_CLOEXEC);
    if (r >= 0) {
      const long context = r;
      r = raw::call(SYS_dup3, context, place.get(), O_CLOEXEC);
      raw::call(SYS_close, context);
    }
    raw::call(SYS_exit_group, r < 0 ? -r : 0);
  }
  const int status = TRY(wait_for(child));
  if (status != 0) return Error::os(WIFEXITED(status) ? WEXITSTATUS(status) : ESRCH, "fsopen").during(type);
  return place;
}

Result<UniqueFd> new_filesystem(UniqueFd context, const std::string& type, const FilesystemOption* options,
                                std::size_t count, std::uint64_t attributes) {
  for (std::size_t i = 0; i < count; ++i) {
    const FilesystemOption& o = options[i];
    const int command = o.fd >= 0 ? FSCONFIG_SET_FD : o.value.empty() ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING;
    const char* value = command == FSCONFIG_SET_STRING ? o.value.c_str() : nullptr;
    const long r = raw::call(SYS_fsconfig, context.get(), command, o.key.c_str(), value, o.fd >= 0 ? o.fd : 0);
    if (r < 0) return explained(r, context.get(), "fsconfig " + o.key).during(type);
  }
  if (const long r = raw::call(SYS_fsconfig, context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0); r < 0)
    return explained(r, context.get(), "create").during(type);
  const long mounted = raw::call(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, static_cast<unsigned>(attributes));
  if (mounted < 0) return explained(mounted, context.get(), "fsmount").during(type);
  return UniqueFd(static_cast<int>(mounted));
}

Result<DeviceNumber> filesystem_device(int fd) {
  struct statx status{};
  const long r = raw::call(SYS_statx, fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0u, &status);
  if (r < 0) return failure(r, "statx");
  return DeviceNumber{status.stx_dev_major, status.stx_dev_minor};
}

}  // namespace caisson::sys

// Mounts by descriptor: one function per system call, checked and typed, nothing clever.
// Layer: sys. Used by runtime to build a root file system; signal-safe twins are calls through raw.h.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "caisson/base/result.h"
#include "caisson/sys/unique_fd.h"

namespace caisson::sys {

enum class Recursive : bool { no, yes };

// Clones the mount at `path` (relative to `dir`; "" means `dir` itself) into a detached tree.
//   dir     an O_PATH descriptor or AT_FDCWD, borrowed
//   errors  unsupported: kernel < 5.2, or a seccomp filter that answers ENOSYS
//           os EINVAL: not in our mount namespace, or (not recursive) a directory with locked mounts below
//   source  open_tree(2); Documentation/filesystems/mount_api.rst
Result<UniqueFd> open_tree_clone(int dir, const std::string& path, Recursive recursive);

// Sets and clears MOUNT_ATTR_* bits and the propagation (MS_SHARED, MS_SLAVE, MS_PRIVATE, MS_UNBINDABLE or 0).
//   userns  with MOUNT_ATTR_IDMAP in `set`: the user namespace whose maps are used
//   errors  os EPERM: a cleared bit is locked by a more privileged mount namespace
//   source  mount_setattr(2)
struct MountAttributes {
  std::uint64_t set = 0;
  std::uint64_t clear = 0;
  std::uint64_t propagation = 0;
  int userns = -1;
};
Result<void> set_mount_attributes(int mount, const MountAttributes& attributes, Recursive recursive);

// Attaches a detached tree on the very file or directory that `target` is open on. source: move_mount(2)
// With `name`: on what has that name in the directory `target`; a link there is not followed.
Result<void> attach_mount(int mount, int target, const char* name = "");

// mount(2) on the directory `target` is open on, by way of the working directory, which it changes: no path is
// resolved a second time, and no /proc is needed. `data` is the file system's own option text.
Result<void> mount_filesystem(int target, const std::string& type, const std::string& source, unsigned long flags,
                              const std::string& data);

// mount(2) with only propagation flags, on a path: "/" as a rule.
Result<void> set_propagation(const std::string& path, unsigned long flags);

// pivot_root(".", ".") then detaches the old root, both without naming a path. `root` is the new root's descriptor.
// source  pivot_root(2), "pivot_root(".", ".")"
Result<void> pivot_to(int root);

// Where pivot_root cannot work (an initramfs): moves the mount over "/" and changes root into it.
Result<void> move_root_to(int root);

Result<void> detach_mount(const std::string& path);

// A file system that is not mounted anywhere yet (fsopen, fsconfig, fsmount). `steps` in order.
struct FilesystemOption {
  std::string key;
  std::string value;  // "" with fd < 0: a flag
  int fd = -1;        // set: FSCONFIG_SET_FD
};
//   errors  os: with the kernel's own explanation when it gives one
Result<UniqueFd> new_filesystem(const std::string& type, const FilesystemOption* options, std::size_t count,
                                std::uint64_t attributes);
// The same of a context that fsopen(2) made.
Result<UniqueFd> new_filesystem(UniqueFd context, const std::string& type, const FilesystemOption* options,
                                std::size_t count, std::uint64_t attributes);

// fsopen(2) by a child, which is in the pid namespace that this thread's children go to: a proc shows the namespace
// of who opened it. The child has the host's ids, makes three calls and ends; it runs beside other threads.
Result<UniqueFd> open_filesystem_by_child(const char* type);

// The device number of the file system that `fd` is open on, without asking a FUSE server. source: statx(2)
struct DeviceNumber {
  unsigned major = 0, minor = 0;
};
Result<DeviceNumber> filesystem_device(int fd);

}  // namespace caisson::sys

// Caller: the task whose call was trapped, pinned: what it may do, and what its paths and descriptors mean.
// Layer: nest. Used by the handlers, each in a thread of its own (Supervisor::work).
// SPDX-License-Identifier: Apache-2.0
//
// Everything is opened and read by the task's number, and believed only if it still waits afterwards (is_waiting): then
// the number was its own all the time. Handlers ask that once, before their effect (Call::begin), and act on
// descriptors only (DESIGN D4).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "caisson/base/result.h"
#include "caisson/nest/arguments.h"
#include "caisson/seccomp/notify.h"
#include "caisson/sys/unique_fd.h"

namespace caisson::nest {

class Caller {
 public:
  Caller(int listener, std::uint64_t id, pid_t pid) : listener_(listener), id_(id), pid_(pid) {}

  pid_t pid() const { return pid_; }
  bool is_waiting() const { return seccomp::is_waiting(listener_, id_); }

  Result<std::string> text(std::uint64_t address, std::size_t limit = 4096) const;
  Result<Credentials> credentials() const;
  // Whether it is effective, in its own user namespace: without reading all of the credentials. source: capget(2)
  bool has(unsigned capability) const;
  Result<std::uint64_t> user_namespace() const;  // its inode
  // Our number of the process or thread that has this one in the caller's pid namespace.
  //   errors  os ESRCH; unsupported: a kernel before 6.11
  Result<pid_t> host_pid(int number) const;
  // "root", "cwd", "ns/mnt", "fd/5", "mem".
  Result<sys::UniqueFd> open(const std::string& what, int flags) const;

  // What `path` means to the caller, O_PATH. `dir` is its descriptor number or AT_FDCWD. Magic links are refused, but
  // for the caller's own /proc/self/fd/N, by which runtimes and systemd name what they have open.
  //   last    the last component is not resolved if it is a link
  //   errors  os ELOOP: a magic link of somebody else's; os as openat2(2)
  enum class Last : bool { follow, keep };
  Result<sys::UniqueFd> resolve(int dir, const std::string& path, Last last) const;

  struct Entry {
    sys::UniqueFd parent;  // O_PATH
    std::string name;
  };
  // The directory that holds the last component, for a file that is to be made. errors: os EEXIST, ENOENT as mknod(2)
  Result<Entry> resolve_entry(int dir, const std::string& path) const;

 private:
  int listener_;
  std::uint64_t id_;
  pid_t pid_;
};

// Inode number of a namespace's descriptor, and of the user namespace that owns it. source: ioctl_ns(2)
Result<std::uint64_t> namespace_id(int fd);
Result<std::uint64_t> owner_id(int fd);
// Whether that user namespace, or one below it, owns the namespace `fd`. Not when the kernel does not say.
bool is_owned_within(int fd, std::uint64_t user_namespace);

}  // namespace caisson::nest

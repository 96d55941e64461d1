// Group: one container's cgroup in every hierarchy: made, limited, joined, frozen, emptied, removed.
// Layer: cgroup. Used by runtime's create, exec, kill, pause, update, delete, and by nest.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "caisson/base/result.h"
#include "caisson/cgroup/placement.h"
#include "caisson/sys/unique_fd.h"

namespace caisson::oci {
struct DeviceRule;
struct Resources;
}  // namespace caisson::oci

namespace caisson::cgroup {

struct Setting;

// What a child needs to become a member. Open in the parent; the child is single-threaded.
struct JoinFds {
  // v1, one a hierarchy: the child itself writes "0". Moving only itself it takes no global lock, and so never waits
  // for an RCU grace period (about 10 ms). source: kernel/cgroup/cgroup.c, cgroup_procs_write_start()
  std::vector<sys::UniqueFd> tasks;
  // v2 directory (O_PATH) for clone3(CLONE_INTO_CGROUP), for the same reason; empty when there is no v2.
  sys::UniqueFd unified;
};

// What to do with a hierarchy in which we may not make directories.
enum class Denied : bool {
  fail,
  skip,  // a rootless caller that gave no cgroupsPath: the container stays out of it (as runc)
};

// What a failure to apply device rules means.
inline constexpr std::string_view init_leaf = "init.scope";  // see Group::settle()

enum class Devices : bool {
  enforce,
  best_effort,  // rootless: only the initial user namespace's root may set them
};

struct Permissions {
  Denied denied = Denied::fail;
  Devices devices = Devices::enforce;
  pid_t beside = -1;  // a process that may be in the cgroup already: the one that a systemd scope was started with
};

class Group {
 public:
  // Makes the directories (and their parents), gives v1 cpusets their cpus and mems, applies `resources` unless
  // null. After an error nothing that was made is left.
  //   errors  conflict "container's cgroup is not empty": somebody's processes are in it; or it is frozen
  //           invalid: what apply_resources() says
  static Result<Group> create(Placement placement, const oci::Resources* resources, Permissions permissions = {});

  // A group that exists; makes no system call.
  static Group open(Placement placement) { return Group(std::move(placement)); }

  const Placement& placement() const { return placement_; }  // without hierarchies that were skipped

  // For the container's first process.
  Result<JoinFds> join_fds() const;
  // For exec: `sub` moves a controller's (key; "" is all of them) join to a directory below the container's
  // (`exec --cgroup`). A v2 cgroup that has children with controllers takes no processes: the cgroup of `init` is
  // taken instead when the container moved itself to a leaf (as runc).
  //   errors  invalid: `sub` leaves the container's cgroup, or names a controller that is not there
  Result<JoinFds> join_fds_for_exec(pid_t init, const std::map<std::string, std::string>& sub = {}) const;

  // For update: only what is set is written, and no device rules: callers pass on those of the config, which the
  // runtime's own and a plugin's later ones would be lost to (as runc). An error names file and value.
  //   errors  invalid: a value out of range, or `unified` on v1; unsupported: the controller is not mounted
  Result<void> apply_resources(const oci::Resources& resources);
  // What that will write. With memory.checkBeforeUpdate, refused where it would be.
  Result<std::vector<Setting>> plan_update(const oci::Resources& resources) const;
  Result<void> replace_device_rules(const std::vector<oci::DeviceRule>& rules);

  // Freezes all processes below, and waits until they are. After an error they are thawed.
  Result<void> freeze() const;
  Result<void> thaw() const;
  // Also what was frozen below, by engines inside: on v1 a frozen process does not die, and neither does the init of
  // its pid namespace. For those that are to end; without a freezer nothing happens.
  void thaw_all() const;
  std::string freezer_directory() const;  // where that is done; "" without a freezer
  Result<bool> is_frozen() const;         // false also when there is no freezer, or no group any more

  // Host pids, of sub-cgroups too, sorted. Empty when the group is gone.
  Result<std::vector<pid_t>> pids() const;

  // Sends a signal to every process below. SIGKILL also reaches a frozen group (and thaws it) and those that fork
  // meanwhile; it does not wait for their end. Nobody there is success.
  Result<void> kill_all(int signal) const;

  // Gives the directories and the files a container's manager writes to (cgroup.procs, tasks,
  // cgroup.clone_children, cgroup.subtree_control, cgroup.threads) to another owner; limits stay ours.
  Result<void> delegate(uid_t uid, gid_t gid) const;

  // On a machine with v2 alone: gives the directory and the files that the kernel lists to `uid`; limits stay ours.
  //   source  runtime-spec config-linux.md "Cgroup ownership"; cgroup-v2.rst "Delegation"
  Result<void> give_to(uid_t uid) const;

  // On a machine with v2 alone: moves the first process of a delegated container to a leaf of its own, "init.scope",
  // where systemd also looks for it: the container's manager could enable no controller for its children while its
  // own cgroup holds a process. After the cgroup namespace was made. source: cgroup-v2.rst "No Internal Process
  // Constraint"
  Result<void> settle(pid_t init, uid_t uid, gid_t gid) const;

  // Removes the container's directories and all below them; thaws, and retries for 10 s while processes are ending.
  // Directories above stay. A group that is gone is success.
  Result<void> remove() const;

  // Removes them if nobody is in them, and is true then: as soon as one is in use, the rest is left. Without any,
  // false.
  bool remove_empty() const;

  // Undo of create(), for a caller that fails later: also removes the parents create() made, if they are empty.
  void discard();

 private:
  explicit Group(Placement placement) : placement_(std::move(placement)) {}
  Result<void> refuse_if_used(pid_t beside) const;
  Placement placement_;
  std::vector<std::string> made_;  // directories create() made, outermost first in each hierarchy
};

}  // namespace caisson::cgroup

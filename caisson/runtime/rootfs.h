// Builds the container's root file system as planned: every path is resolved below one descriptor of the root.
// Layer: runtime. Runs in the container's mount namespace, before anything of the container's has run.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "caisson/base/result.h"
#include "caisson/cgroup/placement.h"
#include "caisson/runtime/plan.h"
#include "caisson/sys/spent_fds.h"
#include "caisson/sys/unique_fd.h"

namespace caisson::runtime {

// One mounted hierarchy, as the container will see it below /sys/fs/cgroup.
struct CgroupMount {
  std::string name{};     // directory below the mount point: "memory", "cpu,cpuacct", "systemd", "unified"; "": the
                          // mount point itself (v2 only)
  std::string options{};  // of the file system: "memory", "none,name=systemd"; unused for v2
  bool v2 = false;
  std::string directory{};           // the container's own, on the host
  std::string path{};                // the same, below the hierarchy's mount
  std::vector<std::string> links{};  // "cpu" -> "cpu,cpuacct"
};

std::vector<CgroupMount> cgroup_mounts(const cgroup::Placement& placement);

class Rootfs {
 public:
  struct Request {
    const Plan* plan = nullptr;
    std::vector<CgroupMount> cgroups;
    bool own_cgroup_namespace = false;
    // Who makes the mounts. In a user namespace of the container's own: clones of the sources were made outside.
    bool inside_user_namespace = false;
    bool outside = false;     // locked mounts: host root builds for ids that are mapped
    int user_namespace = -1;  // for idmapped mounts made here; borrowed
  };
  explicit Rootfs(Request request) : request_(std::move(request)) {}
  Rootfs(const Rootfs&) = delete;
  Rootfs& operator=(const Rootfs&) = delete;
  ~Rootfs();

  // Clones of what a user namespace may not reach, in the order of bind_count(): made by the caller in its own mount
  // namespace, used here. Empty: this process makes them when it gets there.
  void give_clones(std::vector<sys::UniqueFd> clones) { clones_ = std::move(clones); }

  // Mounts the root and all of the plan up to the hooks that run before the root is entered.
  Result<void> build();
  // Read-only paths, masks, and what had to stay writable until now.
  Result<void> restrict();
  // pivot_root, or what stands for it.
  enum class Enter : unsigned char { pivot, move, chroot };
  Result<void> enter(Enter how);

  // After the mounts were locked: the container's own mounts, by its own root.
  Result<void> build_inside();

 private:
  Result<void> mount_root();
  Result<void> apply(const MountStep& step);
  Result<sys::UniqueFd> make_target(const std::string& path, bool directory);
  Result<void> bind(const MountStep& step);
  Result<void> bind_view(const MountStep& step, sys::UniqueFd tree);
  Result<void> mount_filesystem(const MountStep& step);
  Result<void> mount_cgroups(const MountStep& step);
  Result<void> mount_hierarchy(const MountStep& step, int top, const CgroupMount& cgroup);
  Result<void> make_read_only(const std::string& path);
  Result<void> remount(const MountStep& step);
  Result<void> finish(const MountStep& step, const sys::UniqueFd& mount);
  Result<void> own(int fd, std::uint32_t uid, std::uint32_t gid);
  Result<void> bind_device(const DeviceNode& device);
  Result<void> make_device(const DeviceNode& device);
  Result<void> make_links();
  Result<void> make_console_place();
  void make_working_directory();
  Result<void> mask(const std::string& path);
  Result<sys::UniqueFd> mask_directory();

  Request request_;
  sys::SpentFds spent_;  // all are closed before anything of the container's is looked at, its cwd first
  std::vector<sys::UniqueFd> clones_;
  std::size_t next_clone_ = 0;
  sys::UniqueFd root_;
  sys::UniqueFd empty_;  // what masks a directory and a file: mounted on the first, cloned for the others
  sys::UniqueFd null_;
  sys::UniqueFd device_directory_;  // of the last device node
  std::string device_directory_path_;
};

}  // namespace caisson::runtime

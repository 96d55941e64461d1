// Attempts with mounts and namespaces: the old API, the new one, setns.
// Layer: test program. Users: storm.cc.
// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>

#include "storm.h"

namespace storm {
namespace {

const std::vector<std::string> kinds = {"proc",     "sysfs",      "tmpfs",    "cgroup",   "cgroup2",   "debugfs",
                                        "tracefs",  "securityfs", "bpf",      "devpts",   "mqueue",    "binfmt_misc",
                                        "configfs", "pstore",     "efivarfs", "resctrl",  "fusectl",   "overlay",
                                        "ext4",     "hugetlbfs",  "devtmpfs", "ramfs",    "rootfs",    "nsfs",
                                        "squashfs", "nfs",        "9p",       "virtiofs", "selinuxfs", "functionfs"};

std::string somewhere(Random& random, const World& world) {
  if (random.one_in(3)) return "/tmp/storm";
  std::string path = random.pick(world.mount_points);
  if (random.one_in(4)) path += random.pick({"/..", "/.", "/../..", "//", "/sys", "/self/root"});
  return path;
}

Outcome old_mount(Random& random, const World& world) {
  const std::string source = random.pick({std::string("none"), std::string("/dev/vda"), std::string("/dev/sda1"),
                                          std::string("/proc/1/root"), somewhere(random, world)});
  const std::string target = somewhere(random, world);
  const std::string kind = random.pick(kinds);
  const unsigned long flags = random.pick<unsigned long>(
      {0, MS_REMOUNT, MS_REMOUNT | MS_BIND, MS_BIND, MS_BIND | MS_REC, MS_MOVE, MS_SHARED, MS_SLAVE, MS_PRIVATE,
       MS_UNBINDABLE, MS_SHARED | MS_REC, MS_REMOUNT | MS_RDONLY, MS_REMOUNT | MS_MANDLOCK | MS_SYNCHRONOUS});
  const std::string data = random.pick(
      {"", "rw", "devices", "name=systemd", "all", "release_agent=/x", "hidepid=0", "subset=pid", "mode=777"});
  const long rc = ::mount(source.c_str(), target.c_str(), kind.c_str(), flags, data.c_str());
  return {"mount " + source + " " + target + " " + kind + " " + std::to_string(flags) + " " + data, rc};
}

Outcome unmount(Random& random, const World& world) {
  const std::string target = random.pick(world.mount_points);
  const int flags = random.pick<int>({0, MNT_DETACH, MNT_FORCE, MNT_EXPIRE});
  return {"umount " + target + " " + std::to_string(flags), ::umount2(target.c_str(), flags)};
}

Outcome new_superblock(Random& random, const World& world) {
  const std::string kind = random.pick(kinds);
  const int context = static_cast<int>(::syscall(SYS_fsopen, kind.c_str(), FSOPEN_CLOEXEC));
  if (context < 0) return {"fsopen " + kind, -1};
  const std::string key = random.pick({"source", "ro", "name", "release_agent", "hidepid", "upperdir", "all", "pidns"});
  const std::string value = random.pick(
      {std::string("/dev/vda"), std::string("systemd"), std::string("/proc/1/ns/pid"), somewhere(random, world)});
  ::syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, key.c_str(), value.c_str(), 0);
  ::syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0);
  const int made = static_cast<int>(::syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, 0));
  if (made < 0) return {"fsmount " + kind, -1};
  const std::string target = somewhere(random, world);
  const long rc = ::syscall(SYS_move_mount, made, "", AT_FDCWD, target.c_str(), MOVE_MOUNT_F_EMPTY_PATH);
  return {"move_mount " + kind + " " + target, rc};
}

Outcome reconfigure(Random& random, const World& world) {
  const std::string target = random.pick(world.mount_points);
  const int context = static_cast<int>(::syscall(SYS_fspick, AT_FDCWD, target.c_str(), FSPICK_CLOEXEC));
  if (context < 0) return {"fspick " + target, -1};
  const char* key = random.pick({"rw", "ro", "all", "lazytime", "usrquota"});
  ::syscall(SYS_fsconfig, context, FSCONFIG_SET_FLAG, key, nullptr, 0);
  const long rc = ::syscall(SYS_fsconfig, context, FSCONFIG_CMD_RECONFIGURE, nullptr, nullptr, 0);
  return {"reconfigure " + target + " " + key, rc};
}

Outcome clone_and_clear(Random& random, const World& world) {
  const std::string source = somewhere(random, world);
  const unsigned flags = OPEN_TREE_CLOEXEC | (random.one_in(4) ? 0U : OPEN_TREE_CLONE) |
                         (random.one_in(2) ? static_cast<unsigned>(AT_RECURSIVE) : 0U);
  const int tree = static_cast<int>(::syscall(SYS_open_tree, AT_FDCWD, source.c_str(), flags));
  if (tree < 0) return {"open_tree " + source, -1};
  mount_attr attr{};
  attr.attr_clr = random.pick<std::uint64_t>({MOUNT_ATTR_RDONLY, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NOEXEC,
                                              MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV});
  attr.propagation = random.pick<std::uint64_t>({0, MS_SHARED, MS_PRIVATE});
  ::syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | (random.one_in(2) ? AT_RECURSIVE : 0), &attr, sizeof attr);
  const std::string target = somewhere(random, world);
  const long rc = ::syscall(SYS_move_mount, tree, "", AT_FDCWD, target.c_str(), MOVE_MOUNT_F_EMPTY_PATH);
  const int file = ::open((target + "/storm-was-here").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
  if (file >= 0) ::close(file);
  return {"open_tree " + source + " -> " + target, rc};
}

Outcome remap_mount(Random& random, const World& world) {
  const std::string source = somewhere(random, world);
  const int tree = static_cast<int>(::syscall(SYS_open_tree, AT_FDCWD, source.c_str(), OPEN_TREE_CLONE));
  const int users = ::open(random.pick({"/proc/self/ns/user", "/proc/1/ns/user"}), O_RDONLY | O_CLOEXEC);
  mount_attr attr{};
  attr.attr_set = MOUNT_ATTR_IDMAP;
  attr.userns_fd = static_cast<std::uint64_t>(users);
  return {"idmap " + source, ::syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr, sizeof attr)};
}

Outcome pivot(Random& random, const World& world) {
  const std::string root = somewhere(random, world);
  if (random.one_in(2)) ::mount(root.c_str(), root.c_str(), nullptr, MS_BIND, nullptr);
  if (::chdir(root.c_str()) < 0) return {"chdir " + root, -1};
  const long rc = ::syscall(SYS_pivot_root, ".", ".");
  if (rc == 0) ::umount2("/", MNT_DETACH);
  if (rc == 0 && ::chroot("../../../..") == 0) ::open("storm-was-here", O_CREAT | O_WRONLY, 0644);
  return {"pivot_root " + root, rc};
}

Outcome climb(Random& random, const World& world) {
  ::mkdir("/tmp/storm", 0755);
  const int here = ::open("/", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
  const std::string root = somewhere(random, world);
  if (::chroot(random.one_in(2) ? "/tmp/storm" : root.c_str()) < 0) return {"chroot " + root, -1};
  if (::fchdir(here) == 0)
    for (int i = 0; i < 64; ++i)
      if (::chdir("..") < 0) break;
  ::close(::open("storm-was-here", O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
  return {"climb from " + root, 0};
}

// Only namespaces that are ancestors or another's are of interest: joining its own again changes nothing.
Outcome parent_namespace(Random& random, const World&) {
  const std::string path =
      std::string("/proc/") + random.pick({"1", "self"}) + "/ns/" + random.pick({"user", "pid", "pid_for_children"});
  const int own = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  int outer = ::ioctl(own, random.pick<unsigned long>({NS_GET_PARENT, NS_GET_USERNS}));
  if (outer >= 0) {
    const int further = ::ioctl(outer, random.pick<unsigned long>({NS_GET_PARENT, NS_GET_USERNS}));
    if (further >= 0) outer = further;
  }
  return {"setns to the parent of " + path, outer < 0 ? -1 : ::setns(outer, 0)};
}

Outcome foreign_namespace(Random& random, const World&) {
  const std::string pid = std::to_string(random.one_in(2) ? 0 : 2 + random.below(40000));
  const char* kind = random.pick({"mnt", "net", "ipc", "uts", "pid", "cgroup", "time"});
  const int fd = ::open(("/proc/" + pid + "/ns/" + kind).c_str(), O_RDONLY | O_CLOEXEC);
  return {"setns " + pid + " " + kind, fd < 0 ? -1 : ::setns(fd, 0)};
}

}  // namespace

std::span<const Family> mount_families() {
  static constexpr Family families[] = {{"mount", old_mount, false},
                                        {"umount", unmount, false},
                                        {"fsmount", new_superblock, false},
                                        {"reconfigure", reconfigure, false},
                                        {"open_tree", clone_and_clear, false},
                                        {"idmap", remap_mount, false},
                                        {"pivot_root", pivot, false},
                                        {"climb", climb, false},
                                        {"parent namespace", parent_namespace, false},
                                        {"foreign namespace", foreign_namespace, false}};
  return families;
}

}  // namespace storm

// What root of a nest may try against a mount it was given: each attempt by itself, its errno as text.
// Layer: test program, linked with nothing. Users: tests/nest, which copies it to /attempts in a bundle.
// SPDX-License-Identifier: Apache-2.0
//
// attempts locked PATH   one line an attempt at undoing a locked read-only mount: "remount EPERM"
// attempts nested        a proc and a sysfs in a user namespace of its own: "proc OK"
// attempts overlay DIR   lower, upper, work and merged below DIR: mounts, deletes a lower directory: "overlay OK"
// attempts open PATH     opens it for reading and writing: "open OK"
// attempts bpf           bpf(2) with an address that is nobody's: "bpf EFAULT" where it reaches the kernel
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

namespace {

void say(const char* what, long result) {
  std::printf("%s %s\n", what, result >= 0 ? "OK" : ::strerrorname_np(errno));
  std::fflush(stdout);
}

long set_attributes(int dir, const char* path, unsigned flags) {
  mount_attr attr{};
  attr.attr_clr = MOUNT_ATTR_RDONLY;
  return ::syscall(SYS_mount_setattr, dir, path, flags, &attr, sizeof attr);
}

int locked(const char* path) {
  say("remount", ::mount(nullptr, path, nullptr, MS_REMOUNT | MS_BIND, nullptr));
  say("mount_setattr", set_attributes(AT_FDCWD, path, 0));
  const long tree = ::syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
  say("open_tree_and_clear",
      tree < 0 ? tree : set_attributes(static_cast<int>(tree), "", AT_EMPTY_PATH | AT_RECURSIVE));
  ::mkdir("/tmp/moved", 0755);
  say("move", ::mount(path, "/tmp/moved", nullptr, MS_MOVE, nullptr));
  say("umount", ::umount2(path, 0));
  say("umount_detach", ::umount2(path, MNT_DETACH));
  const std::string file = std::string(path) + "/written";
  say("write", ::open(file.c_str(), O_WRONLY | O_CREAT, 0644));
  return 0;
}

int nested() {
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET) < 0) return say("unshare", -1), 1;
  const pid_t child = ::fork();
  if (child == 0) {
    say("proc", ::mount("proc", "/proc", "proc", 0, nullptr));
    say("sysfs", ::mount("sysfs", "/sys", "sysfs", 0, nullptr));
    ::_exit(0);
  }
  ::waitpid(child, nullptr, 0);
  return 0;
}

int overlay(const std::string& dir) {
  for (const char* name : {"/lower", "/lower/d", "/upper", "/work", "/merged"}) ::mkdir((dir + name).c_str(), 0755);
  ::close(::open((dir + "/lower/d/f").c_str(), O_WRONLY | O_CREAT, 0644));
  const std::string options =
      "lowerdir=" + dir + "/lower,upperdir=" + dir + "/upper,workdir=" + dir + "/work,userxattr";
  const std::string merged = dir + "/merged";
  say("overlay", ::mount("overlay", merged.c_str(), "overlay", 0, options.c_str()));
  say("unlink", ::unlink((merged + "/d/f").c_str()));
  say("rmdir", ::rmdir((merged + "/d").c_str()));
  say("mkdir", ::mkdir((merged + "/d").c_str(), 0755));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "locked" && argc > 2) return locked(argv[2]);
  if (what == "nested") return nested();
  if (what == "overlay" && argc > 2) return overlay(argv[2]);
  if (what == "open" && argc > 2) return say("open", ::open(argv[2], O_RDWR | O_CLOEXEC)), 0;
  if (what == "bpf") return say("bpf", ::syscall(SYS_bpf, 0, nullptr, 16)), 0;
  std::fprintf(stderr, "usage: attempts locked PATH | nested | overlay DIR | open PATH | bpf\n");
  return 2;
}

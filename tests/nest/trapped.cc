// Makes trapped calls from inside a nest, many at once, and says what came of them.
// Layer: tests. Used by supervisor_test.py and by the benchmark:
//   trapped storm SECONDS DIRECTORY   8 threads; prints "calls N failed N" and the first failures
//   trapped time WHAT COUNT DIRECTORY [PAUSE]
//        median in ns of one call, PAUSE us after the one before; WHAT: mknod, fifo, mount, mountproc, newproc, umount,
//        sysinfo, or a file to be opened, read and closed
//   trapped attach TYPE PATH          a new file system by the new mount API, its target named
//   trapped clone FROM PATH           a copy of the mounts at FROM by the new mount API, its target a descriptor
// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <linux/mount.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr int threads = 8;
constexpr int most_reports = 10;

std::atomic<long> calls{0};
std::atomic<long> failed{0};
std::mutex printing;

void check(bool good, const char* what, const std::string& path) {
  const int why = errno;
  ++calls;
  if (good || ++failed > most_reports) return;
  const std::lock_guard lock(printing);
  std::printf("%s %s: %s\n", what, path.c_str(), std::strerror(why));
}

// Each thread has names of its own, so that every call must succeed.
void make_nodes(const std::string& path) {
  check(::mknod(path.c_str(), S_IFCHR | 0666, makedev(1, 3)) == 0, "mknod", path);
  struct stat status{};
  const bool is_null = ::stat(path.c_str(), &status) == 0 && S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3);
  check(is_null, "stat", path);
  check(::unlink(path.c_str()) == 0, "unlink", path);
}

// fsopen, fsconfig, fsmount, as util-linux does it. Negative: errno is set.
int new_filesystem(const char* type) {
  const int context = static_cast<int>(::syscall(SYS_fsopen, type, FSOPEN_CLOEXEC));
  if (context < 0) return -1;
  int made = -1;
  if (::syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, "source", type, 0) == 0 &&
      ::syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) == 0)
    made = static_cast<int>(::syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID));
  ::close(context);
  return made;
}

bool attach(const char* type, const std::string& path) {
  const int made = new_filesystem(type);
  if (made < 0) return false;
  const long rc = ::syscall(SYS_move_mount, made, "", AT_FDCWD, path.c_str(), MOVE_MOUNT_F_EMPTY_PATH);
  ::close(made);
  return rc == 0;
}

bool clone(const char* from, const char* path) {
  const int tree = static_cast<int>(::syscall(SYS_open_tree, AT_FDCWD, from, OPEN_TREE_CLONE | AT_RECURSIVE));
  const int target = ::open(path, O_PATH);
  return tree >= 0 && target >= 0 &&
         ::syscall(SYS_move_mount, tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == 0;
}

void mount_all(const std::string& path) {
  ::mkdir(path.c_str(), 0755);
  check(::mount("proc", path.c_str(), "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) == 0, "mount proc", path);
  check(::access((path + "/self").c_str(), F_OK) == 0, "access", path + "/self");
  check(::umount2(path.c_str(), 0) == 0, "umount proc", path);
  check(attach("proc", path), "attach proc", path);
  check(::access((path + "/self").c_str(), F_OK) == 0, "access", path + "/self");
  check(::umount2(path.c_str(), 0) == 0, "umount proc", path);
  check(::mount("tmpfs", path.c_str(), "tmpfs", 0, "size=4k") == 0, "mount tmpfs", path);
  check(::umount2(path.c_str(), 0) == 0, "umount tmpfs", path);
}

// Whoever looks for its directory waits for the server of the view.
void look_into_view() {
  const char* path = "/sys/devices/system/cpu/none/null";
  check(::mknod(path, S_IFCHR | 0666, makedev(1, 3)) < 0 && errno == ENOENT, "no mknod", path);
}

void read_view() {
  struct sysinfo info{};
  check(::sysinfo(&info) == 0 && info.totalram > 0, "sysinfo", "");
  for (const char* path : {"/proc/meminfo", "/proc/uptime", "/proc/stat"}) {
    const int fd = ::open(path, O_RDONLY);
    char buffer[4096];
    check(fd >= 0 && ::read(fd, buffer, sizeof buffer) > 0, "read", path);
    if (fd >= 0) ::close(fd);
  }
}

void storm(int index, const std::string& directory, Clock::time_point end) {
  const std::string path = directory + "/storm" + std::to_string(index);
  while (Clock::now() < end) {
    if (index % 4 == 0)
      mount_all(path + ".d");
    else if (index == 1)
      read_view();
    else if (index == 5)
      look_into_view();
    else
      make_nodes(path);
  }
}

int storm_main(int seconds, const std::string& directory) {
  const auto end = Clock::now() + std::chrono::seconds(seconds);
  std::vector<std::thread> all;
  for (int i = 0; i < threads; ++i) all.emplace_back(storm, i, directory, end);
  for (std::thread& thread : all) thread.join();
  std::printf("calls %ld failed %ld\n", calls.load(), failed.load());
  return failed.load() == 0 ? 0 : 1;
}

// The part that is measured, and the part that makes it possible again.
bool once(std::string_view what, const std::string& path) {
  if (what == "mknod") return ::mknod(path.c_str(), S_IFCHR | 0666, makedev(1, 3)) == 0;
  if (what == "fifo") return ::mknod(path.c_str(), S_IFIFO | 0666, 0) == 0;
  if (what == "mount") return ::mount("tmpfs", path.c_str(), "tmpfs", 0, "size=4k") == 0;
  if (what == "mountproc") return ::mount("proc", path.c_str(), "proc", 0, nullptr) == 0;
  if (what == "newproc") return attach("proc", path);
  if (what == "umount") return ::umount2(path.c_str(), 0) == 0;
  if (what.starts_with("/")) {
    const int fd = ::open(std::string(what).c_str(), O_RDONLY);
    char buffer[16384];
    const bool good = fd >= 0 && ::read(fd, buffer, sizeof buffer) > 0;
    return ::close(fd) == 0 && good;
  }
  struct sysinfo info{};
  return ::sysinfo(&info) == 0;
}

int time_main(const std::string& what, int count, const std::string& directory, int pause) {
  const bool mounts = what == "mount" || what == "mountproc" || what == "newproc" || what == "umount";
  const std::string path = directory + "/time" + std::to_string(::getpid());
  if (mounts) ::mkdir(path.c_str(), 0755);
  std::vector<long> took;
  for (int i = 0; i < count; ++i) {
    if (what == "umount") ::mount("tmpfs", path.c_str(), "tmpfs", 0, "size=4k");
    if (pause > 0) std::this_thread::sleep_for(std::chrono::microseconds(pause));
    const auto start = Clock::now();
    const bool good = once(what, path);
    const auto end = Clock::now();
    if (!good) return std::perror(what.c_str()), 1;
    took.push_back(std::chrono::duration_cast<std::chrono::nanoseconds>(end - start).count());
    if (what == "mknod" || what == "fifo") ::unlink(path.c_str());
    if (mounts && what != "umount") ::umount2(path.c_str(), MNT_DETACH);
  }
  if (mounts) ::rmdir(path.c_str());
  std::ranges::nth_element(took, took.begin() + count / 2);
  std::printf("%ld\n", took[static_cast<std::size_t>(count) / 2]);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc > 1 ? argv[1] : "";
  if (what == "storm" && argc == 4) return storm_main(std::atoi(argv[2]), argv[3]);
  if (what == "time" && (argc == 5 || argc == 6))
    return time_main(argv[2], std::atoi(argv[3]), argv[4], argc == 6 ? std::atoi(argv[5]) : 0);
  const bool attaches = argc == 4 && (what == "attach" || what == "clone");
  if (attaches && !(what == "attach" ? attach(argv[2], argv[3]) : clone(argv[2], argv[3])))
    return std::perror("attach"), 1;
  if (attaches) return 0;
  std::fputs("usage: trapped storm SECONDS DIRECTORY | trapped time WHAT COUNT DIRECTORY [PAUSE]\n", stderr);
  return 2;
}

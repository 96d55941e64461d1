// The least that a container start can cost: the namespaces, mounts, cgroups, masks and capabilities of the bench's
// bundle, written out by hand: no configuration, no checks, no state. Not a runtime: what a runtime is measured by.
// Layer: bench. Run by bench/runtime/run.
// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>

namespace {

constexpr const char* kHierarchies[] = {"cpu",     "cpuacct", "cpuset", "memory", "devices",
                                        "freezer", "blkio",   "pids",   "systemd"};
constexpr int kCount = sizeof kHierarchies / sizeof *kHierarchies;
constexpr const char* kTop = "/sys/fs/cgroup/";

void check(long result, const char* what) {
  if (result >= 0) return;
  std::fprintf(stderr, "floor: %s: %s\n", what, std::strerror(errno));
  _exit(1);
}

void write_at(int dir, const char* name, std::string_view text) {
  int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);
  check(fd, name);
  check(write(fd, text.data(), text.size()), name);
  close(fd);
}

std::string cgroup(int i, const char* path) { return std::string(kTop) + kHierarchies[i] + path; }

// Directories, device rules, and the descriptors through which the child joins. A hierarchy that is not mounted is
// skipped.
void make_cgroups(const char* path, int (&tasks)[kCount]) {
  for (int i = 0; i < kCount; ++i) {
    tasks[i] = -1;
    if (mkdir(cgroup(i, path).c_str(), 0755) < 0 && errno != EEXIST) continue;
    int dir = open(cgroup(i, path).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    check(dir, "open cgroup");
    if (std::strcmp(kHierarchies[i], "cpuset") == 0) {
      for (const char* name : {"cpuset.cpus", "cpuset.mems"}) {
        char value[4096];
        int fd = openat(dir, (std::string("../") + name).c_str(), O_RDONLY | O_CLOEXEC);
        check(fd, name);
        ssize_t size = read(fd, value, sizeof value);
        check(size, name);
        close(fd);
        write_at(dir, name, {value, static_cast<std::size_t>(size)});
      }
    }
    if (std::strcmp(kHierarchies[i], "devices") == 0) {
      write_at(dir, "devices.deny", "a");
      for (const char* rule : {"c *:* m", "b *:* m", "c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm", "c 1:8 rwm", "c 1:9 rwm",
                               "c 5:0 rwm", "c 5:2 rwm", "c 136:* rwm"})
        write_at(dir, "devices.allow", rule);
    }
    tasks[i] = openat(dir, "tasks", O_WRONLY | O_CLOEXEC);
    check(tasks[i], "tasks");
    close(dir);
  }
}

void remove_cgroups(const char* path) {
  for (int i = 0; i < kCount; ++i)
    while (rmdir(cgroup(i, path).c_str()) < 0 && errno == EBUSY) usleep(200);
}

void mount_on(const char* source, const char* target, const char* type, unsigned long flags,
              const char* data = nullptr) {
  check(mount(source, target, type, flags, data), target);
}

void make_devices() {
  struct Node {
    const char* name;
    unsigned major, minor;
  };
  for (auto [name, major, minor] : {Node{"null", 1, 3}, Node{"zero", 1, 5}, Node{"full", 1, 7}, Node{"random", 1, 8},
                                    Node{"urandom", 1, 9}, Node{"tty", 5, 0}}) {
    check(mknod(name, S_IFCHR | 0666, makedev(major, minor)), name);
    check(chmod(name, 0666), name);
  }
  check(symlink("/proc/self/fd", "fd"), "fd");
  check(symlink("/proc/self/fd/0", "stdin"), "stdin");
  check(symlink("/proc/self/fd/1", "stdout"), "stdout");
  check(symlink("/proc/self/fd/2", "stderr"), "stderr");
  check(symlink("/proc/kcore", "core"), "core");
  check(symlink("pts/ptmx", "ptmx"), "ptmx");
}

void mount_cgroups(const char* path) {
  mount_on("cgroup", "sys/fs/cgroup", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=755");
  for (int i = 0; i < kCount; ++i) {
    std::string source = cgroup(i, path), target = std::string("sys/fs/cgroup/") + kHierarchies[i];
    if (access(source.c_str(), F_OK) < 0) continue;
    check(mkdir(target.c_str(), 0755), target.c_str());
    mount_on(source.c_str(), target.c_str(), nullptr, MS_BIND);
    mount_on(nullptr, target.c_str(), nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC);
  }
  mount_on(nullptr, "sys/fs/cgroup", nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC);
}

void mount_all(const char* rootfs, const char* path) {
  mount_on(nullptr, "/", nullptr, MS_REC | MS_SLAVE);
  mount_on(rootfs, rootfs, nullptr, MS_BIND | MS_REC);
  check(chdir(rootfs), rootfs);
  mount_on("proc", "proc", "proc", 0);
  mount_on("tmpfs", "dev", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k");
  for (const char* name : {"dev/pts", "dev/shm", "dev/mqueue"}) check(mkdir(name, 0755), name);
  mount_on("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5");
  mount_on("shm", "dev/shm", "tmpfs", MS_NOSUID | MS_NOEXEC | MS_NODEV, "mode=1777,size=65536k");
  mount_on("mqueue", "dev/mqueue", "mqueue", MS_NOSUID | MS_NOEXEC | MS_NODEV);
  mount_on("sysfs", "sys", "sysfs", MS_NOSUID | MS_NOEXEC | MS_NODEV | MS_RDONLY);
  mount_cgroups(path);
  check(chdir("dev"), "dev");
  make_devices();
  check(chdir(".."), "..");
}

void enter_root() {
  check(syscall(SYS_pivot_root, ".", "."), "pivot_root");
  check(umount2(".", MNT_DETACH), "umount the old root");
  check(chdir("/"), "/");
  mount_on(nullptr, "/", nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY);
  for (const char* name : {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}) {
    if (mount(name, name, nullptr, MS_BIND | MS_REC, nullptr) < 0) continue;
    mount_on(nullptr, name, nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC);
  }
  for (const char* name : {"/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
                           "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi"})
    if (mount("/dev/null", name, nullptr, MS_BIND, nullptr) < 0 && errno == ENOTDIR)
      mount_on("tmpfs", name, "tmpfs", MS_RDONLY);
}

void drop_capabilities() {
  constexpr unsigned kKept = 1U << CAP_AUDIT_WRITE | 1U << CAP_KILL | 1U << CAP_NET_BIND_SERVICE;
  for (int i = 0; i <= CAP_LAST_CAP; ++i)
    if (i >= 32 || !(kKept >> i & 1)) prctl(PR_CAPBSET_DROP, i);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{{kKept, kKept, 0}, {0, 0, 0}};
  check(syscall(SYS_capset, &header, data), "capset");
  check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
}

}  // namespace

// usage: floor ROOTFS CGROUP_PATH COMMAND...
int main(int argc, char** argv) {
  if (argc < 4) return 2;
  const char *rootfs = argv[1], *path = argv[2];
  int tasks[kCount];
  make_cgroups(path, tasks);
  clone_args args{};
  args.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
  args.exit_signal = SIGCHLD;
  long pid = syscall(SYS_clone3, &args, sizeof args);
  check(pid, "clone3");
  if (pid == 0) {
    for (int fd : tasks)
      if (fd >= 0) check(write(fd, "0", 1), "join");  // alone in its thread group: no grace period
    mount_all(rootfs, path);
    check(sethostname("floor", 5), "hostname");
    enter_root();
    drop_capabilities();
    execv(argv[3], argv + 3);
    check(-1, argv[3]);
  }
  int status = 0;
  check(waitpid(static_cast<pid_t>(pid), &status, 0), "wait");
  remove_cgroups(path);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

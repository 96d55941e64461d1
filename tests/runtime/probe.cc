// What a container looks like from inside: one static program that prints what it sees as JSON.
// Layer: test program, linked with nothing. Users: tests/runtime and tests/escape, which copy it to /probe in a bundle.
// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace {

// A JSON writer for a tree that is written in order: the comma is put by the next member.
class Json {
 public:
  void open(char bracket) { item(), text_ += bracket, fresh_ = true; }
  void close(char bracket) { text_ += bracket, fresh_ = false; }
  Json& key(std::string_view name) {
    string(name);
    text_ += ':';
    fresh_ = true;
    return *this;
  }
  void string(std::string_view value) {
    item();
    text_ += '"';
    for (unsigned char c : value) {
      char escaped[8];
      if (c == '"' || c == '\\' || c < 0x20 || c >= 0x7f) {
        snprintf(escaped, sizeof escaped, "\\u%04x", c);
        text_ += escaped;
      } else {
        text_ += static_cast<char>(c);
      }
    }
    text_ += '"';
  }
  void number(long long value) { item(), text_ += std::to_string(value); }
  void boolean(bool value) { item(), text_ += value ? "true" : "false"; }
  void member(std::string_view name, std::string_view value) { key(name).string(value); }
  void member(std::string_view name, const char* value) { key(name).string(value); }
  void member(std::string_view name, long long value) { key(name).number(value); }
  const std::string& text() const { return text_; }

 private:
  void item() {
    if (!fresh_) {
      text_ += ',';
    }
    fresh_ = false;
  }
  std::string text_;
  bool fresh_ = true;
};

std::string read_all(const char* path) {
  std::string text;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return text;
  }
  char buffer[16384];
  for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<size_t>(n));
  }
  close(fd);
  return text;
}

std::string read_link(const std::string& path) {
  char target[4096];
  ssize_t n = readlink(path.c_str(), target, sizeof target);
  return n < 0 ? "" : std::string(target, static_cast<size_t>(n));
}

void each_entry(const char* path, const std::function<void(const std::string&, int)>& see) {
  DIR* directory = opendir(path);
  if (directory == nullptr) {
    return;
  }
  while (dirent* entry = readdir(directory)) {
    if (entry->d_name[0] != '.') {
      see(entry->d_name, dirfd(directory));
    }
  }
  closedir(directory);
}

void report_ids(Json& out) {
  uid_t r, e, s;
  getresuid(&r, &e, &s);
  out.member("uid", r), out.member("euid", e), out.member("suid", s);
  getresgid(&r, &e, &s);
  out.member("gid", r), out.member("egid", e), out.member("sgid", s);
  std::vector<gid_t> groups(70000);
  int count = getgroups(static_cast<int>(groups.size()), groups.data());
  out.key("groups").open('[');
  for (int i = 0; i < count; ++i) {
    out.number(groups[static_cast<size_t>(i)]);
  }
  out.close(']');
  mode_t mask = umask(0);
  umask(mask);
  out.member("umask", mask);
  out.member("pid", getpid()), out.member("ppid", getppid()), out.member("sid", getsid(0));
  out.member("pgid", getpgid(0));
}

void report_capabilities(Json& out) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
  syscall(SYS_capget, &header, data);
  auto both = [](uint32_t low, uint32_t high) { return static_cast<long long>(uint64_t{high} << 32 | low); };
  long long bounding = 0, ambient = 0;
  for (int i = 0; i < 64; ++i) {
    bounding |= prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1 ? 1LL << i : 0;
    ambient |= prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, i, 0, 0) == 1 ? 1LL << i : 0;
  }
  out.key("caps").open('{');
  out.member("effective", both(data[0].effective, data[1].effective));
  out.member("permitted", both(data[0].permitted, data[1].permitted));
  out.member("inheritable", both(data[0].inheritable, data[1].inheritable));
  out.member("bounding", bounding), out.member("ambient", ambient);
  out.close('}');
}

void report_limits(Json& out) {
  static const char* const names[] = {"CPU",      "FSIZE",  "DATA",    "STACK", "CORE",  "RSS",
                                      "NPROC",    "NOFILE", "MEMLOCK", "AS",    "LOCKS", "SIGPENDING",
                                      "MSGQUEUE", "NICE",   "RTPRIO",  "RTTIME"};
  out.key("rlimits").open('{');
  for (int i = 0; i < 16; ++i) {
    rlimit limit{};
    getrlimit(static_cast<__rlimit_resource>(i), &limit);
    out.key(std::string("RLIMIT_") + names[i]).open('[');
    out.number(static_cast<long long>(limit.rlim_cur)), out.number(static_cast<long long>(limit.rlim_max));
    out.close(']');
  }
  out.close('}');
}

struct SchedAttr {  // linux/sched/types.h cannot be included beside glibc's sched.h
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
  uint32_t util_min, util_max;
};

void report_scheduling(Json& out) {
  SchedAttr attr{};
  syscall(SYS_sched_getattr, 0, &attr, sizeof attr, 0);
  out.key("scheduler").open('{');
  out.member("policy", attr.policy), out.member("nice", attr.nice), out.member("priority", attr.priority);
  out.member("flags", static_cast<long long>(attr.flags));
  out.member("runtime", static_cast<long long>(attr.runtime));
  out.member("deadline", static_cast<long long>(attr.deadline));
  out.member("period", static_cast<long long>(attr.period));
  out.close('}');
  out.member("ioprio", syscall(SYS_ioprio_get, 1, 0));
  cpu_set_t set;
  CPU_ZERO(&set);
  sched_getaffinity(0, sizeof set, &set);
  out.key("affinity").open('[');
  for (int i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(i, &set)) {
      out.number(i);
    }
  }
  out.close(']');
  int policy = -1;
  unsigned long nodes[16]{};
  long got = syscall(SYS_get_mempolicy, &policy, nodes, sizeof nodes * 8, nullptr, 0);
  out.member("mempolicy", got == 0 ? policy : -errno), out.member("memnodes", static_cast<long long>(nodes[0]));
}

void report_flags(Json& out) {
  out.member("no_new_privs", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
  out.member("seccomp", prctl(PR_GET_SECCOMP, 0, 0, 0, 0));
  out.member("dumpable", prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
  out.member("keepcaps", prctl(PR_GET_KEEPCAPS, 0, 0, 0, 0));
  out.member("securebits", prctl(PR_GET_SECUREBITS, 0, 0, 0, 0));
  int signal_number = 0;
  prctl(PR_GET_PDEATHSIG, &signal_number, 0, 0, 0);
  out.member("pdeathsig", signal_number);
  out.member("personality", personality(0xffffffff));
  std::string score = read_all("/proc/self/oom_score_adj");
  out.member("oom_score_adj", score.empty() ? -9999 : atoi(score.c_str()));
  out.member("status", read_all("/proc/self/status"));
  char keyring[512] = "";
  syscall(SYS_keyctl, KEYCTL_DESCRIBE, KEY_SPEC_SESSION_KEYRING, keyring, sizeof keyring - 1, 0);
  out.member("keyring", keyring);
}

// ucontext-free look at dispositions: the masks in /proc/self/status need /proc, sigaction does not.
void report_signals(Json& out) {
  sigset_t blocked;
  sigprocmask(SIG_SETMASK, nullptr, &blocked);
  out.key("blocked").open('[');
  for (int i = 1; i < 65; ++i) {
    if (sigismember(&blocked, i) == 1) {
      out.number(i);
    }
  }
  out.close(']');
  out.key("ignored").open('[');
  for (int i = 1; i < 65; ++i) {
    struct sigaction action{};
    if (sigaction(i, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) {
      out.number(i);
    }
  }
  out.close(']');
}

void report_world(Json& out) {
  utsname name{};
  uname(&name);
  out.member("hostname", name.nodename), out.member("domainname", name.domainname), out.member("machine", name.machine);
  out.key("namespaces").open('{');
  each_entry("/proc/self/ns",
             [&](const std::string& entry, int) { out.member(entry, read_link("/proc/self/ns/" + entry)); });
  out.close('}');
  out.member("mountinfo", read_all("/proc/self/mountinfo")), out.member("cgroup", read_all("/proc/self/cgroup"));
  out.member("uid_map", read_all("/proc/self/uid_map")), out.member("gid_map", read_all("/proc/self/gid_map"));
  out.member("setgroups", read_all("/proc/self/setgroups"));
  out.member("timens_offsets", read_all("/proc/self/timens_offsets"));
  timespec boot{}, monotonic{};
  clock_gettime(CLOCK_BOOTTIME, &boot), clock_gettime(CLOCK_MONOTONIC, &monotonic);
  out.member("boottime", boot.tv_sec), out.member("monotonic", monotonic.tv_sec);
}

void report_descriptors(Json& out) {
  out.key("fds").open('{');
  each_entry("/proc/self/fd", [&](const std::string& entry, int own) {
    if (atoi(entry.c_str()) != own) {
      out.member(entry, read_link("/proc/self/fd/" + entry));
    }
  });
  out.close('}');
  out.key("open_fds").open('[');  // does not need /proc
  for (int fd = 0; fd < 4096; ++fd) {
    if (fcntl(fd, F_GETFD) >= 0) {
      out.number(fd);
    }
  }
  out.close(']');
  out.key("tty").open('[');
  for (int fd = 0; fd < 3; ++fd) {
    out.boolean(isatty(fd) == 1);
  }
  out.close(']');
  winsize size{};
  if (ioctl(0, TIOCGWINSZ, &size) == 0) {
    out.key("winsize").open('[');
    out.number(size.ws_row), out.number(size.ws_col);
    out.close(']');
    out.member("tcpgrp", tcgetpgrp(0));
  }
  struct stat found{};
  out.member("tty_rdev_major",
             fstat(0, &found) == 0 && S_ISCHR(found.st_mode) ? static_cast<long long>(major(found.st_rdev)) : -1);
  int fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
  out.key("controlling_tty").boolean(fd >= 0);
}

int report(int argc, char** argv, char** env) {
  Json out;
  out.open('{');
  report_descriptors(out);
  report_ids(out);
  report_capabilities(out);
  report_limits(out);
  report_scheduling(out);
  report_flags(out);
  report_signals(out);
  report_world(out);
  char cwd[4096] = "";
  long got = syscall(SYS_getcwd, cwd, sizeof cwd);
  out.member("cwd", got > 0 ? cwd : "");
  out.key("args").open('[');
  for (int i = 0; i < argc; ++i) {
    out.string(argv[i]);
  }
  out.close(']');
  out.key("env").open('[');
  for (char** variable = env; *variable != nullptr; ++variable) {
    out.string(*variable);
  }
  out.close(']');
  out.close('}');
  puts(out.text().c_str());
  return 0;
}

// Prints "ready", then the number of each signal that arrives; SIGTERM ends it with 0, SIGUSR2 with 42.
int signals() {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  write(1, "ready\n", 6);
  for (;;) {
    int number = 0;
    sigwait(&all, &number);
    if (number == SIGCHLD) {
      continue;
    }
    std::string line = std::to_string(number) + "\n";
    write(1, line.data(), line.size());
    if (number == SIGTERM || number == SIGUSR2) {
      return number == SIGTERM ? 0 : 42;
    }
  }
}

// syscall NUMBER ARG...: a number, or text whose address is passed. Prints result and errno.
int call(int argc, char** argv) {
  long arguments[6]{};
  for (int i = 0; i + 3 < argc && i < 6; ++i) {
    char* end = nullptr;
    arguments[i] = strtol(argv[i + 3], &end, 0);
    if (*end != '\0') {
      arguments[i] = reinterpret_cast<long>(argv[i + 3]);
    }
  }
  errno = 0;
  long result =
      syscall(atol(argv[2]), arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
  printf("{\"result\":%ld,\"errno\":%d}\n", result, result < 0 ? errno : 0);
  return 0;
}

// stat PATH...: type and device numbers, without following a last symlink.
int stats(int argc, char** argv) {
  Json out;
  out.open('{');
  for (int i = 2; i < argc; ++i) {
    struct stat found{};
    struct statfs system{};
    out.key(argv[i]).open('{');
    if (lstat(argv[i], &found) < 0) {
      out.member("errno", errno);
    } else {
      out.member("mode", found.st_mode), out.member("uid", found.st_uid), out.member("gid", found.st_gid);
      out.member("major", major(found.st_rdev)), out.member("minor", minor(found.st_rdev));
      out.member("size", found.st_size), out.member("ino", static_cast<long long>(found.st_ino));
      out.member("dev", static_cast<long long>(found.st_dev)),
          out.member("nlink", static_cast<long long>(found.st_nlink));
      out.member("link", S_ISLNK(found.st_mode) ? read_link(argv[i]) : "");
      out.member("magic", statfs(argv[i], &system) == 0 ? static_cast<long long>(system.f_type) : 0);
      out.member("fsflags", static_cast<long long>(system.f_flags));
    }
    out.close('}');
  }
  out.close('}');
  puts(out.text().c_str());
  return 0;
}

// notify TEXT: what sd_notify does.
int notify(const char* text) {
  const char* path = getenv("NOTIFY_SOCKET");
  if (path == nullptr) {
    puts("no NOTIFY_SOCKET");
    return 1;
  }
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (sendto(fd, text, strlen(text), 0, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0) {
    perror("sendto");
    return 1;
  }
  puts("sent");
  return 0;
}

// steal: opens every descriptor of every other process that it can see, for SECONDS; prints what it got.
// A runtime that enters the container while it is ptraceable shows its descriptors of the host here (CVE-2016-9962).
int steal(int seconds) {
  time_t end = time(nullptr) + seconds;
  std::string self = std::to_string(getpid());
  puts("ready");
  fflush(stdout);
  long looked = 0;
  while (time(nullptr) < end && access("/stop", F_OK) != 0) {
    each_entry("/proc", [&](const std::string& process, int) {
      if (process[0] < '0' || process[0] > '9' || process == self) {
        return;
      }
      ++looked;
      std::string directory = "/proc/" + process + "/fd";
      each_entry(directory.c_str(), [&](const std::string& entry, int) {
        std::string target = read_link(directory + "/" + entry);
        if (!target.empty() && atoi(entry.c_str()) > 2) {
          printf("%s %s %s\n", process.c_str(), entry.c_str(), target.c_str());
        }
      });
    });
  }
  printf("looked %ld\n", looked);
  return 0;
}

// exchange A B: swaps two names as fast as it can until it is killed.
[[noreturn]] void exchange(const char* a, const char* b) {
  for (;;) {
    syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, 2 /* RENAME_EXCHANGE */);
  }
}

// reopen PATH FLAGS: O_PATH first, then through /proc/self/fd; prints the errno of the second open.
int reopen(const char* path, int flags) {
  int fd = open(path, O_PATH | O_CLOEXEC);
  if (fd < 0) {
    printf("{\"path_errno\":%d}\n", errno);
    return 0;
  }
  std::string magic = "/proc/self/fd/" + std::to_string(fd);
  errno = 0;
  int second = open(magic.c_str(), flags | O_CLOEXEC);
  printf("{\"path_errno\":0,\"errno\":%d}\n", second < 0 ? errno : 0);
  return 0;
}

}  // namespace

int main(int argc, char** argv, char** env) {
  std::string_view verb = argc > 1 ? argv[1] : "report";
  if (verb == "signals") {
    return signals();
  }
  if (verb == "syscall" && argc > 2) {
    return call(argc, argv);
  }
  if (verb == "stat") {
    return stats(argc, argv);
  }
  if (verb == "notify" && argc > 2) {
    return notify(argv[2]);
  }
  if (verb == "steal" && argc > 2) {
    return steal(atoi(argv[2]));
  }
  if (verb == "exchange" && argc > 3) {
    exchange(argv[2], argv[3]);
  }
  if (verb == "reopen" && argc > 3) {
    return reopen(argv[2], static_cast<int>(strtol(argv[3], nullptr, 0)));
  }
  return report(argc, argv, env);
}

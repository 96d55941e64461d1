// Makes calls that a nest's supervisor answers, or leaves to the kernel, and says what came of each: "NAME ok" or
// "NAME ERRNO". Layer: test program, linked with nothing. Users: tests/nest/calls_test.py, as root of a nest.
// SPDX-License-Identifier: Apache-2.0
//
//   calls all DIRECTORY       each call once
//   calls limits NEW          RLIMIT_NOFILE's hard limit lowered, then raised to NEW: its own, and a child's
//   calls reboot              as process 1
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/io_uring.h>
#include <linux/reboot.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <string_view>

namespace {

void say(const char* name, long rc) {
  if (rc >= 0)
    std::printf("%s ok\n", name);
  else
    std::printf("%s %s\n", name, ::strerrorname_np(errno));
  std::fflush(stdout);
}

// What only 32-bit programs call: from here too, with addresses below 4 GiB. A kernel without it kills the child.
long call32(long number, long a, long b, long c, long d) {
  long out;
  asm volatile("int $0x80" : "=a"(out) : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d) : "memory");
  if (out < 0) errno = static_cast<int>(-out);
  return out < 0 ? -1 : out;
}

char* low_text(const std::string& text) {
  char* at =
      static_cast<char*>(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0));
  std::memcpy(at, text.c_str(), text.size() + 1);
  return at;
}

template <class Work>
void in_child(const char* name, Work work) {
  std::fflush(stdout);
  const pid_t child = ::fork();
  if (child == 0) {
    work();
    std::fflush(stdout);
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) std::printf("%s signal %d\n", name, WTERMSIG(status));
}

void entry_points(const std::string& at) {
  constexpr int mknod32 = 14, mount32 = 21, umount32 = 22, sysinfo32 = 116, mknodat32 = 297;
  constexpr long x32 = 0x40000000;
  const long null = static_cast<long>(makedev(1, 3));
  in_child("mknod32", [&] {
    say("mknod32", call32(mknod32, reinterpret_cast<long>(low_text(at + "/n32")), S_IFCHR | 0600, null, 0));
    say("mknodat32", call32(mknodat32, AT_FDCWD, reinterpret_cast<long>(low_text(at + "/na32")), S_IFCHR | 0600, null));
    char* info = low_text("");
    say("sysinfo32", call32(sysinfo32, reinterpret_cast<long>(info), 0, 0, 0));
    std::printf("uptime32 %s\n", *reinterpret_cast<std::uint32_t*>(info) < 600 ? "ok" : "host's");
    const std::string dir = at + "/m32";
    ::mkdir(dir.c_str(), 0755);
    const long low = reinterpret_cast<long>(low_text(dir));
    say("mount32",
        call32(mount32, reinterpret_cast<long>(low_text("proc")), low, reinterpret_cast<long>(low_text("proc")), 0));
    say("umount32", call32(umount32, low, 0, 0, 0));
  });
  in_child("mknodx32",
           [&] { say("mknodx32", ::syscall(x32 | SYS_mknod, (at + "/nx32").c_str(), S_IFCHR | 0600, null)); });
}

void priorities() {
  in_child("nice", [] {
    say("nice-5", ::setpriority(PRIO_PROCESS, 0, -5));
    std::printf("is %d\n", ::getpriority(PRIO_PROCESS, 0));
    say("nice-19", ::setpriority(PRIO_PROCESS, 0, -19));
    say("nice5", ::setpriority(PRIO_PROCESS, 0, 5));
  });
  in_child("nice-child", [] {
    const pid_t child = ::fork();
    if (child == 0) ::pause(), ::_exit(0);
    say("nice-child", ::setpriority(PRIO_PROCESS, static_cast<id_t>(child), -3));
    std::printf("is %d\n", ::getpriority(PRIO_PROCESS, static_cast<id_t>(child)));
    ::kill(child, SIGKILL);
    say("nice-nobody", ::setpriority(PRIO_PROCESS, 4000000, -3));
  });
  sched_param first{.sched_priority = 1}, none{.sched_priority = 0};
  say("sched-fifo", ::syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &first));
  say("sched-batch", ::syscall(SYS_sched_setscheduler, 0, SCHED_BATCH, &none));
  say("ioprio-realtime", ::syscall(SYS_ioprio_set, 1, 0, 1 << 13 | 4));
  say("ioprio-best-effort", ::syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 0));
}

void modules(const std::string& at) {
  // "fuse" is in every kernel on which these tests run: as a module or built in.
  for (const std::string module : {"fuse", "no-such-thing"}) {
    const std::string path = at + "/" + module + ".ko";
    const int fd = ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    say(("finit-" + module).c_str(), ::syscall(SYS_finit_module, fd, "", 0));
    std::string image = "\x7f";
    image += "ELF";
    image += std::string(3000, '\0') + "name=" + module;
    image += std::string(3000, '\0');
    say(("init-" + module).c_str(), ::syscall(SYS_init_module, image.data(), image.size(), ""));
  }
  say("delete-module", ::syscall(SYS_delete_module, "fuse", O_NONBLOCK));
}

void machine() {
  timeval now{.tv_sec = 1, .tv_usec = 0};
  timespec then{.tv_sec = 1, .tv_nsec = 0};
  timex tick{};
  tick.modes = ADJ_TICK;
  tick.tick = 9999;
  say("settimeofday", ::settimeofday(&now, nullptr));
  say("clock-settime", ::clock_settime(CLOCK_REALTIME, &then));
  say("adjtimex", ::adjtimex(&tick));
  tick.modes = 0;
  say("adjtimex-read", ::adjtimex(&tick));
  say("swapon", ::swapon("/swap", 0));
  say("swapoff", ::swapoff("/swap"));
}

void attributes(const std::string& at) {
  const std::string path = at + "/file";
  ::close(::open(path.c_str(), O_CREAT | O_WRONLY, 0600));
  const std::uint32_t capability[] = {0x02000000, 1, 0, 0, 0};  // v2, CAP_CHOWN permitted
  say("security.capability", ::setxattr(path.c_str(), "security.capability", capability, sizeof capability, 0));
  say("user", ::setxattr(path.c_str(), "user.x", "1", 1, 0));
  say("trusted.overlay", ::setxattr(path.c_str(), "trusted.overlay.opaque", "y", 1, 0));
  say("trusted.other", ::setxattr(path.c_str(), "trusted.other", "y", 1, 0));
  char value[8] = {};
  const ssize_t got = ::getxattr(path.c_str(), "trusted.overlay.opaque", value, sizeof value);
  say("trusted.overlay-get", got);
  char list[256] = {};
  const ssize_t length = ::listxattr(path.c_str(), list, sizeof list);
  const bool listed =
      length > 0 &&
      std::string_view(list, static_cast<std::size_t>(length)).find("trusted.overlay.opaque") != std::string_view::npos;
  std::printf("trusted.overlay-listed %s\n", listed ? "yes" : "no");
  say("trusted.overlay-remove", ::removexattr(path.c_str(), "trusted.overlay.opaque"));
  say("whiteout", ::mknod((at + "/whiteout").c_str(), S_IFCHR, 0));
}

// One operation by io_uring: it enters no system call that a filter could trap.
long by_ring(io_uring_sqe operation) {
  io_uring_params setup{};
  const int ring = static_cast<int>(::syscall(SYS_io_uring_setup, 2, &setup));
  if (ring < 0) return -1;
  const std::size_t size = setup.sq_off.array + setup.sq_entries * sizeof(unsigned) + 4096;
  auto* at = static_cast<char*>(::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING));
  auto* completions =
      static_cast<char*>(::mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_CQ_RING));
  auto* entries =
      static_cast<io_uring_sqe*>(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES));
  if (at == MAP_FAILED || completions == MAP_FAILED || entries == MAP_FAILED) return -1;
  entries[0] = operation;
  reinterpret_cast<unsigned*>(at + setup.sq_off.array)[0] = 0;
  __atomic_store_n(reinterpret_cast<unsigned*>(at + setup.sq_off.tail), 1U, __ATOMIC_RELEASE);
  if (::syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, nullptr, 0) < 0) return -1;
  const auto* done = reinterpret_cast<io_uring_cqe*>(completions + setup.cq_off.cqes);
  const int result = done->res;
  ::close(ring);
  if (result < 0) errno = -result;
  return result < 0 ? -1 : result;
}

void side_doors(const std::string& at) {
  io_uring_sqe nothing{};
  nothing.opcode = IORING_OP_NOP;
  const long works = by_ring(nothing);
  say("ring", works);
  if (works < 0) return;
  const std::string path = at + "/file";
  const auto address = [](const char* text) {
    return static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(text));
  };
  io_uring_sqe attribute{};
  attribute.opcode = IORING_OP_SETXATTR;
  attribute.addr = address("trusted.overlay.opaque");
  attribute.addr2 = address("y");
  attribute.addr3 = address(path.c_str());
  attribute.len = 1;
  say("ring-trusted-xattr", by_ring(attribute));
  io_uring_sqe opened{};
  opened.opcode = IORING_OP_OPENAT;
  opened.fd = AT_FDCWD;
  opened.addr = address("/dev/mem");
  opened.open_flags = O_RDWR;
  say("ring-open-mem", by_ring(opened));
  opened.addr = address("/proc/sysrq-trigger");
  opened.open_flags = O_WRONLY;
  say("ring-open-sysrq", by_ring(opened));
}

int limits(rlim_t wanted) {
  rlimit low{.rlim_cur = 64, .rlim_max = 128};
  const rlimit high{.rlim_cur = wanted, .rlim_max = wanted};
  ::setrlimit(RLIMIT_NOFILE, &low);
  const pid_t child = ::fork();
  if (child == 0) ::pause(), ::_exit(0);
  rlimit before{};
  say("raise", ::prlimit(0, RLIMIT_NOFILE, &high, &before));
  std::printf("was %ld\n", static_cast<long>(before.rlim_max));
  say("raise-child", ::prlimit(child, RLIMIT_NOFILE, &high, &before));
  ::prlimit(child, RLIMIT_NOFILE, nullptr, &before);
  std::printf("is %ld\n", static_cast<long>(before.rlim_max));
  const rlimit beyond{.rlim_cur = wanted, .rlim_max = RLIM_INFINITY};
  say("raise-beyond", ::prlimit(0, RLIMIT_NOFILE, &beyond, nullptr));
  say("lower", ::prlimit(0, RLIMIT_NOFILE, &low, nullptr));
  ::kill(child, SIGKILL);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc > 1 ? argv[1] : "";
  if (what == "limits" && argc == 3) return limits(std::strtoul(argv[2], nullptr, 10));
  if (what == "reboot") {
    say("reboot", ::reboot(argc > 2 ? LINUX_REBOOT_CMD_HALT : LINUX_REBOOT_CMD_RESTART));
    ::pause();
  }
  if (what != "all" || argc != 3) return 2;
  entry_points(argv[2]);
  priorities();
  modules(argv[2]);
  machine();
  attributes(argv[2]);
  side_doors(argv[2]);
  return 0;
}

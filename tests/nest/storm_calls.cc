// Attempts with single calls: keys, bpf, perf, io_uring, tracing, other processes, modules, clocks, the machine.
// Layer: test program. Users: storm.cc.
// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <linux/reboot.h>
#include <sched.h>
#include <signal.h>
#include <sys/io.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/quota.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstring>
#include <ctime>
#include <string>

#include "storm.h"

namespace storm {
namespace {

// A pid that is none of ours: the nest's own are 1 and those that this program forks.
pid_t stranger(Random& random) {
  return static_cast<pid_t>(random.one_in(8) ? 4194303 - random.below(1000) : 100000 + random.below(4000000));
}

Outcome keys(Random& random, const World&) {
  const int operation = static_cast<int>(random.below(33));
  const long ring =
      random.one_in(2) ? random.pick<long>({-1, -2, -3, -4, -5, -8}) : static_cast<long>(random.below(1UL << 30));
  if (operation == KEYCTL_JOIN_SESSION_KEYRING || random.one_in(4)) {
    const std::string name = "storm" + std::to_string(random.below(4));
    return {"add_key", ::syscall(SYS_add_key, "user", name.c_str(), "x", 1, ring)};
  }
  char buffer[256] = {};
  const long rc =
      ::syscall(SYS_keyctl, operation, ring, random.one_in(2) ? 0x3f3f3f3fL : reinterpret_cast<long>(buffer),
                reinterpret_cast<long>(buffer), sizeof buffer);
  return {"keyctl " + std::to_string(operation) + " " + std::to_string(ring), rc};
}

Outcome load_program(Random& random, const World&) {
  const bpf_insn instructions[] = {{BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 1}, {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}};
  bpf_attr attr{};
  attr.prog_type = static_cast<std::uint32_t>(1 + random.below(32));
  attr.insns = reinterpret_cast<std::uint64_t>(instructions);
  attr.insn_cnt = 2;
  attr.license = reinterpret_cast<std::uint64_t>("GPL");
  const long rc = ::syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof attr);
  // A plain socket filter is anybody's where kernel.unprivileged_bpf_disabled says so.
  return {"bpf load type " + std::to_string(attr.prog_type), attr.prog_type == BPF_PROG_TYPE_SOCKET_FILTER ? -1 : rc};
}

Outcome find_bpf(Random& random, const World&) {
  bpf_attr attr{};
  attr.prog_id = static_cast<std::uint32_t>(1 + random.below(200));
  const int command = random.pick({static_cast<int>(BPF_PROG_GET_FD_BY_ID), static_cast<int>(BPF_MAP_GET_FD_BY_ID),
                                   static_cast<int>(BPF_LINK_GET_FD_BY_ID), static_cast<int>(BPF_BTF_GET_FD_BY_ID)});
  return {"bpf " + std::to_string(command), ::syscall(SYS_bpf, command, &attr, sizeof attr)};
}

Outcome perf(Random& random, const World&) {
  perf_event_attr attr{};
  attr.type = static_cast<std::uint32_t>(random.below(6));
  attr.size = sizeof attr;
  attr.config = random.below(64);
  const pid_t pid = random.one_in(2) ? -1 : stranger(random);
  return {"perf_event_open", ::syscall(SYS_perf_event_open, &attr, pid, static_cast<int>(random.below(2)), -1, 0)};
}

// io_uring does what its owner may do, past every filter: opening must meet the same answers as open(2).
Outcome ring(Random& random, const World& world) {
  io_uring_params params{};
  const int fd = static_cast<int>(::syscall(SYS_io_uring_setup, 4, &params));
  if (fd < 0) return {"io_uring_setup", -1};
  const std::size_t size = params.sq_off.array + params.sq_entries * sizeof(std::uint32_t) + 4096;
  void* queue = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, IORING_OFF_SQ_RING);
  void* entries = ::mmap(nullptr, params.sq_entries * sizeof(io_uring_sqe), PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_POPULATE, fd, IORING_OFF_SQES);
  if (queue == MAP_FAILED || entries == MAP_FAILED) return {"io_uring mmap", -1};
  auto* entry = static_cast<io_uring_sqe*>(entries);
  const std::string path = random.one_in(2) ? random.pick(world.sysctls) : random.pick(world.cgroup_files);
  entry->opcode = IORING_OP_OPENAT;
  entry->fd = AT_FDCWD;
  entry->addr = reinterpret_cast<std::uint64_t>(path.c_str());
  entry->open_flags = O_WRONLY | O_TRUNC;
  auto* bytes = static_cast<char*>(queue);
  *reinterpret_cast<std::uint32_t*>(bytes + params.sq_off.array) = 0;
  *reinterpret_cast<std::uint32_t*>(bytes + params.sq_off.tail) = 1;
  return {"io_uring open " + path, ::syscall(SYS_io_uring_enter, fd, 1, 1, IORING_ENTER_GETEVENTS, nullptr, 0)};
}

Outcome trace(Random& random, const World&) {
  const pid_t pid = stranger(random);
  const auto request = random.pick({PTRACE_ATTACH, PTRACE_SEIZE});
  return {"ptrace " + std::to_string(pid), ::ptrace(request, pid, nullptr, nullptr)};
}

Outcome reach_process(Random& random, const World&) {
  const pid_t pid = stranger(random);
  char byte = 0;
  const iovec local{&byte, 1};
  const iovec remote{reinterpret_cast<void*>(0x400000), 1};
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(0, &one);
  const rlimit64 limit{64, 64};
  switch (random.below(7)) {
    case 0:
      return {"kill " + std::to_string(pid), ::kill(pid, SIGKILL)};
    case 1:
      return {"process_vm_writev", ::process_vm_writev(pid, &local, 1, &remote, 1, 0)};
    case 2:
      return {"pidfd_open " + std::to_string(pid), ::syscall(SYS_pidfd_open, pid, 0)};
    case 3:
      return {"sched_setaffinity", ::sched_setaffinity(pid, sizeof one, &one)};
    case 4:
      return {"setpriority", ::setpriority(PRIO_PROCESS, static_cast<id_t>(pid), 19)};
    case 5:
      return {"prlimit", ::prlimit64(pid, RLIMIT_NOFILE, &limit, nullptr)};
    default:
      return {"kcmp", ::syscall(SYS_kcmp, pid, 1, 0, 0, 0)};
  }
}

// By user: the host's root must not be meant when the nest's root says "user 0" or a number of the host.
Outcome reach_user(Random& random, const World&) {
  const id_t user = random.pick<id_t>({1000, 65534, 65536, 100000, 1879048192});
  return {"setpriority of user " + std::to_string(user), ::setpriority(PRIO_USER, user, 19)};
}

Outcome machine(Random& random, const World&) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  timex adjust{};
  adjust.modes = ADJ_FREQUENCY;
  switch (random.below(14)) {
    case 0:
      return {"clock_settime", ::clock_settime(CLOCK_REALTIME, &now)};
    case 1:
      return {"adjtimex", ::adjtimex(&adjust)};
    case 2:
      return {"init_module", ::syscall(SYS_init_module, "x", 1, "")};
    case 3:
      return {"finit_module", ::syscall(SYS_finit_module, 0, "", 0)};
    case 4:
      return {"delete_module", ::syscall(SYS_delete_module, "overlay", O_NONBLOCK)};
    case 5:
      return {"kexec_load", ::syscall(SYS_kexec_load, 0, 0, nullptr, 0)};
    case 6:
      return {"swapoff", ::swapoff("/swapfile")};
    case 7:
      return {"acct", ::syscall(SYS_acct, nullptr)};
    case 8:
      return {"iopl", ::iopl(3)};
    case 9:
      return {"ioperm", ::ioperm(0x80, 1, 1)};
    case 10:
      return {"klogctl", ::klogctl(5, nullptr, 0)};
    case 11:
      return {"quotactl", ::quotactl(QCMD(Q_SYNC, USRQUOTA), "/dev/vda", 0, nullptr)};
    case 12:
      return {"reboot", ::reboot(LINUX_REBOOT_CMD_CAD_OFF)};
    default:
      return {"vhangup", -1};
  }
}

Outcome sockets(Random& random, const World&) {
  const int family = static_cast<int>(random.below(46));
  const int fd = ::socket(family, random.pick({SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET}),
                          static_cast<int>(random.below(24)));
  if (fd < 0) return {"socket " + std::to_string(family), -1};
  std::string garbage(64 + random.below(512), '\0');
  for (char& byte : garbage) byte = static_cast<char>(random.one_in(3) ? 0 : random.below(256));
  const auto length = static_cast<std::uint32_t>(garbage.size());
  std::memcpy(garbage.data(), &length, sizeof length);
  const auto type = static_cast<std::uint16_t>(16 + random.below(100));
  std::memcpy(garbage.data() + 4, &type, sizeof type);
  return {"send to family " + std::to_string(family),
          ::send(fd, garbage.data(), garbage.size(), MSG_DONTWAIT | MSG_NOSIGNAL)};
}

Outcome watch(Random& random, const World& world) {
  const int fd = static_cast<int>(::syscall(SYS_fanotify_init, random.pick({0x4U, 0x8U, 0x200U}), O_RDONLY));
  if (fd < 0) return {"fanotify_init", -1};
  const std::string where = random.pick(world.mount_points);
  // A mark on one of its own mounts sees what is done through that mount; one on a disk's file system would see the
  // host.
  const unsigned whole = random.pick({0x10U, 0x100U});  // FAN_MARK_MOUNT, FAN_MARK_FILESYSTEM
  const long rc = ::syscall(SYS_fanotify_mark, fd, 0x1U | whole, 0x20ULL, AT_FDCWD, where.c_str());
  struct stat found{};
  const bool a_disk = ::stat(where.c_str(), &found) == 0 && major(found.st_dev) != 0;
  return {"fanotify_mark " + where, whole == 0x100 && a_disk ? rc : -1};
}

}  // namespace

std::span<const Family> call_families() {
  static constexpr Family families[] = {{"keys", keys, false},
                                        {"bpf load", load_program, true},
                                        {"bpf find", find_bpf, true},
                                        {"perf", perf, true},
                                        {"io_uring", ring, false},
                                        {"ptrace", trace, true},
                                        {"process", reach_process, true},
                                        {"user", reach_user, true},
                                        {"machine", machine, true},
                                        {"socket", sockets, false},
                                        {"fanotify", watch, true}};
  return families;
}

}  // namespace storm

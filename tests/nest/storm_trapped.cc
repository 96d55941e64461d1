// Attempts with the calls that a supervisor answers: garbage in every pointer and length, by every way into the kernel,
// while another thread changes what they point to. Layer: test program. Users: storm.cc.
// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <linux/mount.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "storm.h"

namespace storm {
namespace {

struct Target {
  const char* name;
  int number;  // of 64-bit and x32 programs
  int narrow;  // of 32-bit ones; -1: none
};
constexpr Target targets[] = {
    {"mknod", SYS_mknod, 14},
    {"mknodat", SYS_mknodat, 297},
    {"mount", SYS_mount, 21},
    {"move_mount", SYS_move_mount, 429},
    {"umount2", SYS_umount2, 52},
    {"sysinfo", SYS_sysinfo, 116},
    {"setrlimit", SYS_setrlimit, 75},
    {"prlimit64", SYS_prlimit64, 340},
    {"setpriority", SYS_setpriority, 97},
    {"init_module", SYS_init_module, 128},
    {"finit_module", SYS_finit_module, 350},
    {"fsopen", SYS_fsopen, 430},
    {"fsmount", SYS_fsmount, 432},
};

// Two pages below 4 GiB with nothing after them: texts and structures can end anywhere on them.
struct Memory {
  static constexpr std::size_t page = 4096;
  char* at = nullptr;

  static Memory make() {
    Memory out;
    void* all = ::mmap(nullptr, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    if (all == MAP_FAILED) return out;
    out.at = static_cast<char*>(all);
    ::munmap(out.at + 2 * page, page);
    return out;
  }
  // Somewhere, or ending at the very end with or without its zero byte.
  long put(Random& random, const std::string& text) const {
    const std::size_t whole = 2 * page;
    const std::size_t size = std::min(text.size() + (random.one_in(4) ? 0 : 1), whole);
    const std::size_t start = random.one_in(2) ? whole - size : random.below(whole - size + 1);
    std::memcpy(at + start, text.c_str(), size);
    return reinterpret_cast<long>(at + start);
  }
};

std::string path(Random& random, const World& world) {
  std::string out = random.pick({"/tmp/storm/x", "/tmp/storm", "x", ".", "..", "/", "", "/proc", "/sys", "/dev/shm/x",
                                 "/proc/self/fd/3", "/proc/self/fd/99999999999", "/dev/fd/4/x", "/proc/self/root/x",
                                 "/proc/self/ns/mnt", "/given/x", "/locked/x", "//..//../x"});
  if (random.one_in(6)) out = random.pick(world.mount_points);
  if (random.one_in(12)) out.append(random.below(9000), random.one_in(2) ? '/' : 'a');
  return out;
}

std::string text(Random& random, const World& world) {
  if (random.one_in(2)) return path(random, world);
  if (random.one_in(3))
    return random.pick({"proc", "sysfs", "tmpfs", "hidepid=2,gid=0", "pidns=/proc/1/ns/pid", ",,=,x=,", "ro", "none"});
  std::string out(random.below(700), '\0');
  for (char& byte : out) byte = static_cast<char>(random.next());
  return out;
}

long argument(Random& random, const World& world, const Memory& memory) {
  switch (random.below(8)) {
    case 0:
      return random.pick<long>({0, 1, -1, 4095, 4096, 0x7fffffff, static_cast<long>(0x80000000UL),
                                static_cast<long>(0xffffffff81000000UL), 0x7ffffffff000L});
    case 1:
      return static_cast<long>(random.next() >> random.below(64));
    case 2:
      return random.pick<long>({AT_FDCWD, 0, 1, 2, 3, 4, 5, 6, 7});
    case 3:
      return random.pick<long>({S_IFCHR | 0666, S_IFBLK | 0600, S_IFIFO, MOVE_MOUNT_F_EMPTY_PATH,
                                MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH, MS_NOSUID, 0,
                                static_cast<long>(makedev(1, 3)), static_cast<long>(makedev(8, 0))});
    default:
      return memory.put(random, text(random, world));
  }
}

// Descriptors that the calls may be about: 3 and on.
void open_some(Random& random) {
  for (int i = 0; i < 2; ++i) {
    const char* kind = random.pick({"proc", "sysfs", "tmpfs", "mqueue"});
    const int context = static_cast<int>(::syscall(SYS_fsopen, kind, 0));
    ::syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0);
    ::syscall(SYS_fsmount, context, 0, 0);
  }
  ::open(random.pick({"/tmp/storm", "/", "/proc", "/given"}), O_PATH | O_DIRECTORY);
}

long enter(const Target& target, Random& random, const long* a) {
  constexpr long x32 = 0x40000000;
  if (target.narrow >= 0 && random.one_in(4)) {
    long out = 0;
    asm volatile("int $0x80"
                 : "=a"(out)
                 : "a"(static_cast<long>(target.narrow)), "b"(a[0]), "c"(a[1]), "d"(a[2]), "S"(a[3]), "D"(a[4])
                 : "memory");
    return out;
  }
  const long number = random.one_in(8) ? x32 | target.number : target.number;
  return ::syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

Outcome trapped(Random& random, const World& world) {
  const Memory memory = Memory::make();
  if (memory.at == nullptr) return {"mmap", -1};
  if (::chdir("/tmp/storm") < 0) return {"chdir", -1};
  open_some(random);
  std::string what;
  long last = -1;
  std::atomic<bool> done{false};
  // What was checked is another thing when it is used.
  const std::uint64_t seed = random.next();
  std::thread changing([&] {
    Random other(seed);
    while (!done.load()) {
      (void)memory.put(other, text(other, world));
      const int from = 3 + static_cast<int>(other.below(6));
      ::dup2(from, 3 + static_cast<int>(other.below(6)));
      if (other.one_in(2))
        ::symlink(other.pick({"/given", "/proc", "/dev"}), "x");
      else
        ::unlink("x");
    }
  });
  for (int i = 0; i < 8; ++i) {
    const Target& target = targets[random.below(std::size(targets))];
    long arguments[6];
    for (long& each : arguments) each = argument(random, world, memory);
    last = enter(target, random, arguments);
    what += std::string(target.name) + " ";
  }
  done.store(true);
  changing.join();
  return {what, last};
}

}  // namespace

std::span<const Family> trapped_families() {
  static constexpr Family families[] = {{"trapped", trapped, false}};
  return families;
}

}  // namespace storm

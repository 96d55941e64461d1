// Callers that change what a call is about after it was trapped, or are killed and stopped while they wait.
// Layer: test program. Users: tests/nest/hostile_test.py, as root of a nest.
// SPDX-License-Identifier: Apache-2.0
//
//   hostile races SECONDS DIRECTORY FOREIGN   FOREIGN is a directory in which the nest may make nothing
//        prints "calls N covered N uncovered N": of the procs that came about, how many show the nest's view
//   hostile killed SECONDS DIRECTORY          prints "killed N", then "served" when a call is still answered
#include <fcntl.h>
#include <linux/mount.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

std::atomic<bool> done{false};
std::atomic<long> calls{0}, covered{0}, uncovered{0};

int new_filesystem(const char* type) {
  const int context = static_cast<int>(::syscall(SYS_fsopen, type, FSOPEN_CLOEXEC));
  ::syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0);
  const int made = static_cast<int>(::syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, 0));
  ::close(context);
  return made;
}

void look_at(const std::string& path) {
  constexpr long proc_magic = 0x9fa0, fuse_magic = 0x65735546;
  struct statfs there{};
  if (::statfs(path.c_str(), &there) < 0 || there.f_type != proc_magic) return;
  ++(::statfs((path + "/meminfo").c_str(), &there) == 0 && there.f_type == fuse_magic ? covered : uncovered);
}

// ---- two threads each: one calls, the other changes what it means

struct Race {
  void (*call)(const std::string& at, const std::string& foreign);
  void (*change)(const std::string& at, const std::string& foreign, std::mt19937& random);
};

// A directory on the way becomes a link to the foreign one.
void node_in_directory(const std::string& at, const std::string&) {
  const std::string path = at + "/d/node";
  ::mknod(path.c_str(), S_IFCHR | 0666, makedev(1, 3));
  ::unlink(path.c_str());
}
void exchange_directory(const std::string& at, const std::string& foreign, std::mt19937&) {
  ::mkdir((at + "/d").c_str(), 0755);
  ::symlink(foreign.c_str(), (at + "/l").c_str());
  ::renameat2(AT_FDCWD, (at + "/d").c_str(), AT_FDCWD, (at + "/l").c_str(), RENAME_EXCHANGE);
}

// The text itself changes.
char shared_path[256] = "/tmp/n";
void node_by_text(const std::string&, const std::string&) {
  ::mknod(shared_path, S_IFCHR | 0666, makedev(1, 3));
  ::unlink("/tmp/n");
}
void change_text(const std::string&, const std::string& foreign, std::mt19937& random) {
  std::strcpy(shared_path, random() % 2 == 0 ? "/tmp/n" : (foreign + "/n").c_str());
}

// The descriptor's number becomes another's.
constexpr int number = 700;
void move_by_number(const std::string& at, const std::string&) {
  const std::string path = at + "/m";
  ::mkdir(path.c_str(), 0755);
  const int made = new_filesystem("proc");
  ::dup2(made, number);
  ::close(made);
  if (::syscall(SYS_move_mount, number, "", AT_FDCWD, path.c_str(), MOVE_MOUNT_F_EMPTY_PATH) == 0) look_at(path);
  ::umount2(path.c_str(), MNT_DETACH);
}
void change_number(const std::string&, const std::string& foreign, std::mt19937& random) {
  if (random() % 4 != 0) return;
  const int other = random() % 2 == 0 ? new_filesystem("tmpfs") : ::open(foreign.c_str(), O_PATH | O_CLOEXEC);
  ::dup2(other, number);
  ::close(other);
}

// The type's text, and the target.
char type[16] = "proc";
void mount_by_type(const std::string& at, const std::string&) {
  const std::string path = at + "/t";
  ::mkdir(path.c_str(), 0755);
  if (::mount("x", path.c_str(), type, 0, nullptr) == 0) look_at(path);
  ::umount2(path.c_str(), MNT_DETACH);
}
void change_type(const std::string&, const std::string&, std::mt19937& random) {
  std::strcpy(type, random() % 2 == 0 ? "proc" : "tmpfs");
}

rlimit wanted{64, 64};
void limit_by_memory(const std::string&, const std::string&) {
  ::prlimit(0, RLIMIT_SIGPENDING, &wanted, nullptr);
  struct sysinfo info{};
  ::sysinfo(&info);
}
void change_limit(const std::string&, const std::string&, std::mt19937& random) {
  wanted.rlim_max = random() % 2 == 0 ? 1UL << 40 : 4096;
}

constexpr Race races[] = {
    {node_in_directory, exchange_directory}, {node_by_text, change_text},
    {move_by_number, change_number},         {mount_by_type, change_type},
    {limit_by_memory, change_limit},
};

int race_all(int seconds, const std::string& directory, const std::string& foreign) {
  std::vector<std::thread> threads;
  int index = 0;
  for (const Race& race : races) {
    const std::string at = directory + "/race" + std::to_string(index++);
    ::mkdir(at.c_str(), 0755);
    threads.emplace_back([=] {
      while (!done.load()) {
        race.call(at, foreign);
        ++calls;
      }
    });
    threads.emplace_back([=, seed = index] {
      std::mt19937 random(static_cast<unsigned>(seed));
      while (!done.load()) race.change(at, foreign, random);
    });
  }
  std::this_thread::sleep_for(std::chrono::seconds(seconds));
  done.store(true);
  for (std::thread& thread : threads) thread.join();
  std::printf("calls %ld covered %ld uncovered %ld\n", calls.load(), covered.load(), uncovered.load());
  return 0;
}

// ---- callers that go

[[noreturn]] void call_for_ever(const std::string& path) {
  for (;;) {
    ::mknod((path + "n").c_str(), S_IFCHR | 0666, makedev(1, 3));
    ::unlink((path + "n").c_str());
    ::mkdir((path + "d").c_str(), 0755);
    ::mount("proc", (path + "d").c_str(), "proc", 0, nullptr);
    ::umount2((path + "d").c_str(), MNT_DETACH);
    ::setpriority(PRIO_PROCESS, 0, -1);
    ::setpriority(PRIO_PROCESS, 0, 1);
    struct sysinfo info{};
    ::sysinfo(&info);
  }
}

int kill_all(int seconds, const std::string& directory) {
  constexpr int callers = 4;
  constexpr unsigned longest = 2000;  // us before it is killed
  std::mt19937 random(1);
  pid_t pids[callers];
  const auto start = [&](int i) {
    pids[i] = ::fork();
    if (pids[i] == 0) call_for_ever(directory + "/k" + std::to_string(i));
  };
  for (int i = 0; i < callers; ++i) start(i);
  long killed = 0;
  const auto end = Clock::now() + std::chrono::seconds(seconds);
  ::alarm(static_cast<unsigned>(seconds) + 60);  // one that cannot be reaped ends us all, without "served"
  while (Clock::now() < end) {
    const int i = static_cast<int>(random() % callers);
    std::this_thread::sleep_for(std::chrono::microseconds(random() % longest));
    if (random() % 2 == 0) ::kill(pids[i], SIGSTOP);
    std::this_thread::sleep_for(std::chrono::microseconds(random() % longest));
    if (random() % 4 == 0) ::kill(pids[i], SIGCONT);
    ::kill(pids[i], SIGKILL);
    while (::waitpid(pids[i], nullptr, 0) != pids[i]) continue;
    ++killed;
    start(i);
  }
  for (const pid_t pid : pids) {
    ::kill(pid, SIGKILL);
    while (::waitpid(pid, nullptr, 0) != pid) continue;
  }
  std::printf("killed %ld\n", killed);
  if (::mknod((directory + "/last").c_str(), S_IFCHR | 0666, makedev(1, 3)) == 0) std::puts("served");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc > 1 ? argv[1] : "";
  if (what == "races" && argc == 5) return race_all(std::atoi(argv[2]), argv[3], argv[4]);
  if (what == "killed" && argc == 4) return kill_all(std::atoi(argv[2]), argv[3]);
  return 2;
}

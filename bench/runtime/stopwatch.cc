// Runs commands one after the other, each to its end, and prints what each cost. Small and static, because a child's
// peak RSS starts at its parent's, and because the fork of a large parent would be measured too.
// Layer: bench. Run by bench/runtime/run.
// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

extern char** environ;

namespace {

long now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1'000'000'000L + t.tv_nsec;
}

// Tasks that want a CPU right now: the fourth field of /proc/loadavg. We are one of them.
int runnable() {
  char text[128]{};
  int fd = open("/proc/loadavg", O_RDONLY | O_CLOEXEC), running = 99;
  if (fd >= 0 && read(fd, text, sizeof text - 1) > 0) std::sscanf(text, "%*s %*s %*s %d/", &running);
  close(fd);
  return running;
}

// Ahead of whatever else the machine does: the highest nice value and the shortest slice, which preempts longer ones
// when it wakes up. Children inherit both. A real-time policy would not: a cgroup refuses such tasks (RT_GROUP_SCHED).
// source: sched(7), kernel/sched/features.h PREEMPT_SHORT
void go_ahead() {
  struct {
    unsigned size = 48, policy = 0;
    unsigned long flags = 0;
    int nice = -20;
    unsigned priority = 0;
    unsigned long runtime = 100'000, deadline = 0, period = 0;
  } attributes;
  if (syscall(SYS_sched_setattr, 0, &attributes, 0) < 0) std::perror("stopwatch: sched_setattr");
}

}  // namespace

// usage: stopwatch WAIT_MS COMMAND... [: COMMAND...]
// Each line printed: wall_ns cpu_us peak_rss_kb status quiet. Waits WAIT_MS before each command.
int main(int argc, char** argv) {
  if (argc < 3) return 2;
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  go_ahead();
  const timespec pause{0, std::atol(argv[1]) * 1'000'000L};
  const timespec moment{0, 4'000'000L};  // up to 100 ms for an instant in which nobody else wants a CPU
  posix_spawn_file_actions_t to_null;    // our stdout is for our own lines
  posix_spawn_file_actions_init(&to_null);
  posix_spawn_file_actions_addopen(&to_null, 1, "/dev/null", O_WRONLY, 0);
  char** command = argv + 2;
  while (*command) {
    char** end = command;
    while (*end && std::strcmp(*end, ":") != 0) ++end;
    char** next = *end ? end + 1 : end;
    *end = nullptr;
    if (pause.tv_nsec) {
      nanosleep(&pause, nullptr);
      for (int i = 0; i < 25 && runnable() > 1; ++i) nanosleep(&moment, nullptr);
    }
    int before = runnable(), status = 0;
    pid_t pid;
    long start = now();
    if (int error = posix_spawnp(&pid, command[0], &to_null, nullptr, command, environ)) {
      std::fprintf(stderr, "stopwatch: %s: %s\n", command[0], std::strerror(error));
      return 1;
    }
    rusage usage{};
    while (wait4(pid, &status, 0, &usage) < 0) {
    }
    long wall = now() - start;
    long cpu =
        (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1'000'000L + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
    std::printf("%ld %ld %ld %d %d\n", wall, cpu, usage.ru_maxrss,
                WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), before <= 1 && runnable() <= 1);
    command = next;
  }
  std::fflush(stdout);
  while (waitpid(-1, nullptr, WNOHANG) > 0) {
  }
  return 0;
}

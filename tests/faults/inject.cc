// Runs a command and makes one system call of it, or of a process that it makes, fail; or kills it at that call.
// Layer: tests. Used by tests/faults/*.py; x86-64 only.
// SPDX-License-Identifier: Apache-2.0
//
//   inject [--report FILE] [--seconds S] [--also PID] [--into PREFIX] [--at P:N:ERRNO | --at P:N:kill] COMMAND...
//
// Every process has a number: 0 is the command, whose children are 1, 2, ... (the first of them is --also, the process
// that is attached to); those of P are 16 P + 1, 16 P + 2, ... Each counts its own calls from 1, so that a place is the
// same one in every run. Calls count from the command's first execve on. A process that executes a program of the
// container's (any execve but those of process 0, and of programs whose name begins with the PREFIX) is let go, and at
// the end all are. The report has a line `P N NAME` for every call, or, with --at, one line:
//
//   injected P N NAME / killed P N NAME / missed      and in both forms at the end: exit STATUS / signal NUMBER / hang
//
// brk(2) is numbered apart, -1, -2, ..., and only where it grows the heap: where that begins is chance, and with it how
// often it grows. It fails as it does in the kernel: it returns the end that was.
// The call is not executed, but close(2) is: the kernel closes the descriptor whatever it returns. With --at, all are
// let go as soon as it has happened. Exit status: that of the command, 128 + its signal, 124 when it took too long.
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <utility>

namespace {

struct Place {
  int process = -1;
  long call = 0;
  long error = 0;  // 0: kill
};

struct Tracee {
  int number = -1;
  int children = 0;
  long calls = 0;
  long heap_calls = 0;
  unsigned long long heap_end = 0;
  unsigned long long wanted_end = 0;
  bool in_brk = false;
  bool heap = false;     // what fails is brk(2)
  bool failing = false;  // its call is being skipped: the result is still to be set
};

volatile sig_atomic_t too_late = 0;
pid_t command = 0;

void on_alarm(int) {
  too_late = 1;
  kill(command, SIGKILL);
}

[[noreturn]] void die(const char* what) {
  std::fprintf(stderr, "inject: %s: %s\n", what, std::strerror(errno));
  if (command > 0) kill(command, SIGKILL);
  std::exit(125);
}

class Tracer {
 public:
  Tracer(Place place, std::string into, std::FILE* report) : place_(place), into_(std::move(into)), report_(report) {}

  void seize(pid_t pid) {
    constexpr long options =
        PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC;
    if (ptrace(PTRACE_SEIZE, pid, 0, options) < 0) die("ptrace(SEIZE)");
    if (ptrace(PTRACE_INTERRUPT, pid, 0, 0) < 0) die("ptrace(INTERRUPT)");
    if (tracees_.empty())
      tracees_[pid].number = 0;
    else
      tracees_[pid].number = ++tracees_[command].children;
  }

  // Until the command has ended; its wait status.
  int follow() {
    int ended = -1;
    for (;;) {
      if (ended >= 0 && !failing()) return ended;
      int status = 0;
      const pid_t pid = waitpid(-1, &status, __WALL);
      if (pid < 0 && errno == EINTR) continue;
      if (pid < 0) die("waitpid");
      if (WIFSTOPPED(status)) {
        stopped(pid, status);
        continue;
      }
      tracees_.erase(pid);
      early_.erase(pid);
      if (pid == command) ended = status;
    }
  }

  bool done() const { return done_; }

 private:
  bool failing() const {
    for (const auto& [pid, tracee] : tracees_)
      if (tracee.failing) return true;
    return false;
  }

  // One of the programs whose calls count too: told by the first word of its command line.
  bool is_ours(pid_t pid) const {
    char line[4096] = "";
    std::FILE* file = std::fopen(("/proc/" + std::to_string(pid) + "/cmdline").c_str(), "re");
    if (file == nullptr) return false;
    const std::size_t n = std::fread(line, 1, sizeof line - 1, file);
    std::fclose(file);
    const std::string first(line, strnlen(line, n));
    return !into_.empty() && first.substr(first.rfind('/') + 1).starts_with(into_);
  }

  void stopped(pid_t pid, int status) {
    const int signal = WSTOPSIG(status);
    const int event = status >> 16;
    const auto known = tracees_.find(pid);
    if (done_ && (known == tracees_.end() || !known->second.failing))
      return let_go(pid, event == 0 && signal != (SIGTRAP | 0x80) ? signal : 0);
    if (known == tracees_.end()) {  // a child before its parent's word of it
      early_[pid] = status;
      return;
    }
    Tracee& tracee = known->second;
    if (signal == (SIGTRAP | 0x80)) return at_call(pid, tracee);
    if (event == PTRACE_EVENT_STOP) {
      const bool group = signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
      ptrace(group ? PTRACE_LISTEN : PTRACE_SYSCALL, pid, 0, 0);
      return;
    }
    if (event == PTRACE_EVENT_EXEC) {
      if (tracee.number != 0 && !is_ours(pid)) return let_go(pid, 0);
      counting_ = true;
    }
    if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE) {
      unsigned long child = 0;
      ptrace(PTRACE_GETEVENTMSG, pid, 0, &child);
      born(tracee, static_cast<pid_t>(child));
    }
    ptrace(PTRACE_SYSCALL, pid, 0, event == 0 ? static_cast<long>(signal) : 0L);
  }

  void born(Tracee& parent, pid_t pid) {
    const int number = 16 * parent.number + ++parent.children;
    const unsigned long long heap_end = parent.heap_end;
    tracees_[pid].number = number;
    tracees_[pid].heap_end = heap_end;
    if (const auto early = early_.extract(pid)) stopped(pid, early.mapped());
  }

  void at_call(pid_t pid, Tracee& tracee) {
    __ptrace_syscall_info info{};
    if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info) < 0) return;  // it was killed
    if (info.op == PTRACE_SYSCALL_INFO_EXIT && tracee.failing) {
      tracee.failing = false;
      if (tracee.heap)  // libc knows that the kernel leaves the argument where it was
        set_register(pid, offsetof(user_regs_struct, rdi), tracee.wanted_end);
      else
        set_register(pid, offsetof(user_regs_struct, rax), static_cast<unsigned long>(-place_.error));
      return let_go(pid, 0);
    }
    if (info.op == PTRACE_SYSCALL_INFO_EXIT && std::exchange(tracee.in_brk, false))
      tracee.heap_end = static_cast<unsigned long long>(info.exit.rval);
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY && info.entry.nr == SYS_brk) {
      tracee.in_brk = true;
      tracee.wanted_end = info.entry.args[0];
      if (info.entry.args[0] <= tracee.heap_end || tracee.heap_end == 0) info.op = PTRACE_SYSCALL_INFO_NONE;
    }
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY && counting_) entered(pid, tracee, info.entry.nr);
    if (!done_ || tracee.failing) ptrace(PTRACE_SYSCALL, pid, 0, 0);
  }

  void entered(pid_t pid, Tracee& tracee, unsigned long long number) {
    const bool heap = number == SYS_brk;
    const long call = heap ? --tracee.heap_calls : ++tracee.calls;
    const bool here = place_.process == tracee.number && place_.call == call;
    if (place_.process >= 0 && !here) return;
    char* name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, static_cast<int>(number));
    const char* what = !here ? "" : place_.error != 0 ? "injected " : "killed ";
    std::fprintf(report_, "%s%d %ld %s\n", what, tracee.number, call, name != nullptr ? name : "unknown");
    std::free(name);
    if (!here) return;
    done_ = true;
    if (place_.error == 0) {
      kill(command, SIGKILL);
      let_go(pid, 0);
      let_early_go();
      return;
    }
    let_early_go();
    tracee.failing = true;
    tracee.heap = heap;
    if (heap)
      set_register(pid, offsetof(user_regs_struct, rdi), 0);
    else if (number != SYS_close)
      set_register(pid, offsetof(user_regs_struct, orig_rax), ~0UL);
  }

  static void set_register(pid_t pid, std::size_t offset, unsigned long value) {
    if (ptrace(PTRACE_POKEUSER, pid, offset, value) < 0 && errno != ESRCH) die("ptrace(POKEUSER)");
  }

  void let_go(pid_t pid, int signal) {
    ptrace(PTRACE_DETACH, pid, 0, static_cast<long>(signal));
    tracees_.erase(pid);
  }

  void let_early_go() {
    for (const auto& [pid, status] : early_) ptrace(PTRACE_DETACH, pid, 0, 0);
    early_.clear();
  }

  Place place_;
  std::string into_;
  std::FILE* report_;
  std::map<pid_t, Tracee> tracees_;
  std::map<pid_t, int> early_;  // stopped, and nobody's child yet: the status
  bool counting_ = false;
  bool done_ = false;
};

pid_t begin(char** line, int go) {
  const pid_t pid = fork();
  if (pid < 0) die("fork");
  if (pid > 0) return pid;
  char byte = 0;
  if (read(go, &byte, 1) != 1) _exit(125);
  execvp(line[0], line);
  std::fprintf(stderr, "inject: %s: %s\n", line[0], std::strerror(errno));
  _exit(125);
}

Place parse_place(const char* text) {
  Place out;
  char error[16] = "";
  if (std::sscanf(text, "%d:%ld:%15s", &out.process, &out.call, error) != 3) {
    std::fprintf(stderr, "inject: --at %s: not P:N:ERRNO\n", text);
    std::exit(125);
  }
  if (std::strcmp(error, "kill") != 0) out.error = std::atol(error);
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  Place place;
  const char* path = "/dev/null";
  unsigned seconds = 60;
  pid_t also = 0;
  std::string into;
  int at = 1;
  for (; at + 1 < argc && std::strncmp(argv[at], "--", 2) == 0; at += 2) {
    const std::string flag = argv[at];
    if (flag == "--report") path = argv[at + 1];
    if (flag == "--seconds") seconds = static_cast<unsigned>(std::atoi(argv[at + 1]));
    if (flag == "--also") also = std::atoi(argv[at + 1]);
    if (flag == "--into") into = argv[at + 1];
    if (flag == "--at") place = parse_place(argv[at + 1]);
  }
  if (at >= argc) {
    std::fprintf(stderr,
                 "usage: inject [--report FILE] [--seconds S] [--also PID] [--into PREFIX] [--at P:N:ERRNO|kill] "
                 "COMMAND...\n");
    return 125;
  }
  std::FILE* report = std::fopen(path, "we");
  int go[2];
  if (report == nullptr || pipe2(go, O_CLOEXEC) < 0) die(path);
  command = begin(argv + at, go[0]);
  Tracer tracer(place, into, report);
  tracer.seize(command);
  if (also > 0) tracer.seize(also);
  struct sigaction alarmed{};
  alarmed.sa_handler = on_alarm;
  sigaction(SIGALRM, &alarmed, nullptr);
  alarm(seconds);
  if (write(go[1], "g", 1) != 1) die("write");
  const int status = tracer.follow();
  if (place.process >= 0 && !tracer.done()) std::fprintf(report, "missed\n");
  if (too_late)
    std::fprintf(report, "hang\n");
  else if (WIFSIGNALED(status))
    std::fprintf(report, "signal %d\n", WTERMSIG(status));
  else
    std::fprintf(report, "exit %d\n", WEXITSTATUS(status));
  std::fclose(report);
  if (too_late) return 124;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

#include "caisson/sys/ptrace.h"

#include <fcntl.h>
#include <signal.h>

#include <cstdlib>
#include <string_view>

#include "caisson/sys/process.h"
#include "caisson/sys/raw.h"
#include "caisson/sys/unique_fd.h"

namespace caisson::sys {
namespace {

// Requests by number: glibc's <sys/ptrace.h> cannot be included beside the kernel's header.
constexpr long follow_all = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
                            PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;

// As a shell looks for it. Returns only when it failed, with the exit status of a shell.
[[noreturn]] void become_program(const std::vector<std::string>& argv) {
  std::vector<char*> words;
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  long failure = -ENOENT;
  const auto attempt = [&](const std::string& path) {
    const long r = raw::call(SYS_execve, path.c_str(), words.data(), environ);
    if (r != -ENOENT && r != -ENOTDIR && (r != -EACCES || failure == -ENOENT)) failure = r;
  };
  if (argv[0].find('/') != std::string::npos) {
    attempt(argv[0]);
  } else {
    const char* path = ::getenv("PATH");
    std::string_view rest = path != nullptr ? path : "/usr/bin:/bin";
    while (true) {
      const std::size_t end = std::min(rest.find(':'), rest.size());
      attempt(std::string(rest.substr(0, end)) + (end == 0 ? "./" : "/") + argv[0]);
      if (end == rest.size()) break;
      rest.remove_prefix(end + 1);
    }
  }
  const std::string text = "caisson trace: " + Error::os(static_cast<int>(-failure), argv[0]).message() + "\n";
  (void)raw::call(SYS_write, 2, text.data(), text.size());
  ::_exit(failure == -ENOENT ? 127 : 126);
}

}  // namespace

Result<Followed> start_followed(const std::vector<std::string>& argv, const void* mask) {
  int ends[2];
  if (const long r = raw::call(SYS_pipe2, ends, O_CLOEXEC); r < 0) return Error::os(static_cast<int>(-r), "pipe2");
  const UniqueFd wait(ends[0]);
  UniqueFd go(ends[1]);
  const pid_t pid = TRY(clone_process(0));
  if (pid == 0) {
    go.reset();
    char byte = 0;
    if (raw::call_retrying(SYS_read, wait.get(), &byte, 1UL) != 1) ::_exit(1);
    (void)::sigprocmask(SIG_SETMASK, static_cast<const sigset_t*>(mask), nullptr);
    become_program(argv);
  }
  if (const long r = raw::call(SYS_ptrace, PTRACE_SEIZE, pid, 0L, follow_all); r < 0) {
    Process child(pid);  // killed
    return Error::os(static_cast<int>(-r), "ptrace").during("follow the command");
  }
  // Stopped once, so that it goes on from call to call.
  if (const long r = raw::call(SYS_ptrace, PTRACE_INTERRUPT, pid, 0L, 0L); r < 0)
    return Error::os(static_cast<int>(-r), "ptrace");
  return Followed{.pid = pid, .go = go.release()};
}

void resume(pid_t tid, Resume how, int signal) {
  constexpr long syscall_request = 24;  // PTRACE_SYSCALL
  (void)raw::call(SYS_ptrace, how == Resume::held ? static_cast<long>(PTRACE_LISTEN) : syscall_request, tid, 0L,
                  static_cast<long>(signal));
}

Result<ptrace_syscall_info> call_of(pid_t tid) {
  ptrace_syscall_info info = {};
  const long r = raw::call(SYS_ptrace, PTRACE_GET_SYSCALL_INFO, tid, sizeof info, &info);
  if (r < 0) return Error::os(static_cast<int>(-r), "PTRACE_GET_SYSCALL_INFO");
  return info;
}

}  // namespace caisson::sys

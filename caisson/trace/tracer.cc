#include "caisson/trace/tracer.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <unordered_map>

#include "caisson/sys/file.h"
#include "caisson/sys/ptrace.h"
#include "caisson/sys/signal.h"
#include "caisson/sys/unique_fd.h"
#include "caisson/trace/judge.h"

namespace caisson::trace {
namespace {

using sys::Resume;

constexpr int first_restart = 512;  // ERESTARTSYS and its like: the kernel makes the call again
constexpr int last_restart = 516;

class Tracer {
 public:
  explicit Tracer(pid_t command) : command_(command) {}

  Outcome run(const sigset_t& all) {
    while (reap()) {
      siginfo_t info = {};
      if (::sigwaitinfo(&all, &info) > 0 && info.si_signo != SIGCHLD) forward(info);
    }
    return std::move(out_);
  }

 private:
  struct Pending {
    Call call;
    std::vector<Operation> operations;
  };

  // Everything that has stopped or ended. False: nobody is left.
  bool reap() {
    for (;;) {
      int status = 0;
      const pid_t tid = ::waitpid(-1, &status, __WALL | WNOHANG);
      if (tid == 0) return true;
      if (tid < 0 && errno == EINTR) continue;
      if (tid < 0) return false;
      if (WIFSTOPPED(status))
        stopped(tid, status);
      else
        ended(tid, status);
    }
  }

  void ended(pid_t tid, int status) {
    pending_.erase(tid);
    if (tid == command_) out_.wait_status = status;
  }

  void stopped(pid_t tid, int status) {
    const int signal = WSTOPSIG(status);
    const int event = status >> 16;
    if (event == PTRACE_EVENT_EXEC) {
      pending_.erase(tid);  // of the thread that had this number
      if (const std::string sentence = judge_.weakened(tid); !sentence.empty()) out_.report.note(sentence);
    }
    if (event == PTRACE_EVENT_STOP) {
      const bool is_held = signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
      sys::resume(tid, is_held ? Resume::held : Resume::to_call, 0);
    } else if (event != 0) {
      sys::resume(tid, Resume::to_call, 0);
    } else if (signal == (SIGTRAP | 0x80)) {
      at_call(tid);
      sys::resume(tid, Resume::to_call, 0);
    } else {
      sys::resume(tid, Resume::to_call, signal);
    }
  }

  void at_call(pid_t tid) {
    const auto info = sys::call_of(tid);
    if (!info) return;
    if (info->op == PTRACE_SYSCALL_INFO_ENTRY) {
      Call call{.task = tid, .abi = info->arch, .number = info->entry.nr, .arguments = {}};
      std::copy(std::begin(info->entry.args), std::end(info->entry.args), call.arguments.begin());
      if (auto operations = judge_.judge(call); !operations.empty())
        pending_.insert_or_assign(tid, Pending{.call = call, .operations = std::move(operations)});
    } else if (info->op == PTRACE_SYSCALL_INFO_EXIT) {
      const auto found = pending_.find(tid);
      if (found != pending_.end()) returned(found->second, info->exit.is_error != 0, info->exit.rval);
      pending_.erase(tid);
    }
  }

  void returned(Pending& pending, bool is_error, std::int64_t value) {
    if (pending.operations.front().call->asks == Asks::socket) return judge_.remember_socket(pending.call, value);
    if (is_error && -value >= first_restart && -value <= last_restart) return;
    for (Operation& operation : pending.operations) {
      operation.error = is_error ? static_cast<int>(-value) : 0;
      out_.report.add(operation);
    }
  }

  void forward(const siginfo_t& info) {
    const bool of_terminal = info.si_code > 0;  // its whole process group has it
    if (info.si_signo == SIGTSTP && of_terminal) {
      (void)sys::send_signal(::getpid(), SIGSTOP);
    } else if (!of_terminal && info.si_signo != SIGCONT) {
      (void)sys::send_signal(command_, info.si_signo);
    }
  }

  pid_t command_;
  Judge judge_;
  std::unordered_map<pid_t, Pending> pending_;
  Outcome out_;
};

}  // namespace

Result<Outcome> follow(const std::vector<std::string>& command) {
  sigset_t all;
  sigset_t old;
  ::sigfillset(&all);
  if (::sigprocmask(SIG_SETMASK, &all, &old) < 0) return Error::os(errno, "sigprocmask");
  const sys::Followed followed = TRY(sys::start_followed(command, &old));
  {
    const sys::UniqueFd go(followed.go);
    TRY(sys::write_all(go.get(), "g"));
  }
  Outcome out = Tracer(followed.pid).run(all);
  (void)::sigprocmask(SIG_SETMASK, &old, nullptr);
  return out;
}

}  // namespace caisson::trace

#include "caisson/sys/process.h"

#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "caisson/sys/raw.h"

namespace caisson::sys {

Result<pid_t> clone_process(std::uint64_t flags, int cgroup) {
  clone_args args{};
  args.flags = flags;
  args.exit_signal = (flags & CLONE_PARENT) != 0 ? 0 : SIGCHLD;
  if (cgroup >= 0) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = static_cast<std::uint64_t>(cgroup);
  }
  const long r = raw::call(SYS_clone3, &args, sizeof args);
  if (r < 0) return Error::os(static_cast<int>(-r), "clone3");
  return static_cast<pid_t>(r);
}

int shell_status(int wait_status) {
  return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

Result<int> wait_for(pid_t pid) {
  int status = 0;
  const long r = raw::call_retrying(SYS_wait4, pid, &status, __WALL, nullptr);
  if (r < 0) return Error::os(static_cast<int>(-r), "wait4");
  return status;
}

Result<Pidfd> Pidfd::open(pid_t pid) {
  const long r = raw::call(SYS_pidfd_open, pid, 0);
  // Where only a process group or a session still has the number, kernels before 6.15 call it invalid.
  const bool gone = r == -ESRCH || (r == -EINVAL && pid > 0);
  if (gone) return Error::of(Kind::not_found, "no such process");
  if (r < 0) return Error::os(static_cast<int>(-r), "pidfd_open");
  return Pidfd(UniqueFd(static_cast<int>(r)));
}

Result<void> Pidfd::send(int signal) const {
  const long r = raw::call(SYS_pidfd_send_signal, fd_.get(), signal, nullptr, 0);
  if (r == -ESRCH) return Error::of(Kind::not_found, "no such process");
  if (r < 0) return Error::os(static_cast<int>(-r), "pidfd_send_signal");
  return ok();
}

Result<bool> Pidfd::wait_end(std::chrono::milliseconds limit) const {
  pollfd item{.fd = fd_.get(), .events = POLLIN, .revents = 0};
  const auto end = std::chrono::steady_clock::now() + limit;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    const int r = ::poll(&item, 1, static_cast<int>(std::max<long long>(left.count(), 0)));
    if (r > 0) return true;
    if (r == 0) return false;
    if (errno != EINTR) return Error::os(errno, "poll");
  }
}

Process& Process::operator=(Process&& other) noexcept {
  if (this != &other) {
    Process old(std::move(*this));
    pid_ = other.release();
  }
  return *this;
}

Process::~Process() {
  if (pid_ <= 0) return;
  if (::kill(pid_, SIGKILL) == 0) (void)wait_for(pid_);  // what may not be killed may never end
}

pid_t Process::release() { return std::exchange(pid_, -1); }

Result<int> Process::wait() { return wait_for(release()); }

}  // namespace caisson::sys

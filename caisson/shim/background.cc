#include "caisson/shim/background.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>

#include "caisson/sys/file.h"
#include "caisson/sys/raw.h"

namespace caisson::shim {

using sys::UniqueFd;

Result<void> leave_caller(const std::string& log_path) {
  if (::setsid() < 0) return Error::os(errno, "setsid");
  if (const long r = sys::raw::call(SYS_chdir, "/"); r < 0) return Error::os(static_cast<int>(-r), "chdir");
  ::prctl(PR_SET_NAME, "caisson-shim");
  const UniqueFd null = TRY(sys::open_file("/dev/null", O_RDWR));
  auto log = sys::open_file(log_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (::dup2(null.get(), STDIN_FILENO) < 0 || ::dup2(null.get(), STDOUT_FILENO) < 0 ||
      ::dup2(log ? log->get() : null.get(), STDERR_FILENO) < 0)
    return Error::os(errno, "dup2");
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGHUP, SIG_IGN);
  return ok();
}

void join_cgroups(const std::vector<int>& tasks_files) {
  for (const int tasks : tasks_files) {
    (void)sys::write_all(tasks, "0");
    ::close(tasks);
  }
}

void close_others(const std::vector<int>& kept) {
  unsigned first = STDERR_FILENO + 1;
  for (const int fd : kept) {
    const auto number = static_cast<unsigned>(fd);
    if (number < first) continue;
    if (number > first) ::close_range(first, number - 1, 0);
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    first = number + 1;
  }
  ::close_range(first, ~0U, 0);
}

}  // namespace caisson::shim

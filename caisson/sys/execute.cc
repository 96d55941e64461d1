#include "caisson/sys/execute.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "caisson/sys/file.h"
#include "caisson/sys/process.h"
#include "caisson/sys/raw.h"
#include "caisson/sys/unique_fd.h"

namespace caisson::sys {
namespace {

std::vector<char*> pointers(const std::vector<std::string>& argv) {
  std::vector<char*> out;
  for (const std::string& word : argv) out.push_back(const_cast<char*>(word.c_str()));
  out.push_back(nullptr);
  return out;
}

void redirect(int from, int to) {
  if (from != to) raw::call(SYS_dup3, from, to, 0);
}

[[noreturn]] void give_up(long result, int failure) {
  const int why = static_cast<int>(-result);
  raw::call(SYS_write, failure, &why, sizeof why);
  raw::call(SYS_exit_group, 127);
  __builtin_unreachable();
}

[[noreturn]] void execute_child(const std::string& path, char* const* argv, int output, int failure) {
  if (const long r = raw::call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); r < 0) give_up(r, failure);
  if (output >= 0) {
    const long null = raw::call(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC);
    redirect(static_cast<int>(null), STDIN_FILENO);
    redirect(output, STDOUT_FILENO);
    redirect(static_cast<int>(null), STDERR_FILENO);
  }
  give_up(raw::call(SYS_execve, path.c_str(), argv, environ), failure);
}

struct Pipe {
  UniqueFd read, write;
};

Result<Pipe> make_pipe() {
  int ends[2];
  if (const long r = raw::call(SYS_pipe2, ends, O_CLOEXEC); r < 0) return Error::os(static_cast<int>(-r), "pipe2");
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

}  // namespace

Result<Finished> execute(const std::string& path, const std::vector<std::string>& argv, Stdout output) {
  const std::vector<char*> words = pointers(argv);
  Pipe failure = TRY(make_pipe());
  Pipe captured;
  if (output == Stdout::capture) {
    captured = TRY(make_pipe());
  }
  const pid_t pid = TRY(clone_process(0));
  if (pid == 0) execute_child(path, words.data(), captured.write.get(), failure.write.get());
  Process child(pid);
  failure.write.reset();
  captured.write.reset();
  int why = 0;
  // Nothing to read: it runs. An error says neither; its exit status will.
  if (raw::call_retrying(SYS_read, failure.read.get(), &why, sizeof why) == sizeof why)
    return Error::os(why, "execve").during(path);
  Finished out;
  if (captured.read) {
    out.output = TRY(read_all(captured.read.get()).during(path));
  }
  const int status = TRY(child.wait());
  out.status = shell_status(status);
  return out;
}

Error become(const std::string& path, const std::vector<std::string>& argv) {
  const std::vector<char*> words = pointers(argv);
  const long r = raw::call(SYS_execve, path.c_str(), words.data(), environ);
  return Error::os(static_cast<int>(-r), "execve").during(path);
}

Result<int> make_inherited_file(const std::string& name, const std::string& text, int least) {
  const long made = raw::call(SYS_memfd_create, name.c_str(), MFD_CLOEXEC);
  if (made < 0) return Error::os(static_cast<int>(-made), "memfd_create");
  const UniqueFd file(static_cast<int>(made));
  TRY(write_all(file.get(), text));
  if (const long r = raw::call(SYS_lseek, file.get(), 0, SEEK_SET); r < 0)
    return Error::os(static_cast<int>(-r), "lseek");
  const long kept = raw::call(SYS_fcntl, file.get(), F_DUPFD, least);
  if (kept < 0) return Error::os(static_cast<int>(-kept), "fcntl F_DUPFD");
  return static_cast<int>(kept);
}

Result<UniqueFd> duplicate_inherited(int fd, int least) {
  const long kept = raw::call(SYS_fcntl, fd, F_DUPFD, least);
  if (kept < 0) return Error::os(static_cast<int>(-kept), "fcntl F_DUPFD");
  return UniqueFd(static_cast<int>(kept));
}

}  // namespace caisson::sys

#include "caisson/sys/program.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/wait.h>

#include "caisson/sys/file.h"
#include "caisson/sys/process.h"
#include "caisson/sys/raw.h"

namespace caisson::sys {
namespace {

[[noreturn]] void become(const std::vector<std::string>& args, int output, int report) {
  std::vector<char*> argv;
  argv.reserve(args.size() + 1);
  for (const std::string& arg : args) argv.push_back(const_cast<char*>(arg.c_str()));
  argv.push_back(nullptr);
  if (::dup2(output, STDOUT_FILENO) >= 0 && ::dup2(output, STDERR_FILENO) >= 0 &&
      raw::call(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
    ::execvp(argv[0], argv.data());
  const int error = errno;
  raw::call_retrying(SYS_write, report, &error, sizeof error);
  ::_exit(127);
}

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) return Error::os(errno, "pipe");
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

}  // namespace

Result<ProgramOutput> run_program(const std::vector<std::string>& args) {
  Pipe output = TRY(make_pipe());
  Pipe report = TRY(make_pipe());
  const pid_t pid = TRY(clone_process(0));
  if (pid == 0) become(args, output.write_end.get(), report.write_end.get());
  Process child(pid);
  output.write_end.reset();
  report.write_end.reset();
  int error = 0;
  if (raw::call_retrying(SYS_read, report.read_end.get(), &error, sizeof error) == sizeof error)
    return Error::os(error, "exec").during(args[0]);
  ProgramOutput out;
  out.text = TRY(read_all(output.read_end.get()).during(args[0]));
  const int status = TRY(child.wait());
  out.status = shell_status(status);
  return out;
}

}  // namespace caisson::sys

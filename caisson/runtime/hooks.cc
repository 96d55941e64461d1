#include "caisson/runtime/hooks.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>

#include "caisson/sys/file.h"
#include "caisson/sys/process.h"
#include "caisson/sys/raw.h"
#include "caisson/sys/unique_fd.h"

namespace caisson::runtime {
namespace {

using sys::UniqueFd;
constexpr std::size_t kept_output = 4096;  // bytes of a failed hook's output that go into the error

// A file in memory that reads from its start: unlike a pipe it never blocks a hook that does not read.
Result<UniqueFd> state_file(const std::string& state_json) {
  UniqueFd fd(::memfd_create("state", MFD_CLOEXEC));
  if (!fd) return Error::os(errno, "memfd_create");
  TRY(sys::write_all(fd.get(), state_json));
  if (::lseek(fd.get(), 0, SEEK_SET) < 0) return Error::os(errno, "lseek");
  return fd;
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  out.reserve(texts.size() + 1);
  for (const std::string& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

bool filter_with(const seccomp::Program* program) {
  if (program == nullptr) return true;
  const sock_fprog filter{.len = static_cast<unsigned short>(program->filter.size()),
                          .filter = const_cast<sock_filter*>(program->filter.data())};
  const long r = sys::raw::call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, program->flags, &filter);
  errno = r < 0 ? static_cast<int>(-r) : 0;
  return r == 0;
}

[[noreturn]] void become(const oci::Hook& hook, const HookSetting& setting, int input, int output, int report) {
  std::vector<std::string> args = hook.args;
  if (args.empty()) args.push_back(hook.path);
  const auto argv = pointers(args);
  const std::vector<std::string>* const given = hook.env ? &*hook.env : setting.env;
  const std::vector<std::string> nothing;  // named: what is pointed to must live until execve
  const auto env = pointers(given != nullptr ? *given : nothing);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  // dup2 onto itself would leave close-on-exec set: the descriptors here are always above 2.
  bool good = ::dup2(input, 0) == 0 && ::dup2(output, 1) == 1 && ::dup2(output, 2) == 2 &&
              ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) == 0;
  good = good && (setting.directory.empty() || ::chdir(setting.directory.c_str()) == 0) && filter_with(setting.filter);
  if (good) ::execve(hook.path.c_str(), argv.data(), given == nullptr ? environ : env.data());
  const int error = errno;
  sys::raw::call_retrying(SYS_write, report, &error, sizeof error);
  ::_exit(127);
}

// What it printed, while it runs; false when the time is over.
Result<bool> collect(int output, const sys::Pidfd& process, std::optional<std::chrono::seconds> limit,
                     std::string& text) {
  const auto end = std::chrono::steady_clock::now() + limit.value_or(std::chrono::hours(24 * 365));
  for (;;) {
    pollfd items[2] = {{output, POLLIN, 0}, {process.get(), POLLIN, 0}};
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    const int ready = ::poll(items, 2, static_cast<int>(std::min<long long>(left.count(), 3600000)));
    if (ready < 0 && errno != EINTR) return Error::os(errno, "poll");
    if (ready <= 0) continue;
    if ((items[0].revents & POLLIN) != 0) {
      char piece[1024];
      const long n = sys::raw::call_retrying(SYS_read, output, piece, sizeof piece);
      if (n > 0 && text.size() < kept_output) text.append(piece, static_cast<std::size_t>(n));
      if (n > 0) continue;
    }
    if (items[1].revents != 0) return true;  // ended, and nothing more to read: a grandchild may keep the pipe
  }
}

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

// As runc: "signal: bad system call".
std::string name_of_signal(int number) {
  const char* text = ::sigdescr_np(number);
  std::string name = text != nullptr ? text : std::to_string(number);
  if (name[0] >= 'A' && name[0] <= 'Z') name[0] = static_cast<char>(name[0] + 32);
  return name;
}

Result<void> run_one(const oci::Hook& hook, const std::string& state_json, const HookSetting& setting) {
  const UniqueFd input = TRY(state_file(state_json));
  int output[2];
  int report[2];
  if (::pipe2(output, O_CLOEXEC) < 0) return Error::os(errno, "pipe");
  const UniqueFd output_read(output[0]);
  UniqueFd output_write(output[1]);
  if (::pipe2(report, O_CLOEXEC) < 0) return Error::os(errno, "pipe");
  const UniqueFd report_read(report[0]);
  UniqueFd report_write(report[1]);
  const pid_t pid = TRY(sys::clone_process(0));
  if (pid == 0) become(hook, setting, input.get(), output_write.get(), report_write.get());
  sys::Process child(pid);
  output_write.reset();
  report_write.reset();
  int error = 0;
  if (sys::raw::call_retrying(SYS_read, report_read.get(), &error, sizeof error) == sizeof error)
    return Error::os(error, "exec");
  const sys::Pidfd pidfd = TRY(sys::Pidfd::open(pid));
  std::string text;
  const bool ended = TRY(collect(output_read.get(), pidfd, hook.timeout, text));
  if (!ended) {
    return Error::of(Kind::os, "hook timed out after " + std::to_string(hook.timeout->count()) + " s and was killed");
  }
  const int status = TRY(child.wait());
  if (status == 0) return ok();
  const std::string how = WIFSIGNALED(status) ? "signal: " + name_of_signal(WTERMSIG(status))
                                              : "exit status " + std::to_string(WEXITSTATUS(status));
  return Error::of(Kind::os, how + ", output: " + trimmed(text));
}

}  // namespace

Result<void> run_hooks(const std::vector<oci::Hook>& hooks, const std::string& state_json, std::string_view kind,
                       const HookSetting& setting) {
  for (std::size_t i = 0; i < hooks.size(); ++i) {
    const std::string step = "error running " + std::string(kind) + " hook #" + std::to_string(i);
    TRY(run_one(hooks[i], state_json, setting).during(hooks[i].path).during(step));
  }
  return ok();
}

}  // namespace caisson::runtime

#include "caisson/trace/main.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "caisson/sys/file.h"
#include "caisson/sys/process.h"
#include "caisson/sys/raw.h"
#include "caisson/sys/signal.h"
#include "caisson/trace/tracer.h"

namespace caisson::trace {
namespace {

constexpr int failed = 125;  // as env(1) and others that run a command

constexpr runtime::Flag flags[] = {
    {"json", "", runtime::Takes::nothing, "", "print one JSON object"},
    {"output", "o", runtime::Takes::text, "", "file to print to (default: stderr)"},
};

constexpr runtime::Command command = {
    "trace",
    "",
    "run a command and print every privileged operation that it asked for, and the grants that serve it",
    "[options] [--] command [arguments...]",
    "The command's input, output and exit status are its own. Ends when the last process that it started has.",
    flags,
    1,
    static_cast<std::size_t>(-1),
    runtime::After::arguments,
};

// Ends as the command did, so that who waits for us sees no difference.
int end_as(int wait_status) {
  if (WIFSIGNALED(wait_status)) {
    const int signal = WTERMSIG(wait_status);
    constexpr struct rlimit none = {};
    (void)sys::raw::call(SYS_prlimit64, 0, RLIMIT_CORE, &none, nullptr);  // the dump is the command's
    ::signal(signal, SIG_DFL);
    (void)sys::send_signal(::getpid(), signal);
  }
  return sys::shell_status(wait_status);
}

Result<int> run(const runtime::Arguments& arguments) {
  sys::UniqueFd file;
  if (arguments.given("output"))
    file = TRY(sys::open_file(arguments.text("output"), O_WRONLY | O_CREAT | O_TRUNC, 0644));
  const Outcome outcome = TRY(follow(arguments.rest()));
  const Ended ended{.command = arguments.rest(), .status = sys::shell_status(outcome.wait_status)};
  const std::string text = arguments.on("json") ? print_json(outcome.report, ended) : print_text(outcome.report);
  TRY(sys::write_all(file ? file.get() : STDERR_FILENO, text));
  return end_as(outcome.wait_status);
}

}  // namespace

const runtime::Command& trace_command() { return command; }

int trace_main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  runtime::Arguments arguments;
  const Result<void> parsed = runtime::parse_command(command, words, arguments, "caisson");
  if (parsed && arguments.on("help")) {
    (void)sys::write_all(STDOUT_FILENO, runtime::command_help(command, "caisson"));
    return 0;
  }
  Result<int> status = failed;
  if (parsed) status = run(arguments);
  if (parsed && status) return *status;
  const Error& error = parsed ? status.error() : parsed.error();
  (void)sys::write_all(STDERR_FILENO, "caisson trace: " + error.message() + "\n");
  return failed;
}

}  // namespace caisson::trace

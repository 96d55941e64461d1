#include "caisson/nest/main.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "caisson/nest/command_line.h"
#include "caisson/nest/create.h"
#include "caisson/nest/report.h"
#include "caisson/shim/shim.h"
#include "caisson/sys/execute.h"
#include "caisson/sys/file.h"

namespace caisson::nest {
namespace {

constexpr char runtime_program[] = "/proc/self/exe";

std::string environment(const char* name, const char* otherwise) {
  const char* value = ::getenv(name);
  return value != nullptr && *value != '\0' ? value : otherwise;
}

int fail(const Context& context, const Error& error) {
  report(context.line, Level::error, error.message());
  return context.line.command == "exec" ? 255 : 1;
}

int become_runtime(const Context& context, const std::vector<std::string>& argv) {
  return fail(context, sys::become(runtime_program, argv));
}

std::vector<std::string> as_runtime(const Context& context) {
  std::vector<std::string> argv = {"caisson-runtime"};
  argv.insert(argv.end(), context.line.global.begin(), context.line.global.end());
  if (!context.line.command.empty()) argv.push_back(context.line.command);
  argv.insert(argv.end(), context.line.rest.begin(), context.line.rest.end());
  return argv;
}

int pass_on(const Context& context) { return become_runtime(context, as_runtime(context)); }

// create is waited for, so that a container that was not made leaves no nest behind.
int create(const Context& context) {
  if (context.line.id.empty()) return pass_on(context);
  auto argv = prepare(context);
  if (!argv) return fail(context, argv.error());
  auto finished = sys::execute(runtime_program, *argv, sys::Stdout::inherit);
  if (finished && finished->status == 0) return 0;
  (void)release(context, context.line.id);
  return finished ? finished->status : fail(context, finished.error());
}

// run stays in the foreground as the runtime itself, which gets the signals; its poststop hook calls us back.
int run(const Context& context) {
  if (context.line.id.empty()) return pass_on(context);
  auto argv = prepare(context);
  if (!argv) return fail(context, argv.error());
  return become_runtime(context, *argv);
}

// A container that its runtime has deleted has told us already; what is left is of commands that were killed.
int remove(const Context& context) {
  if (context.line.id.empty()) return pass_on(context);
  auto finished = sys::execute(runtime_program, as_runtime(context), sys::Stdout::inherit);
  if (!finished) return fail(context, finished.error());
  auto cleared = clear(context, context.line.id);
  return finished->status == 0 && !cleared ? fail(context, cleared.error()) : finished->status;
}

int exec(const Context& context) {
  auto argv = prepare_exec(context);
  if (!argv) return fail(context, argv.error());
  return become_runtime(context, *argv);
}

int finish(const Context& context, const Result<void>& done) { return done ? 0 : fail(context, done.error()); }

int release_hook(const Context& context) { return finish(context, release(context, context.line.id)); }
int forget_data(const Context& context) { return finish(context, forget(context, context.line.id)); }

std::string shim_directory(const Context& context) {
  return run_directory(context.places, {.runtime_root = context.runtime_root, .id = context.line.id});
}

Error no_shim(const Context& context, const Error& error) {
  if (!error.is(ENOENT) && !error.is(ECONNREFUSED)) return Error(error).during("ask the shim of " + context.line.id);
  return Error::of(Kind::not_found, "nest " + context.line.id +
                                        " has no shim: it is not running, or its shim was killed; a supervisor that "
                                        "is left serves it to its end");
}

int supervisor_status(const Context& context) {
  auto said = shim::ask(shim_directory(context), "status", -1, std::chrono::seconds(5));
  if (!said) return fail(context, no_shim(context, said.error()));
  return finish(context, sys::write_all(STDOUT_FILENO, *said + "\n"));
}

// The supervisor becomes this executable; no call inside the nest fails meanwhile.
int upgrade(const Context& context) {
  auto program = sys::open_file(runtime_program, O_RDONLY);
  if (!program) return fail(context, program.error());
  auto said = shim::ask(shim_directory(context), "upgrade", program->get(), std::chrono::seconds(15));
  if (!said) return fail(context, no_shim(context, said.error()));
  if (*said == "upgraded") return 0;
  return fail(context,
              Error::of(Kind::unsupported, "this executable's supervisor does not start; the old one goes on"));
}

struct Command {
  const char* name;
  int (*act)(const Context&);
};
constexpr Command commands[] = {
    {"create", create},      {"run", run},
    {"exec", exec},          {"release", release_hook},
    {"forget", forget_data}, {"supervisor", supervisor_status},
    {"upgrade", upgrade},    {"delete", remove},
};

}  // namespace

int nest_main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  Context context;
  context.line = read_command_line(words);
  context.places.state = environment("CAISSON_NEST_STATE", context.places.state.c_str());
  context.places.run = environment("CAISSON_NEST_RUN", context.places.run.c_str());
  context.runtime_root = context.line.root.empty() ? default_root(::geteuid() == 0, environment("XDG_RUNTIME_DIR", ""))
                                                   : context.line.root;
  for (const Command& command : commands) {
    if (context.line.command != command.name) continue;
    auto program = sys::read_link_at(AT_FDCWD, runtime_program);
    if (!program) return fail(context, program.error());
    context.program = *std::move(program);
    return command.act(context);
  }
  return pass_on(context);
}

}  // namespace caisson::nest

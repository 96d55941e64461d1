#include "caisson/tree/main.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "caisson/nest/command_line.h"
#include "caisson/nest/record.h"
#include "caisson/sys/file.h"
#include "caisson/tree/gather.h"
#include "caisson/tree/print.h"

namespace caisson::tree {
namespace {

constexpr runtime::Flag flags[] = {
    {"all", "a", runtime::Takes::nothing, "", "also list the processes that are in no container"},
    {"json", "", runtime::Takes::nothing, "", "print one JSON object"},
    {"root", "", runtime::Takes::texts, "", "one more directory of containers' state; may be repeated"},
};

constexpr runtime::Command command = {
    "tree",
    "",
    "draw containers inside containers, and their processes with pid and uid at every level",
    "[options] [pid|id]",
    "With a process or a container's ID, only that container, what is in it, and the way there.",
    flags,
    0,
    1,
};

std::string environment(const char* name, const char* otherwise) {
  const char* value = ::getenv(name);
  return value != nullptr && *value != '\0' ? value : otherwise;
}

// As setlocale(3) would choose for characters; the executable is static and has no locales.
Lines lines_of_locale() {
  for (const char* value : {::getenv("LC_ALL"), ::getenv("LC_CTYPE"), ::getenv("LANG")}) {
    if (value == nullptr || *value == '\0') continue;
    std::string name(value);
    std::ranges::transform(name, name.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
    return name.find("utf-8") != name.npos || name.find("utf8") != name.npos ? Lines::utf8 : Lines::ascii;
  }
  return Lines::ascii;
}

std::size_t width_of_output() {
  struct winsize size = {};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20) return size.ws_col;
  return 100;
}

Result<void> draw(const runtime::Arguments& arguments) {
  const bool outermost = arguments.on("all");
  Facts facts = TRY(gather(outermost ? Outermost::described : Outermost::counted));
  std::vector<std::string> roots = arguments.texts("root");
  roots.push_back(nest::default_root(::geteuid() == 0, environment("XDG_RUNTIME_DIR", "")));
  add_records(facts, roots, environment("CAISSON_NEST_RUN", nest::Places().run.c_str()));
  Forest forest = grow(facts);
  if (!arguments.rest().empty()) TRY(select(forest, arguments.rest().front()));
  const Look look = {
      .lines = lines_of_locale(), .width = width_of_output(), .outermost = outermost, .privileged = ::geteuid() == 0};
  if (arguments.on("json")) return sys::write_all(STDOUT_FILENO, print_json(forest, facts, look));
  TRY(sys::write_all(STDOUT_FILENO, print_text(forest, facts, look)));
  for (const std::string& limit : limits_of(forest, facts, look))
    TRY(sys::write_all(STDERR_FILENO, "caisson tree: " + limit + "\n"));
  return ok();
}

}  // namespace

const runtime::Command& tree_command() { return command; }

int tree_main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  runtime::Arguments arguments;
  Result<void> done = runtime::parse_command(command, words, arguments, "caisson");
  if (done && arguments.on("help")) {
    (void)sys::write_all(STDOUT_FILENO, runtime::command_help(command, "caisson"));
    return 0;
  }
  if (done) done = draw(arguments);
  if (done) return 0;
  (void)sys::write_all(STDERR_FILENO, "caisson tree: " + done.error().message() + "\n");
  return 1;
}

}  // namespace caisson::tree

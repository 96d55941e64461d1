// One executable, several programs: what it is depends on the name it was started by.
// Layer: apps. `caisson-runtime ...` and `caisson runtime ...` are the same.
// SPDX-License-Identifier: Apache-2.0
#include <malloc.h>
#include <unistd.h>

#include <new>
#include <string_view>

#include "caisson/nest/grants_command.h"
#include "caisson/nest/main.h"
#include "caisson/nest/supervisor.h"
#include "caisson/runtime/main.h"
#include "caisson/shim/shim.h"
#include "caisson/sys/file.h"
#include "caisson/trace/main.h"
#include "caisson/tree/main.h"

namespace {

struct Program {
  std::string_view name;     // the file's, or empty
  std::string_view command;  // of caisson
  int (*main)(int argc, char** argv);
};

constexpr Program programs[] = {
    {"caisson-runtime", "runtime", caisson::runtime::runtime_main},
    {"caisson-nest", "nest", caisson::nest::nest_main},
    {"caisson-shim", "", caisson::shim::shim_main},
    {"caisson-supervisor", "", caisson::nest::supervisor_main},
    {"", "trace", caisson::trace::trace_main},
    {"", "tree", caisson::tree::tree_main},
    {"", "grants", caisson::nest::grants_main},
    // Names that podman knows to write JSON logs: a link to us in a private directory may have one.
    {"runc", "", caisson::runtime::runtime_main},
    {"crun", "", caisson::runtime::runtime_main},
};

constexpr std::string_view usage =
    "usage: caisson COMMAND ...\n\n"
    "  runtime   a strict OCI runtime; also started by the name caisson-runtime\n"
    "  nest      an OCI runtime whose containers can hold container engines; also by the name caisson-nest\n"
    "  trace     run a command and print the privileged operations that it asked for, and the grants that serve it\n"
    "  tree      draw containers inside containers, and their processes with pid and uid at every level\n"
    "  grants    list what a nest can be given by name, and whether this host has it\n\n"
    "`caisson COMMAND --help` tells more.\n";

// Memory is gone: whoever waits for us must read why, and nothing can be allocated to say it.
[[noreturn]] void out_of_memory() {
  constexpr std::string_view text = "out of memory\n";
  (void)::write(STDERR_FILENO, text.data(), text.size());
  ::_exit(1);
}

}  // namespace

int main(int argc, char** argv) {
  std::set_new_handler(out_of_memory);
  // Memory is asked for once instead of a page at a time: a container's start is counted in system calls.
  ::mallopt(M_TOP_PAD, 1 << 20);
  std::string_view name = argc > 0 ? argv[0] : "";
  name.remove_prefix(name.rfind('/') + 1);  // npos + 1 is 0
  for (const Program& program : programs)
    if (!name.empty() && name == program.name) return program.main(argc, argv);
  std::string_view command = argc > 1 ? argv[1] : "";
  const bool asked = command == "--help" || command == "-h" || command == "help";
  char help[] = "--help";
  char* told[] = {argv[0], argv[0], help, nullptr};
  if (asked && argc > 2) {  // `caisson help tree` is `caisson tree --help`
    command = argv[2];
    argc = 3;
    argv = told;
  }
  for (const Program& program : programs)
    if (!command.empty() && command == program.command) return program.main(argc - 1, argv + 1);
  (void)caisson::sys::write_all(asked ? STDOUT_FILENO : STDERR_FILENO, usage);
  return asked ? 0 : 1;
}

// The OCI command line, read just far enough to find the bundle, the process file and the ID, and to write it again.
// Layer: nest (pure). Used by main.cc. Everything else on it is the runtime's to read and to refuse.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "caisson/nest/terms.h"

namespace caisson::nest {

struct CommandLine {
  std::vector<std::string> global;  // flags before the command, as given, but for nest's own
  std::string command;              // empty: none was found
  std::vector<std::string> rest;    // after the command, as given, but for nest's own

  // Of the flags that nest reads; the last one wins, as in the runtime.
  std::string root;        // --root
  std::string log;         // --log
  std::string log_format;  // --log-format
  bool debug = false;      // --debug
  std::string bundle;      // --bundle, -b
  std::string process;     // --process, -p
  std::string id;          // the first argument of the command
  TermFlags terms;         // --grants, --profile: nest's own, before the command or of create and run
};

// `given`: without argv[0]. Never fails: what it does not understand is passed on, and the runtime says what is wrong.
CommandLine read_command_line(std::span<const std::string> given);

// The words of `rest` with every --`name` (alias -`alias`) taken out, and `--name value` put in front.
std::vector<std::string> with_flag(const CommandLine& line, std::string_view name, std::string_view value);

// Where the runtime keeps its state when --root is not given.
std::string default_root(bool privileged, std::string_view xdg_runtime_dir);

}  // namespace caisson::nest

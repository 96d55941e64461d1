// Fuzz: any command line and any state.json is read or refused, and what was read is printed and read again.
// Layer: runtime, fuzz target.
// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "caisson/runtime/command_table.h"
#include "caisson/runtime/json.h"
#include "caisson/runtime/state.h"
#include "caisson/runtime/update_flags.h"

namespace caisson::runtime {
namespace {

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    out.emplace_back(text.substr(0, text.find('\n')));
    text.remove_prefix(std::min(text.size(), out.back().size() + 1));
  }
  return out;
}

void read_line(std::string_view text) {
  const std::vector<std::string> line = words_of(text);
  Arguments globals;
  if (!parse_global(global_flags(), line, globals) || globals.rest().empty()) return;
  const Command* command = find_command(commands(), globals.rest().front());
  if (command == nullptr) return;
  Arguments arguments;
  if (!parse_command(*command, std::span(globals.rest()).subspan(1), arguments) || arguments.on("help")) return;
  if (arguments.rest().size() < command->least || arguments.rest().size() > command->most) std::abort();
  if (command->name == "update") (void)resources_of(arguments);
}

void read_anything(std::string_view text) {
  read_line(text);
  if (const auto bytes = parse_bytes(text); bytes && *bytes < -1) std::abort();
  (void)parse_duration(text);
  if (const auto state = parse_state_file(text)) {
    const auto again = parse_state_file(print_state_file(*state));
    if (!again || print_state_file(*again) != print_state_file(*state)) std::abort();
  }
  std::string quoted;
  append_quoted(quoted, text);
}

}  // namespace
}  // namespace caisson::runtime

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  caisson::runtime::read_anything({reinterpret_cast<const char*>(data), size});
  return 0;
}

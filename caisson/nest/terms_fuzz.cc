// Fuzz: grants, annotations, a supervisor's instructions and command lines of any form never crash us, and are read
// again as they were. Layer: nest, fuzz target. SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "caisson/nest/command_line.h"
#include "caisson/nest/terms.h"

namespace nest = caisson::nest;

static void must(bool holds) {
  if (!holds) std::abort();
}

static void command_line(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find('\n'));
    words.emplace_back(word);
    text.remove_prefix(std::min(word.size() + 1, text.size()));
  }
  const nest::CommandLine line = nest::read_command_line(words);
  must(line.global.size() + line.rest.size() <= words.size());
  must(nest::with_flag(line, "bundle", "/b").size() <= line.rest.size() + 2);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto grants = nest::parse_grants(text)) {
    const auto again = nest::parse_grants(nest::to_text(*grants));
    must(again && *again == *grants);
  }
  const std::string first(text.substr(0, text.find('\n')));
  const std::string rest(text.substr(std::min(first.size() + 1, size)));
  (void)nest::choose_terms({{nest::grants_annotation, first}, {nest::profile_annotation, rest}}, {first, rest});
  (void)nest::choose_terms({{nest::grants_annotation, first}}, {rest, {}});
  const nest::Instructions told = nest::parse_instructions(text);
  must(nest::parse_instructions(nest::to_text(told)) == told);
  command_line(text);
  return 0;
}

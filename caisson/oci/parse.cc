// The parsers that spec.h, process.h and resources.h promise: text, Boost's values, structs.
// Layer: oci (pure). Used by whoever includes those headers.
// SPDX-License-Identifier: Apache-2.0
#include <boost/json/monotonic_resource.hpp>

#include "caisson/oci/json_reader.h"

namespace caisson::oci {
namespace {

template <class T>
Result<T> parse(std::string_view text, std::string_view name) {
  // The values live only until they are copied into the struct: one arena instead of a thousand allocations.
  json::monotonic_resource arena(2 * text.size() + 1);
  json::value value = TRY(parse_json(text, name, &arena));
  return read_document<T>(value, name);
}

}  // namespace

Result<Spec> parse_spec(std::string_view text) { return parse<Spec>(text, "config.json"); }

Result<Process> parse_process(std::string_view text) { return parse<Process>(text, "process.json"); }

Result<Resources> parse_resources(std::string_view text) { return parse<Resources>(text, "resources"); }

}  // namespace caisson::oci

// JSON text to Boost.JSON values and back: the one place that meets Boost's parser, its errors and its exceptions.
// Layer: oci (private to it). Used by parse.cc, print.cc, document.cc and others here.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/oci/json.h"

#include <boost/json/parser.hpp>
#include <boost/json/serialize.hpp>
#include <exception>

namespace caisson::oci {
namespace {

Error syntax_error(std::string_view name, std::size_t at, std::string_view why) {
  std::string text(name);
  text.append(": not valid JSON at byte ").append(std::to_string(at)).append(": ").append(why);
  return Error::of(Kind::invalid, text);
}

void print_into(std::string& out, const json::value& value, std::string_view indent, std::size_t depth) {
  auto new_line = [&](std::size_t level) {
    out += '\n';
    for (std::size_t i = 0; i < level; ++i) out += indent;
  };
  const json::object* object = value.if_object();
  const json::array* array = value.if_array();
  std::size_t size = object != nullptr ? object->size() : array != nullptr ? array->size() : 0;
  if (size == 0) {
    out += json::serialize(value);
    return;
  }
  out += object != nullptr ? '{' : '[';
  for (std::size_t i = 0; i < size; ++i) {
    if (i > 0) out += ',';
    new_line(depth + 1);
    if (object == nullptr) {
      print_into(out, (*array)[i], indent, depth + 1);
      continue;
    }
    const json::key_value_pair& member = *(object->begin() + i);
    out += json::serialize(json::string_view(member.key()));
    out += ": ";
    print_into(out, member.value(), indent, depth + 1);
  }
  new_line(depth);
  out += object != nullptr ? '}' : ']';
}

}  // namespace

Result<json::value> parse_json(std::string_view text, std::string_view name, json::storage_ptr storage) {
  // Boost reports through error codes, but running out of memory or of its own limits may still throw.
  try {
    json::parser parser;
    parser.reset(std::move(storage));
    json::error_code why;
    std::size_t used = parser.write_some(text.data(), text.size(), why);
    if (why) return syntax_error(name, used, why.message());
    if (text.find_first_not_of(" \t\r\n", used) != std::string_view::npos) {
      return syntax_error(name, used, "extra data after the document");
    }
    return parser.release();
  } catch (const std::exception& e) {
    return Error::of(Kind::invalid, std::string(name) + ": " + e.what());
  }
}

std::string print_line(const json::value& value) { return json::serialize(value); }

std::string print_indented(const json::value& value, std::string_view indent) {
  std::string out;
  print_into(out, value, indent, 0);
  return out;
}

}  // namespace caisson::oci

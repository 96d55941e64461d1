#include "caisson/runtime/json.h"

#include <utility>

namespace caisson::runtime {
namespace {

// Length of the well-formed UTF-8 sequence at the start of `text`; 0 if there is none.
// Source: Unicode 15, table 3-7 (no overlong forms, no surrogates, nothing above U+10FFFF).
std::size_t sequence_length(std::string_view text) {
  const auto at = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const unsigned first = at(0);
  unsigned low = 0x80;
  unsigned high = 0xbf;
  std::size_t length = 0;
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) length = 2;
  if (first >= 0xe0 && first <= 0xef) length = 3;
  if (first >= 0xf0 && first <= 0xf4) length = 4;
  if (length == 0) return 0;
  if (first == 0xe0) low = 0xa0;
  if (first == 0xed) high = 0x9f;
  if (first == 0xf0) low = 0x90;
  if (first == 0xf4) high = 0x8f;
  if (at(1) < low || at(1) > high) return 0;
  for (std::size_t i = 2; i < length; ++i)
    if (at(i) < 0x80 || at(i) > 0xbf) return 0;
  return length;
}

void append_control(std::string& out, unsigned char byte) {
  constexpr char digits[] = "0123456789abcdef";
  if (byte == '\n') {
    out += "\\n";
  } else if (byte == '\t') {
    out += "\\t";
  } else if (byte == '\r') {
    out += "\\r";
  } else {
    out += "\\u00";
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
}

}  // namespace

void append_quoted(std::string& out, std::string_view text, Bytes bytes) {
  out += '"';
  while (!text.empty()) {
    const auto byte = static_cast<unsigned char>(text[0]);
    std::size_t used = 1;
    if (byte == '"' || byte == '\\') {
      out += '\\';
      out += text[0];
    } else if (byte < 0x20 || byte == 0x7f) {
      append_control(out, byte);
    } else if (const std::size_t length = sequence_length(text); length > 0) {
      out += text.substr(0, length);
      used = length;
    } else if (bytes == Bytes::keep) {
      out += text[0];
    } else {
      out += "\xef\xbf\xbd";
    }
    text.remove_prefix(used);
  }
  out += '"';
}

void JsonObject::key(std::string_view name) {
  if (out_.size() > 1) out_ += ',';
  append_quoted(out_, name, bytes_);
  out_ += ':';
}

JsonObject& JsonObject::text(std::string_view name, std::string_view value) {
  key(name);
  append_quoted(out_, value, bytes_);
  return *this;
}

JsonObject& JsonObject::texts(std::string_view name, const std::vector<std::string>& values) {
  key(name);
  out_ += '[';
  for (const std::string& value : values) {
    if (out_.back() != '[') out_ += ',';
    append_quoted(out_, value, bytes_);
  }
  out_ += ']';
  return *this;
}

JsonObject& JsonObject::texts(std::string_view name, const std::map<std::string, std::string>& values) {
  JsonObject inner(bytes_);
  for (const auto& [inner_name, value] : values) inner.text(inner_name, value);
  return raw(name, inner.take());
}

JsonObject& JsonObject::raw(std::string_view name, std::string_view json) {
  key(name);
  out_ += json;
  return *this;
}

std::string JsonObject::take() {
  out_ += '}';
  return std::exchange(out_, "{");
}

}  // namespace caisson::runtime

// Words: a kernel's text line by line and word by word, nothing copied; and lines put together.
// Layer: procview. Pure. Used by its parsers and renderers.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

namespace caisson::procview {

// for (Lines lines(text); lines.next();) use(lines.line);
struct Lines {
  explicit Lines(std::string_view text) : rest(text) {}
  bool next() {
    if (rest.empty()) return false;
    const std::size_t end = rest.find('\n');
    line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    return true;
  }
  std::string_view line;
  std::string_view rest;
};

// Words between spaces, tabs and newlines.
struct Words {
  explicit Words(std::string_view text) : rest(text) {}
  bool next() {
    const std::size_t start = rest.find_first_not_of(" \t\n");
    if (start == std::string_view::npos) return false;
    rest.remove_prefix(start);
    const std::size_t end = rest.find_first_of(" \t\n");
    word = rest.substr(0, end);
    rest.remove_prefix(word.size());
    return true;
  }
  std::string_view word;
  std::string_view rest;
};

// The whole word, decimal.
inline std::optional<std::uint64_t> number_of(std::string_view word) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return value;
}

// snprintf(3) at the end of a string; at most 255 bytes at a time.
[[gnu::format(printf, 2, 3)]] inline void append(std::string& out, const char* format, ...) {
  char buffer[256];
  std::va_list arguments;
  va_start(arguments, format);
  const int size = std::vsnprintf(buffer, sizeof buffer, format, arguments);
  va_end(arguments);
  if (size > 0) out.append(buffer, std::min<std::size_t>(static_cast<std::size_t>(size), sizeof buffer - 1));
}

}  // namespace caisson::procview

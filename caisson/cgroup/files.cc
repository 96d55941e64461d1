#include "caisson/cgroup/files.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "caisson/sys/file.h"

namespace caisson::cgroup {

Result<std::string> read_value(const std::string& directory, std::string_view file) {
  std::string text = TRY(sys::read_file(directory + "/" + std::string(file)));
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

Result<std::string> read_short_value(const std::string& directory, std::string_view file) {
  std::string text = TRY(sys::read_start_at(AT_FDCWD, directory + "/" + std::string(file)));
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

Result<void> write_value(const std::string& directory, std::string_view file, std::string_view value) {
  const std::string path = directory + "/" + std::string(file);
  auto fail = [&](Error error) { return std::move(error).during("write \"" + std::string(value) + "\" to"); };
  if (auto written = sys::write_once(path, value); !written) return fail(std::move(written).error());
  return ok();
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  if (text == "max") return std::numeric_limits<std::uint64_t>::max();
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<std::uint64_t> find_number(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    std::string_view line = take_line(text);
    if (take_word(line) == key) return parse_number(take_word(line));
  }
  return std::nullopt;
}

bool is_gone(const Error& error) { return error.is(ENOENT) || error.is(ENODEV) || error.is(ENOTDIR); }

std::string_view take_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

std::string_view take_word(std::string_view& line) {
  const std::size_t begin = std::min(line.find_first_not_of(" \t"), line.size());
  const std::size_t end = std::min(line.find_first_of(" \t", begin), line.size());
  const std::string_view word = line.substr(begin, end - begin);
  line.remove_prefix(end);
  return word;
}

}  // namespace caisson::cgroup

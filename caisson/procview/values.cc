#include "caisson/procview/values.h"

#include <sys/stat.h>

#include <algorithm>
#include <vector>

#include "caisson/sys/file.h"

namespace caisson::procview {

namespace {

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

void skip_spaces(std::string_view& text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
}

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return 99;
}

// A number as strtoul(…, 0) reads it, ended by a space, a NUL or the end.
std::optional<std::int64_t> take_number(std::string_view& text) {
  skip_spaces(text);
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  int base = 10;
  if (text.size() > 2 && text[0] == '0' && (text[1] | 0x20) == 'x' && digit_of(text[2]) < 16) {
    base = 16;
    text.remove_prefix(2);
  } else if (text.size() > 1 && text[0] == '0') {
    base = 8;
  }
  std::int64_t value = 0;
  std::size_t used = 0;
  for (; used < text.size() && digit_of(text[used]) < base; ++used)
    if (__builtin_mul_overflow(value, base, &value) || __builtin_add_overflow(value, digit_of(text[used]), &value))
      return std::nullopt;
  if (used == 0) return std::nullopt;
  text.remove_prefix(used);
  if (!text.empty() && !is_space(text.front()) && text.front() != '\0') return std::nullopt;
  return negative ? -value : value;
}

Error refused() { return Error::os(EINVAL, "write"); }

Result<std::string> accept_numbers(const Rule& rule, std::string_view written, std::string_view present) {
  std::vector<std::int64_t> values;
  while (static_cast<int>(values.size()) < rule.count) {
    std::string_view rest = written;
    skip_spaces(rest);
    if (rest.empty() || rest.front() == '\0') break;
    const std::optional<std::int64_t> value = take_number(written);
    if (!value || *value < rule.min || *value > rule.max) return refused();
    std::int64_t rounded = *value;
    if (rule.round > 1 && __builtin_add_overflow(rounded, rule.round - 1, &rounded)) return refused();
    values.push_back(rounded / rule.round * rule.round);
  }
  if (values.empty()) return refused();
  // Fewer numbers than the file has: the others stay.
  std::vector<std::int64_t> before;
  while (static_cast<int>(before.size()) < rule.count) {
    const std::optional<std::int64_t> value = take_number(present);
    if (!value) break;
    before.push_back(*value);
  }
  for (std::size_t i = values.size(); i < before.size(); ++i) values.push_back(before[i]);
  std::string out;
  for (const std::int64_t value : values) out += (out.empty() ? "" : "\t") + std::to_string(value);
  return out + "\n";
}

}  // namespace

Result<std::string> accept_value(const Rule& rule, std::string_view written, std::string_view present) {
  if (rule.form != Form::text) return accept_numbers(rule, written, present);
  std::string_view line =
      written.substr(0, std::min(written.find_first_of(std::string_view("\n\0", 2)), written.size()));
  line = line.substr(0, static_cast<std::size_t>(rule.max));
  return std::string(line) + "\n";
}

Result<ValueStore> ValueStore::open(const std::string& directory) {
  if (Result<void> made = sys::make_directories(directory, 0700); !made) return std::move(made).error();
  sys::UniqueFd fd = TRY(sys::open_file(directory, O_RDONLY | O_DIRECTORY));
  return ValueStore(std::move(fd));
}

std::optional<std::string> ValueStore::read(const std::string& name) const {
  Result<std::string> text = sys::read_start_at(directory_.get(), name);
  if (!text) return std::nullopt;
  return *std::move(text);
}

Result<void> ValueStore::write(const std::string& name, std::string_view text) const {
  return sys::replace_file_at(directory_.get(), name, text, 0600);
}

void ValueStore::remove(const std::string& name) const { (void)sys::remove_tree_at(directory_.get(), name); }

void ValueStore::remove_leftovers() const {
  const Result<std::vector<sys::DirectoryEntry>> entries = sys::list_directory_at(directory_.get(), ".");
  if (!entries) return;
  for (const sys::DirectoryEntry& entry : *entries)
    if (entry.name.find(".tmp.") != std::string::npos) remove(entry.name);
}

}  // namespace caisson::procview

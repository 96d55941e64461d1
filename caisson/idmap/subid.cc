#include "caisson/idmap/subid.h"

#include <algorithm>
#include <charconv>

namespace caisson::idmap {
namespace {

bool parse(std::string_view text, std::uint32_t& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::vector<SubidEntry> parse_subid(std::string_view text) {
  std::vector<SubidEntry> out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::size_t one = line.find(':');
    const std::size_t two = one == line.npos ? line.npos : line.find(':', one + 1);
    if (one == 0 || two == line.npos || line.starts_with('#')) continue;
    SubidEntry entry;
    entry.owner = line.substr(0, one);
    if (!parse(line.substr(one + 1, two - one - 1), entry.first) || !parse(line.substr(two + 1), entry.count)) continue;
    if (entry.count == 0 || std::uint64_t{entry.first} + entry.count > 0xffffffffULL) continue;
    out.push_back(std::move(entry));
  }
  return out;
}

}  // namespace caisson::idmap

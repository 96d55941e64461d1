#include "caisson/sys/user_namespace.h"

#include <fcntl.h>

#include <algorithm>
#include <charconv>
#include <limits>

#include "caisson/sys/file.h"

namespace caisson::sys {

std::vector<IdExtent> parse_id_map(std::string_view text) {
  std::vector<IdExtent> out;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    std::uint32_t numbers[3] = {};
    for (std::uint32_t& number : numbers) {
      line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
      const auto parsed = std::from_chars(line.data(), line.data() + line.size(), number);
      line.remove_prefix(static_cast<std::size_t>(parsed.ptr - line.data()));
    }
    if (numbers[2] != 0) out.push_back({.inside = numbers[0], .outside = numbers[1], .count = numbers[2]});
  }
  return out;
}

Result<std::vector<IdExtent>> read_id_map(const std::string& path) {
  const std::string text = TRY(read_start_at(AT_FDCWD, path));
  return parse_id_map(text);
}

Result<bool> in_user_namespace() {
  const std::vector<IdExtent> map = TRY(read_id_map("/proc/self/uid_map"));
  constexpr std::uint32_t all = std::numeric_limits<std::uint32_t>::max();
  return map.size() != 1 || map[0].inside != 0 || map[0].outside != 0 || map[0].count != all;
}

}  // namespace caisson::sys

#include "caisson/runtime/passwd.h"

#include <algorithm>
#include <array>
#include <string>

namespace caisson::runtime {
namespace {

constexpr std::size_t name_field = 0, uid_field = 2, home_field = 5;

std::string_view take_until(std::string_view& rest, char end) {
  const std::string_view part = rest.substr(0, rest.find(end));
  rest.remove_prefix(std::min(part.size() + 1, rest.size()));
  return part;
}

}  // namespace

std::optional<PasswdEntry> find_user(std::string_view passwd, std::uint32_t uid) {
  const std::string wanted = std::to_string(uid);
  while (!passwd.empty()) {
    std::string_view line = take_until(passwd, '\n');
    if (std::ranges::count(line, ':') < static_cast<std::ptrdiff_t>(home_field)) continue;
    std::array<std::string_view, home_field + 1> fields;
    for (std::string_view& field : fields) field = take_until(line, ':');
    if (fields[uid_field] == wanted) return PasswdEntry{fields[name_field], fields[home_field]};
  }
  return std::nullopt;
}

}  // namespace caisson::runtime

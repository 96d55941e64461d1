#include "caisson/oci/number_list.h"

#include <charconv>
#include <climits>
#include <optional>
#include <string>

namespace caisson::oci {
namespace {

constexpr unsigned kHighest = 65535;
constexpr unsigned kWordBits = CHAR_BIT * sizeof(unsigned long);

std::string_view trim(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

std::optional<unsigned> number(std::string_view text) {
  text = trim(text);
  unsigned value = 0;
  auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || problem != std::errc() || end != text.data() + text.size() || value > kHighest) {
    return std::nullopt;
  }
  return value;
}

}  // namespace

Result<std::vector<unsigned long>> parse_number_list(std::string_view list) {
  std::vector<unsigned long> mask;
  std::string_view rest = trim(list);
  while (!rest.empty()) {
    std::size_t comma = rest.find(',');
    std::string_view range = rest.substr(0, comma);
    rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    std::size_t dash = range.find('-');
    std::optional<unsigned> first = number(range.substr(0, dash));
    std::optional<unsigned> last = dash == std::string_view::npos ? first : number(range.substr(dash + 1));
    bool trailing_comma = comma != std::string_view::npos && rest.empty();
    if (!first || !last || *first > *last || trailing_comma) {
      return Error::of(Kind::invalid, "\"" + std::string(list) + "\" is not a list of numbers");
    }
    if (mask.size() <= *last / kWordBits) mask.resize(*last / kWordBits + 1);
    for (unsigned n = *first; n <= *last; ++n) mask[n / kWordBits] |= 1UL << (n % kWordBits);
  }
  return mask;
}

}  // namespace caisson::oci

#include "caisson/tree/facts.h"

#include <charconv>

namespace caisson::tree {
namespace {

template <class Each>
void each_piece(std::string_view text, char between, Each each) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(between), text.size());
    each(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

template <class Number>
std::vector<Number> numbers(std::string_view text) {
  std::vector<Number> out;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    if (*at == ' ' || *at == '\t') {
      ++at;
      continue;
    }
    Number number = 0;
    const auto [next, error] = std::from_chars(at, end, number);
    if (error != std::errc()) break;
    out.push_back(number);
    at = next;
  }
  return out;
}

}  // namespace

bool parse_status(std::string_view text, Process& out) {
  bool has_uid = false;
  each_piece(text, '\n', [&](std::string_view line) {
    const std::size_t colon = line.find(":\t");
    if (colon == line.npos) return;
    const std::string_view key = line.substr(0, colon);
    const std::string_view value = line.substr(colon + 2);
    if (key == "Name") {
      out.name = value;
    } else if (key == "NSpid") {
      out.pids = numbers<pid_t>(value);
    } else if (key == "PPid") {
      const auto parent = numbers<pid_t>(value);
      if (!parent.empty()) out.parent = parent[0];
    } else if (key == "Uid") {
      const auto ids = numbers<uid_t>(value);  // real, effective, saved, file system
      has_uid = ids.size() == 4;
      if (has_uid) out.uid = ids[1];
    }
  });
  return has_uid && !out.pids.empty();
}

std::vector<Extent> parse_id_map(std::string_view text) {
  std::vector<Extent> out;
  each_piece(text, '\n', [&](std::string_view line) {
    const auto row = numbers<std::uint32_t>(line);
    if (row.size() == 3) out.push_back({.inside = row[0], .ours = row[1], .size = row[2]});
  });
  return out;
}

std::string parse_cgroup(std::string_view text) {
  std::string_view best;
  each_piece(text, '\n', [&](std::string_view line) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == line.npos ? first : line.find(':', first + 1);
    if (second == line.npos) return;
    if (const std::string_view path = line.substr(second + 1); path.size() > best.size()) best = path;
  });
  return std::string(best);
}

std::vector<std::string> parse_command(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty() && text.back() == '\0') text.remove_suffix(1);
  each_piece(text, '\0', [&](std::string_view word) { out.emplace_back(word); });
  return out;
}

}  // namespace caisson::tree

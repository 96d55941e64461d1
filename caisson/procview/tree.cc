#include "caisson/procview/tree.h"

#include <algorithm>

namespace caisson::procview {

std::uint32_t hash_of(std::string_view pattern) {
  std::uint32_t hash = 2166136261u;  // FNV-1a
  for (const char c : pattern) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  return hash;
}

NameMatch match_name(std::string_view pattern, std::string_view name) {
  const std::size_t mark = pattern.find('#');
  if (mark == std::string_view::npos) return {pattern == name, std::nullopt};
  const std::string_view before = pattern.substr(0, mark);
  const std::string_view after = pattern.substr(mark + 1);
  if (name.size() <= before.size() + after.size() || !name.starts_with(before) || !name.ends_with(after)) return {};
  const std::string_view digits = name.substr(before.size(), name.size() - before.size() - after.size());
  if (digits.size() > 5 || (digits.size() > 1 && digits[0] == '0')) return {};
  unsigned value = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return {};
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  if (value > 0xffff) return {};
  return {true, static_cast<std::uint16_t>(value)};
}

Tree::Tree() {
  const auto add = [this](std::string_view pattern, const Row* row) {
    const auto marks = static_cast<std::uint8_t>(std::count(pattern.begin(), pattern.end(), '#'));
    entries_.push_back({pattern, row, hash_of(pattern), marks});
  };
  entries_.reserve(table().size() * 3 / 2);
  add("", nullptr);
  for (const Row& row : table()) {
    for (std::size_t slash = row.path.find('/'); slash != std::string_view::npos; slash = row.path.find('/', slash + 1))
      if (find_pattern(row.path.substr(0, slash)) == nullptr) add(row.path.substr(0, slash), nullptr);
    add(row.path, &row);
  }
}

const Entry* Tree::find_pattern(std::string_view pattern) const {
  for (const Entry& entry : entries_)
    if (entry.pattern == pattern) return &entry;
  return nullptr;
}

std::uint64_t Tree::id_of(const Node& node) {
  if (node.entry->pattern.empty()) return 1;
  return static_cast<std::uint64_t>(node.entry->hash) << 32 | static_cast<std::uint64_t>(node.numbers[0]) << 16 |
         node.numbers[1];
}

std::optional<Node> Tree::find(std::uint64_t id) const {
  if (id == 1) return Node{&entries_[0], {}};
  const auto hash = static_cast<std::uint32_t>(id >> 32);
  const Node node{nullptr, {static_cast<std::uint16_t>(id >> 16), static_cast<std::uint16_t>(id)}};
  for (const Entry& entry : entries_) {
    if (entry.hash != hash || entry.pattern.empty()) continue;
    if ((entry.numbers < 1 && node.numbers[0] != 0) || (entry.numbers < 2 && node.numbers[1] != 0)) return std::nullopt;
    return Node{&entry, node.numbers};
  }
  return std::nullopt;
}

std::optional<Node> Tree::look_up(const Node& directory, std::string_view name) const {
  for (const Entry* entry : children(directory)) {
    const NameMatch match = match_name(entry->name(), name);
    if (!match.matches) continue;
    Node node{entry, directory.numbers};
    if (match.number) node.numbers[directory.entry->numbers] = *match.number;
    return node;
  }
  return std::nullopt;
}

std::optional<Node> Tree::find_path(std::string_view path) const {
  Node node{&entries_[0], {}};
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    const std::optional<Node> next = look_up(node, path.substr(0, slash));
    if (!next) return std::nullopt;
    node = *next;
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return node;
}

std::vector<const Entry*> Tree::children(const Node& directory) const {
  std::vector<const Entry*> out;
  if (!directory.entry->is_directory()) return out;
  for (const Entry& entry : entries_)
    if (!entry.pattern.empty() && entry.parent() == directory.entry->pattern) out.push_back(&entry);
  return out;
}

std::string Tree::path_of(const Node& node) {
  std::string out;
  std::size_t next = 0;
  for (const char c : node.entry->pattern) {
    if (c == '#')
      out += std::to_string(node.numbers[next++ & 1]);
    else
      out += c;
  }
  return out;
}

}  // namespace caisson::procview

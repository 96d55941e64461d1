// Tree: the table's paths as directories, and node ids that any server, also a newer one, computes alike.
// Layer: procview. Pure. Used by server.cc.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "caisson/procview/table.h"

namespace caisson::procview {

// A node: an entry of the tree, and the numbers its path has in place of '#'.
struct Node {
  const struct Entry* entry = nullptr;
  std::array<std::uint16_t, 2> numbers{};
};

// A row of the table, or a directory that a row's path needs.
struct Entry {
  std::string_view pattern;  // "proc/sys/vm"; "" is the root
  const Row* row = nullptr;  // nullptr: a directory that has no row
  std::uint32_t hash = 0;    // of the pattern
  std::uint8_t numbers = 0;  // how many '#' it has

  bool is_directory() const { return row == nullptr || row->content == Content::directory; }
  std::string_view name() const { return pattern.substr(pattern.rfind('/') + 1); }
  std::string_view parent() const {
    const std::size_t slash = pattern.rfind('/');
    return slash == std::string_view::npos ? std::string_view() : pattern.substr(0, slash);
  }
};

class Tree {
 public:
  Tree();

  // 1 is the root; else the pattern's hash in the upper half and both numbers in the lower: a successor of another
  // version, with another table, gives the same nodes the same ids, and knows which it does not have.
  static std::uint64_t id_of(const Node& node);
  std::optional<Node> find(std::uint64_t id) const;
  std::optional<Node> find_path(std::string_view path) const;

  // The entry of that name in a directory, whether or not the host has it.
  std::optional<Node> look_up(const Node& directory, std::string_view name) const;

  // Entries whose parent it is, '#' unresolved, in the table's order.
  std::vector<const Entry*> children(const Node& directory) const;

  static std::string path_of(const Node& node);  // "sys/devices/system/cpu/cpu3/online"
  static std::string host_path_of(const Node& node) { return "/" + path_of(node); }

 private:
  const Entry* find_pattern(std::string_view pattern) const;
  std::vector<Entry> entries_;  // [0] is the root
};

// Whether `name` is `pattern` with a number in place of its '#', if it has one: without a sign or leading zeros.
struct NameMatch {
  bool matches = false;
  std::optional<std::uint16_t> number;
};
NameMatch match_name(std::string_view pattern, std::string_view name);

std::uint32_t hash_of(std::string_view pattern);

}  // namespace caisson::procview

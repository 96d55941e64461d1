// Names: a value for each of a few names, found by one comparison. Built by the compiler.
// Layer: procview. Pure. Used by its parsers and renderers, which look up hundreds of names for one answer.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace caisson::procview {

template <class Value>
struct Named {
  std::string_view name;
  Value value;
};

template <class Value, std::size_t count>
class Names {
 public:
  constexpr explicit Names(const Named<Value> (&all)[count]) {
    for (std::size_t i = 0; i < count; ++i) {
      all_[i] = all[i];
      std::size_t at = place(all[i].name);
      while (first_[at] != 0) at = (at + 1) % slots;
      first_[at] = static_cast<std::uint8_t>(i + 1);
    }
  }

  const Value* find(std::string_view name) const {
    if (name.size() < 2) return nullptr;
    for (std::size_t at = place(name); first_[at] != 0; at = (at + 1) % slots) {
      const Named<Value>& one = all_[first_[at] - 1u];
      if (one.name == name) return &one.value;
    }
    return nullptr;
  }

 private:
  static constexpr std::size_t slots = 256;
  static_assert(count < slots / 2);

  static constexpr std::size_t place(std::string_view name) {
    const auto at = [&](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(name[i])); };
    return (name.size() * 37 + at(0) * 3 + at(name.size() / 2) * 17 + at(name.size() - 2) * 7) % slots;
  }

  std::array<Named<Value>, count> all_{};
  std::array<std::uint8_t, slots> first_{};  // index + 1; 0: nobody
};

}  // namespace caisson::procview

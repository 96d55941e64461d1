// Ids of the two worlds, as types that do not convert into each other: a guest's root is not the host's.
// Layer: idmap. Used by whoever names an owner; only map.h turns one into the other.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace caisson::idmap {

enum class HostUid : std::uint32_t {};
enum class HostGid : std::uint32_t {};
enum class GuestUid : std::uint32_t {};  // as seen inside the user namespace
enum class GuestGid : std::uint32_t {};

constexpr std::uint32_t number(HostUid id) { return static_cast<std::uint32_t>(id); }
constexpr std::uint32_t number(HostGid id) { return static_cast<std::uint32_t>(id); }
constexpr std::uint32_t number(GuestUid id) { return static_cast<std::uint32_t>(id); }
constexpr std::uint32_t number(GuestGid id) { return static_cast<std::uint32_t>(id); }

}  // namespace caisson::idmap

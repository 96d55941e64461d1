// What the runtime tells about a container: the `state` command's output, and what hooks read on stdin.
// Layer: oci (pure). Used by runtime (state, list, hooks) and nest.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "caisson/base/result.h"

namespace caisson::oci {

inline constexpr std::string_view kVersion = "1.3.0";  // the runtime-spec this library implements

struct State {
  std::string version{kVersion};
  std::string id{};
  int pid = 0;           // 0 when stopped
  std::string status{};  // creating, created, running, paused, stopped
  std::string bundle{};
  std::map<std::string, std::string> annotations{};
  // The state command adds these; hooks leave them out.
  std::optional<std::string> rootfs{};
  std::optional<std::string> created{};  // RFC 3339 with nanoseconds, UTC
  std::optional<std::string> owner{};    // a user's name; runc prints "" for its own
  bool operator==(const State&) const = default;
};

enum class Layout : unsigned char { line, indented };  // for hooks; for the `state` command

// No newline at the end.
std::string print_state(const State& state, Layout layout);

// For `list -f json`: one line, "null" when there are none, as runc prints a nil slice.
std::string print_states(const std::vector<State>& states);

Result<State> parse_state(std::string_view text);

}  // namespace caisson::oci

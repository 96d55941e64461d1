// Reading and writing one small cgroup file, with errors that name the file and the value.
// Layer: cgroup, internal. Used by every file here that touches cgroupfs.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "caisson/base/result.h"

namespace caisson::cgroup {

// The text without its last newline.
Result<std::string> read_value(const std::string& directory, std::string_view file);

// The same with one read(2): for a file of one short value.
Result<std::string> read_short_value(const std::string& directory, std::string_view file);

// write(2) of the whole value, once.
//   errors  os: `write "100" to /sys/fs/cgroup/pids/ID/pids.max: write: invalid argument`
Result<void> write_value(const std::string& directory, std::string_view file, std::string_view value);

// A decimal number; "max" is the greatest. Nothing when it is neither.
std::optional<std::uint64_t> parse_number(std::string_view text);

// The number after `key` in a flat keyed file: "frozen 1\npopulated 0\n".
std::optional<std::uint64_t> find_number(std::string_view text, std::string_view key);

// The directory is not there any more: never made, or removed under our hands (ENODEV from an open file of it).
bool is_gone(const Error& error);

// Removes and returns the first line of `text`, without its newline.
std::string_view take_line(std::string_view& text);
// Removes and returns the first word of `line`.
std::string_view take_word(std::string_view& line);

}  // namespace caisson::cgroup

// Says what went wrong, once, where the engine that called looks for it.
// Layer: nest. Used by main.cc. The same form as the runtime's, which engines parse.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "caisson/base/result.h"
#include "caisson/nest/command_line.h"

namespace caisson::nest {

enum class Level : unsigned char { error, warning };

// One line, without the newline; `time` is RFC 3339.
std::string log_line(bool json, Level level, std::string_view message, std::string_view time);

// Errors go to --log and to stderr; warnings only to --log, and only with --debug (podman reads the log as one object).
void report(const CommandLine& line, Level level, const std::string& message);

}  // namespace caisson::nest

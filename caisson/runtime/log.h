// The runtime's log: what went wrong, once, where people (stderr) and engines (--log) look for it.
// Layer: runtime. Used by main and, through the Context, by every command.
// SPDX-License-Identifier: Apache-2.0
//
// Engines read the --log file in different ways (containerd: the last line of level error; podman: the whole file as
// one JSON object), so that a failure is exactly one line and success is none. Everything else needs --debug.
#pragma once

#include <string>
#include <string_view>

#include "caisson/base/result.h"
#include "caisson/sys/unique_fd.h"

namespace caisson::runtime {

class Log {
 public:
  enum class Format : unsigned char { text, json };
  enum class Debug : bool { no, yes };

  Log() = default;  // stderr only, no debug lines

  // `path` empty: no file. The file is appended to.
  //   errors  os: it cannot be opened
  static Result<Log> open(const std::string& path, Format format, Debug debug);

  void error(std::string_view message) const;    // once, by main
  void warning(std::string_view message) const;  // as these two, only with --debug
  void debug(std::string_view message) const;

 private:
  void write_line(std::string_view level, std::string_view message) const;
  sys::UniqueFd file_;
  Format format_ = Format::text;
  Debug debug_ = Debug::no;
};

// One line with its '\n'. `time` is RFC 3339.
std::string log_line(Log::Format format, std::string_view level, std::string_view message, std::string_view time);

}  // namespace caisson::runtime

// The command line as urfave/cli reads it (runc's parser), driven by one table that is the help text too.
// Layer: runtime (pure). Used by runtime/main.cc and by caisson's own commands; commands read their Arguments.
// SPDX-License-Identifier: Apache-2.0
//
// Rules: global flags, then the command, then its flags and arguments. `--flag value`, `--flag=value`, one dash or
// two. `--` ends the flags. A switch takes a value only after `=`: true or false. Flags may also follow a command's
// arguments, as urfave/cli sorts them first, except where the rest of the line belongs to somebody else (exec, ps).
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "caisson/base/result.h"

namespace caisson::runtime {

enum class Takes : unsigned char { nothing, text, texts, number, duration };  // texts: may be repeated

struct Flag {
  std::string_view name;   // without dashes
  std::string_view alias;  // one letter, or empty
  Takes takes;
  std::string_view fallback;  // the value when it is not given
  std::string_view help;
};

enum class After : unsigned char {
  flags,      // flags may follow the arguments
  arguments,  // everything after the first (or second) argument is somebody else's
};

struct Command {
  std::string_view name;
  std::string_view alias;
  std::string_view summary;
  std::string_view usage;  // "[command options] <container-id>"
  std::string_view description;
  std::span<const Flag> flags;
  std::size_t least = 1;  // number of arguments
  std::size_t most = 1;
  After after = After::flags;
};

// What was given, by the flags' full names.
class Arguments {
 public:
  bool given(std::string_view name) const { return values_.contains(name); }
  bool on(std::string_view name) const;
  std::string text(std::string_view name) const;  // the last one given, or the table's
  std::vector<std::string> texts(std::string_view name) const;
  std::int64_t number(std::string_view name) const;
  std::chrono::nanoseconds duration(std::string_view name) const;

  const std::vector<std::string>& rest() const { return rest_; }  // the arguments; [0] is the container's ID
  const std::string& id() const { return rest_.front(); }         // only where the table says least >= 1

 private:
  friend class LineReader;
  std::span<const Flag> flags_;
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
  std::vector<std::string> rest_;
};

// Reads flags up to the first word that is none (Global) or a command's whole line. What was read before an
// error stays in `out`, so that an unknown flag is still reported to the --log given before it.
//   errors  invalid: "flag provided but not defined: -x", "flag needs an argument: -x",
//           `invalid value "a" for flag -x: parse error`, `caisson-runtime: "kill" requires a minimum of 1 argument(s)`
Result<void> parse_global(std::span<const Flag> flags, std::span<const std::string> line, Arguments& out);
Result<void> parse_command(const Command& command, std::span<const std::string> line, Arguments& out,
                           std::string_view name = "caisson-runtime");

const Command* find_command(std::span<const Command> commands, std::string_view name);

std::string global_help(std::span<const Flag> flags, std::span<const Command> commands);
std::string command_help(const Command& command, std::string_view name = "caisson-runtime");

// "300ms", "1.5h", "1m30s": Go's time.ParseDuration.
std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text);

// "64M", "1.5g", "512 KiB", "1048576b": bytes in powers of 1024, as docker/go-units RAMInBytes. "-1": no limit.
std::optional<std::int64_t> parse_bytes(std::string_view text);

}  // namespace caisson::runtime

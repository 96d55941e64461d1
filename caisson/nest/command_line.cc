#include "caisson/nest/command_line.h"

#include <algorithm>
#include <optional>

namespace caisson::nest {
namespace {

// Flags that take a value; any other flag is a switch. `for_command` empty: before the command.
struct ValueFlag {
  std::string_view for_command;
  std::string_view name;
  std::string_view alias;
};
constexpr ValueFlag value_flags[] = {
    {"", "root", ""},
    {"", "log", ""},
    {"", "log-format", ""},
    {"", "log-level", ""},
    {"", "criu", ""},
    {"", "rootless", ""},
    {"", "cgroup-manager", ""},
    {"", "grants", ""},
    {"", "profile", ""},
    {"create", "grants", ""},
    {"create", "profile", ""},
    {"run", "grants", ""},
    {"run", "profile", ""},
    {"create", "bundle", "b"},
    {"create", "config", "f"},
    {"create", "console-socket", ""},
    {"create", "pidfd-socket", ""},
    {"create", "pid-file", ""},
    {"create", "preserve-fds", ""},
    {"run", "bundle", "b"},
    {"run", "config", "f"},
    {"run", "console-socket", ""},
    {"run", "pidfd-socket", ""},
    {"run", "pid-file", ""},
    {"run", "preserve-fds", ""},
    {"exec", "console-socket", ""},
    {"exec", "pidfd-socket", ""},
    {"exec", "cwd", ""},
    {"exec", "env", "e"},
    {"exec", "user", "u"},
    {"exec", "additional-gids", "g"},
    {"exec", "process", "p"},
    {"exec", "pid-file", ""},
    {"exec", "process-label", ""},
    {"exec", "apparmor", ""},
    {"exec", "cap", "c"},
    {"exec", "preserve-fds", ""},
    {"exec", "cgroup", ""},
};

struct Flag {
  std::string_view name;
  std::optional<std::string_view> value;  // after '='
  bool takes_value = false;
};

std::optional<Flag> read_flag(std::string_view command, std::string_view word) {
  if (word.size() < 2 || word[0] != '-' || word == "--") return std::nullopt;
  word.remove_prefix(word[1] == '-' ? 2 : 1);
  Flag flag;
  const std::size_t equals = word.find('=');
  flag.name = word.substr(0, equals);
  if (equals != std::string_view::npos) flag.value = word.substr(equals + 1);
  for (const ValueFlag& known : value_flags) {
    if (known.for_command != command || (flag.name != known.name && flag.name != known.alias)) continue;
    flag.name = known.name;
    flag.takes_value = true;
  }
  return flag;
}

void store(CommandLine& line, const Flag& flag, std::string_view value) {
  const bool is_global = line.command.empty();
  if (is_global && flag.name == "root") line.root = value;
  if (is_global && flag.name == "log") line.log = value;
  if (is_global && flag.name == "log-format") line.log_format = value;
  if (!is_global && flag.name == "bundle") line.bundle = value;
  if (!is_global && flag.name == "process") line.process = value;
}

// The runtime knows nothing of them.
std::optional<std::string>* own_flag(CommandLine& line, const Flag& flag) {
  if (!flag.takes_value) return nullptr;
  if (flag.name == "grants") return &line.terms.grants;
  return flag.name == "profile" ? &line.terms.profile : nullptr;
}

// Takes one flag, and its value if that is a word of its own, out of `words`; false: it has no value.
bool take_own(std::optional<std::string>& value, const Flag& flag, std::vector<std::string>& words, std::size_t at) {
  const std::size_t count = flag.value ? 1 : 2;
  if (at + count > words.size()) return false;
  value = flag.value ? std::string(*flag.value) : words[at + 1];
  const auto first = words.begin() + static_cast<std::ptrdiff_t>(at);
  words.erase(first, first + static_cast<std::ptrdiff_t>(count));
  return true;
}

// Reads flags until the first word that is none, and returns where that is. Nest's own are taken out.
std::size_t read_flags(CommandLine& line, std::vector<std::string>& words, std::size_t at) {
  while (at < words.size()) {
    const std::optional<Flag> flag = read_flag(line.command, words[at]);
    if (!flag) return words[at] == "--" ? at + 1 : at;
    if (auto* own = own_flag(line, *flag); own != nullptr && take_own(*own, *flag, words, at)) continue;
    if (line.command.empty() && flag->name == "debug" && flag->value.value_or("true") != "false") line.debug = true;
    if (flag->takes_value && flag->value) {
      store(line, *flag, *flag->value);
    } else if (flag->takes_value && at + 1 < words.size()) {
      store(line, *flag, words[++at]);
    }
    ++at;
  }
  return at;
}

}  // namespace

CommandLine read_command_line(std::span<const std::string> given) {
  CommandLine line;
  std::vector<std::string> words(given.begin(), given.end());
  std::size_t at = read_flags(line, words, 0);
  line.global.assign(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(at));
  if (at >= words.size()) return line;
  line.command = words[at++];
  line.rest.assign(words.begin() + static_cast<std::ptrdiff_t>(at), words.end());
  at = read_flags(line, line.rest, 0);
  if (at >= line.rest.size()) return line;
  line.id = line.rest[at++];
  // The words after exec's ID are a program's; elsewhere flags may follow.
  if (line.command != "exec") read_flags(line, line.rest, at);
  return line;
}

std::vector<std::string> with_flag(const CommandLine& line, std::string_view name, std::string_view value) {
  std::vector<std::string> out = {"--" + std::string(name), std::string(value)};
  bool past_id = false;
  for (std::size_t at = 0; at < line.rest.size(); ++at) {
    const std::optional<Flag> flag =
        past_id && line.command == "exec" ? std::nullopt : read_flag(line.command, line.rest[at]);
    if (!flag) {
      past_id = past_id || line.rest[at] == line.id;
      out.push_back(line.rest[at]);
      continue;
    }
    const bool has_next = flag->takes_value && !flag->value && at + 1 < line.rest.size();
    if (flag->name != name || !flag->takes_value) {
      out.push_back(line.rest[at]);
      if (has_next) out.push_back(line.rest[at + 1]);
    }
    if (has_next) ++at;
  }
  return out;
}

std::string default_root(bool privileged, std::string_view xdg_runtime_dir) {
  if (privileged || xdg_runtime_dir.empty()) return "/run/caisson/runtime";
  return std::string(xdg_runtime_dir) + "/caisson/runtime";
}

}  // namespace caisson::nest

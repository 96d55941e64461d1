#include "caisson/runtime/flags.h"

#include <algorithm>
#include <charconv>

namespace caisson::runtime {
namespace {

constexpr std::string_view program = "caisson-runtime";

const Flag* find_flag(std::span<const Flag> flags, std::string_view name) {
  const auto found = std::find_if(flags.begin(), flags.end(), [&](const Flag& flag) {
    return flag.name == name || (!flag.alias.empty() && flag.alias == name);
  });
  return found == flags.end() ? nullptr : &*found;
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t out = 0;
  if (text.starts_with('+')) text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return out;
}

// A decimal number with an optional fraction at the start of `text`, which loses it.
std::optional<double> take_decimal(std::string_view& text) {
  double out = 0;
  double scale = 0;  // of the next digit; 0 before the point
  std::size_t digits = 0;
  for (; !text.empty(); text.remove_prefix(1)) {
    if (text[0] == '.' && scale == 0) {
      scale = 0.1;
    } else if (text[0] < '0' || text[0] > '9') {
      break;
    } else {
      const double digit = text[0] - '0';
      out = scale == 0 ? out * 10 + digit : out + digit * scale;
      scale /= 10;
      ++digits;
    }
  }
  if (digits == 0) return std::nullopt;
  return out;
}

Error invalid(const std::string& text) { return Error::of(Kind::invalid, text); }

bool is_valid(const Flag& flag, const std::string& value) {
  if (flag.takes == Takes::number) return parse_integer(value).has_value();
  if (flag.takes == Takes::duration) return parse_duration(value).has_value();
  return true;
}

}  // namespace

bool Arguments::on(std::string_view name) const {
  const auto found = values_.find(name);
  return found != values_.end() && found->second.back() == "true";
}

std::string Arguments::text(std::string_view name) const {
  if (const auto found = values_.find(name); found != values_.end()) return found->second.back();
  const Flag* flag = find_flag(flags_, name);
  return flag != nullptr ? std::string(flag->fallback) : std::string();
}

std::vector<std::string> Arguments::texts(std::string_view name) const {
  const auto found = values_.find(name);
  return found != values_.end() ? found->second : std::vector<std::string>();
}

std::int64_t Arguments::number(std::string_view name) const { return parse_integer(text(name)).value_or(0); }

std::chrono::nanoseconds Arguments::duration(std::string_view name) const {
  return parse_duration(text(name)).value_or(std::chrono::nanoseconds(0));
}

class LineReader {
 public:
  LineReader(std::span<const Flag> flags, Arguments& out) : flags_(flags), out_(out) { out_.flags_ = flags; }

  // Source: Go's flag.FlagSet.parseOne.
  Result<void> read(std::span<const std::string> line, After after) {
    std::size_t at = 0;
    while (at < line.size()) {
      const std::string& word = line[at];
      const bool is_flag = word.size() > 1 && word[0] == '-';
      if (word == "--") {
        ++at;
        break;
      }
      if (!is_flag) {
        if (after != After::flags) break;
        out_.rest_.push_back(word);
        ++at;
        continue;
      }
      TRY(read_flag(line, at));
    }
    out_.rest_.insert(out_.rest_.end(), line.begin() + static_cast<std::ptrdiff_t>(at), line.end());
    return ok();
  }

 private:
  Result<void> read_flag(std::span<const std::string> line, std::size_t& at) {
    std::string_view name = line[at];
    name.remove_prefix(name.starts_with("--") ? 2 : 1);
    if (name.empty() || name[0] == '-' || name[0] == '=') return invalid("bad flag syntax: " + line[at]);
    ++at;
    std::optional<std::string> value;
    if (const std::size_t equals = name.find('='); equals != name.npos) {
      value = std::string(name.substr(equals + 1));
      name = name.substr(0, equals);
    }
    const std::string dashed = "-" + std::string(name);
    if (name == "help" || name == "h") {
      out_.values_["help"].emplace_back("true");
      return ok();
    }
    const Flag* flag = find_flag(flags_, name);
    if (flag == nullptr) return invalid("flag provided but not defined: " + dashed);
    if (flag->takes == Takes::nothing) {
      if (!value) value = "true";
      if (*value != "true" && *value != "false")
        return invalid("invalid boolean value \"" + *value + "\" for " + dashed + ": parse error");
    } else if (!value) {
      if (at == line.size()) return invalid("flag needs an argument: " + dashed);
      value = line[at++];
    }
    if (!is_valid(*flag, *value))
      return invalid("invalid value \"" + *value + "\" for flag " + dashed + ": parse error");
    out_.values_[std::string(flag->name)].push_back(std::move(*value));
    return ok();
  }

  std::span<const Flag> flags_;
  Arguments& out_;
};

Result<void> parse_global(std::span<const Flag> flags, std::span<const std::string> line, Arguments& out) {
  return LineReader(flags, out).read(line, After::arguments);
}

Result<void> parse_command(const Command& command, std::span<const std::string> line, Arguments& out,
                           std::string_view name) {
  TRY(LineReader(command.flags, out).read(line, command.after));
  if (out.on("help")) return ok();
  const std::size_t count = out.rest().size();
  const std::string who = std::string(name) + ": \"" + std::string(command.name) + "\" requires ";
  if (command.least == command.most && count != command.least)
    return invalid(who + "exactly " + std::to_string(command.least) + " argument(s)");
  if (count < command.least) return invalid(who + "a minimum of " + std::to_string(command.least) + " argument(s)");
  if (count > command.most) return invalid(who + "a maximum of " + std::to_string(command.most) + " argument(s)");
  return ok();
}

const Command* find_command(std::span<const Command> commands, std::string_view name) {
  const auto found = std::find_if(commands.begin(), commands.end(), [&](const Command& command) {
    return command.name == name || (!command.alias.empty() && command.alias == name);
  });
  return found == commands.end() ? nullptr : &*found;
}

namespace {

// Two columns, the second aligned.
std::string columns(const std::vector<std::pair<std::string, std::string>>& rows) {
  std::size_t width = 0;
  for (const auto& [left, right] : rows) width = std::max(width, left.size());
  std::string out;
  for (const auto& [left, right] : rows) {
    out += "   " + left;
    out.append(width - left.size() + 2, ' ');
    out += right + "\n";
  }
  return out;
}

std::string flag_rows(std::span<const Flag> flags) {
  std::vector<std::pair<std::string, std::string>> rows;
  for (const Flag& flag : flags) {
    const std::string value = flag.takes == Takes::nothing ? "" : " value";
    std::string left = "--" + std::string(flag.name) + value;
    if (!flag.alias.empty()) left += ", -" + std::string(flag.alias) + value;
    std::string right(flag.help);
    if (!flag.fallback.empty()) right += " (default: " + std::string(flag.fallback) + ")";
    rows.emplace_back(std::move(left), std::move(right));
  }
  rows.emplace_back("--help, -h", "show help");
  return columns(rows);
}

}  // namespace

std::string global_help(std::span<const Flag> flags, std::span<const Command> commands) {
  std::string out = "NAME:\n   " + std::string(program) +
                    " - a strict Open Container Initiative runtime\n\n"
                    "A container is configured by a bundle: a directory with a file named \"config.json\" and a root\n"
                    "file system. To start a new container:\n\n    # " +
                    std::string(program) + " run [ -b bundle ] <container-id>\n\nUSAGE:\n   " + std::string(program) +
                    " [global options] command [command options] [arguments...]\n\nCOMMANDS:\n";
  std::vector<std::pair<std::string, std::string>> rows;
  for (const Command& command : commands) {
    std::string names(command.name);
    if (!command.alias.empty()) names += ", " + std::string(command.alias);
    rows.emplace_back(std::move(names), command.summary);
  }
  return out + columns(rows) + "\nGLOBAL OPTIONS:\n" + flag_rows(flags);
}

std::string command_help(const Command& command, std::string_view name) {
  std::string out = "NAME:\n   " + std::string(name) + " " + std::string(command.name) + " - " +
                    std::string(command.summary) + "\n\nUSAGE:\n   " + std::string(name) + " " +
                    std::string(command.name) + " " + std::string(command.usage) + "\n";
  if (!command.description.empty()) out += "\nDESCRIPTION:\n   " + std::string(command.description) + "\n";
  return out + "\nOPTIONS:\n" + flag_rows(command.flags);
}

std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  struct Unit {
    std::string_view name;
    double nanoseconds;
  };
  constexpr Unit units[] = {{"ns", 1},   {"us", 1e3}, {"\xc2\xb5s", 1e3}, {"\xce\xbcs", 1e3},
                            {"ms", 1e6}, {"s", 1e9},  {"m", 60e9},        {"h", 3600e9}};
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text == "0") return std::chrono::nanoseconds(0);
  if (text.empty()) return std::nullopt;
  double total = 0;
  while (!text.empty()) {
    const auto value = take_decimal(text);
    if (!value) return std::nullopt;
    const std::string_view name = text.substr(0, text.find_first_of("0123456789."));
    const Unit* unit = std::find_if(std::begin(units), std::end(units), [&](const Unit& u) { return u.name == name; });
    if (unit == std::end(units)) return std::nullopt;
    total += *value * unit->nanoseconds;
    text.remove_prefix(name.size());
  }
  if (total >= 9.2e18) return std::nullopt;
  return std::chrono::nanoseconds(static_cast<std::int64_t>(negative ? -total - 0.5 : total + 0.5));
}

std::optional<std::int64_t> parse_bytes(std::string_view text) {
  if (const auto whole = parse_integer(text)) return *whole >= -1 ? whole : std::nullopt;
  const auto value = take_decimal(text);
  if (!value) return std::nullopt;
  if (text.starts_with(' ')) text.remove_prefix(1);
  std::string unit(text);
  std::transform(unit.begin(), unit.end(), unit.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
  double scale = 1;
  if (!unit.empty() && unit != "b") {
    const std::size_t power = std::string_view("kmgtp").find(unit[0]);
    if (power == std::string_view::npos) return std::nullopt;
    const std::string_view end = std::string_view(unit).substr(1);
    if (!end.empty() && end != "b" && end != "ib") return std::nullopt;
    for (std::size_t i = 0; i <= power; ++i) scale *= 1024;
  }
  const double bytes = *value * scale;
  if (bytes >= 9.2e18) return std::nullopt;
  return static_cast<std::int64_t>(bytes);
}

}  // namespace caisson::runtime

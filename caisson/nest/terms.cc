#include "caisson/nest/terms.h"

#include <algorithm>

namespace caisson::nest {
namespace {

constexpr std::string_view names[] = {"compat", "hardened", "minimal"};

Result<Profile> parse_profile(std::string_view text) {
  const auto found = std::ranges::find(names, text);
  if (found == std::end(names))
    return Error::of(Kind::invalid,
                     "profile \"" + std::string(text) + "\" is not known; known are compat, hardened, minimal");
  return static_cast<Profile>(found - std::begin(names));
}

// The first of `wanted` that `most` does not have, or "".
std::string first_beyond(const GrantSet& wanted, const GrantSet& most) {
  for (const GrantRow& row : grants())
    if (wanted.has(row.grant) && !most.has(row.grant)) return row.name;
  for (const std::string& path : wanted.devices())
    if (std::ranges::find(most.devices(), path) == most.devices().end()) return "device:" + path;
  return "";
}

Result<GrantSet> choose_grants(const std::string* annotation, const std::optional<std::string>& flag) {
  const std::string name = std::string("annotation ") + grants_annotation;
  if (!flag) return annotation == nullptr ? GrantSet::by_default() : parse_grants(*annotation).during(name);
  const GrantSet most = TRY(parse_grants(*flag).during("--grants"));
  if (annotation == nullptr) return most;
  const GrantSet wanted = TRY(parse_grants(*annotation).during(name));
  const std::string beyond = first_beyond(wanted, most);
  if (beyond.empty()) return wanted;
  return Error::of(Kind::invalid,
                   name + ": grant \"" + beyond + "\" is not one of those of --grants: " + to_text(most));
}

Result<Profile> choose_profile(const std::string* annotation, const std::optional<std::string>& flag) {
  const std::string name = std::string("annotation ") + profile_annotation;
  if (!flag) return annotation == nullptr ? Profile::compat : parse_profile(*annotation).during(name);
  const Profile least = TRY(parse_profile(*flag).during("--profile"));
  if (annotation == nullptr) return least;
  const Profile wanted = TRY(parse_profile(*annotation).during(name));
  if (wanted == least || wanted == Profile::hardened) return wanted;
  return Error::of(Kind::invalid, name + ": profile \"" + *annotation + "\" cannot be had beside --profile " +
                                      std::string(name_of(least)) + ", only hardened can");
}

const std::string* find(const std::map<std::string, std::string>& annotations, const char* name) {
  const auto found = annotations.find(name);
  return found == annotations.end() ? nullptr : &found->second;
}

}  // namespace

std::string_view name_of(Profile profile) { return names[static_cast<unsigned>(profile)]; }

bool shows(const Terms& terms, std::string_view path) {
  if (terms.profile == Profile::minimal) return false;
  const bool is_value = path.starts_with("/proc/sys/") || path.starts_with("/sys/module/");
  return !is_value || terms.grants.has(Grant::sysctl);
}

Result<Terms> choose_terms(const std::map<std::string, std::string>& annotations, const TermFlags& flags) {
  Terms out;
  out.grants = TRY(choose_grants(find(annotations, grants_annotation), flags.grants));
  out.profile = TRY(choose_profile(find(annotations, profile_annotation), flags.profile));
  return out;
}

std::string to_text(const Instructions& instructions) {
  std::string out = "grants " + to_text(instructions.terms.grants) + "\n";
  out.append("profile ").append(name_of(instructions.terms.profile)).append("\n");
  const auto add = [&](std::string_view word, const std::vector<std::string>& paths) {
    for (const std::string& path : paths)
      if (path.find('\n') == std::string::npos) out.append(word).append(" ").append(path).append("\n");
  };
  add("mask", instructions.masked);
  add("read-only", instructions.read_only);
  return out;
}

Instructions parse_instructions(std::string_view text) {
  Instructions out;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos) continue;
    const std::string_view word = line.substr(0, space);
    const std::string_view value = line.substr(space + 1);
    if (word == "mask") out.masked.emplace_back(value);
    if (word == "read-only") out.read_only.emplace_back(value);
    if (word == "grants")
      if (auto grants = parse_grants(value)) out.terms.grants = *std::move(grants);
    if (word == "profile")
      if (auto profile = parse_profile(value)) out.terms.profile = *profile;
  }
  return out;
}

}  // namespace caisson::nest

#include "caisson/nest/grants_command.h"

#include <unistd.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "caisson/nest/gather.h"
#include "caisson/nest/grants.h"
#include "caisson/nest/trapped.h"
#include "caisson/oci/document.h"
#include "caisson/sys/file.h"

namespace caisson::nest {
namespace {

constexpr std::string_view help =
    "NAME:\n"
    "   caisson grants - list what a nest can be given by name, and whether this host has it\n\n"
    "USAGE:\n"
    "   caisson grants [options]\n\n"
    "DESCRIPTION:\n"
    "   A nest is given a list of these by the annotation io.caisson.grants, or by caisson-nest --grants.\n\n"
    "OPTIONS:\n"
    "   --json      print one JSON object\n"
    "   --help, -h  show help\n";

std::vector<std::string> texts(std::span<const char* const> words) { return {words.begin(), words.end()}; }

std::vector<std::string> trapped_by(Grant grant) {
  std::vector<std::string> out;
  for (const TrappedCall& call : trapped_calls())
    if (call.grant == grant) out.emplace_back(call.name);
  return out;
}

const char* set_of(const GrantRow& row) {
  if (*row.refused != '\0') return "refused";
  return row.given == Given::by_default ? "default" : "on request";
}

// Why this host cannot give it, or "".
std::string missing(const GrantRow& row) {
  if (*row.refused != '\0' || row.grant == Grant::device) return "";
  if (row.given == Given::by_default) {
    for (const char* path : row.devices)
      if (sys::is_absent(path)) return std::string(path) + " is not there";
    return "";
  }
  GrantSet one;
  one.give(row.grant);
  const auto found = gather_granted(one);
  return found ? "" : found.error().message();
}

std::string padded(std::string_view text, std::size_t width) {
  std::string out(text);
  out.resize(std::max(width, out.size()), ' ');
  return out;
}

std::string as_text() {
  constexpr std::size_t name_width = 15;
  constexpr std::size_t set_width = 12;
  std::string out = padded("GRANT", name_width) + padded("SET", set_width) + "WHAT A NEST CAN DO WITH IT\n";
  const std::string indent(name_width + set_width, ' ');
  for (const GrantRow& row : grants()) {
    out += padded(row.name, name_width) + padded(set_of(row), set_width) + row.summary + "\n";
    if (*row.refused != '\0') out += indent + row.refused + "\n";
    if (const std::string why = missing(row); !why.empty()) out += indent + "not on this host: " + why + "\n";
  }
  return out;
}

std::string as_json() {
  oci::Document out;
  for (const GrantRow& row : grants()) {
    const std::string why = missing(row);
    out.set({row.name, "summary"}, row.summary);
    out.set({row.name, "set"}, set_of(row));
    out.set({row.name, "capabilities"}, texts(row.capabilities));
    out.set({row.name, "calls"}, texts(row.calls));
    out.set({row.name, "trapped"}, trapped_by(row.grant));
    out.set({row.name, "devices"}, texts(row.devices));
    out.set({row.name, "nodes"}, row.nodes);
    out.set({row.name, "needs"}, row.needs);
    out.set({row.name, "refused"}, row.refused);
    out.set({row.name, "here"}, why.empty() && *row.refused == '\0');
    if (!why.empty()) out.set({row.name, "missing"}, why);
  }
  return out.print() + "\n";
}

// "`a`, `b`"; many of a kind are told by the first of them.
std::string code(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "`" : ", `") + word + "`";
  return out;
}

}  // namespace

std::string grants_guide() {
  std::string out =
      "| grant | set | with it a nest can | capabilities | calls let through | calls answered | devices and nodes | "
      "needs |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n";
  for (const GrantRow& row : grants()) {
    std::string things = code(texts(row.devices));
    if (*row.nodes != '\0') things += std::string(things.empty() ? "" : ", ") + "values in " + row.nodes;
    out += "| `" + std::string(row.name) + "` | " + set_of(row) + " | " + row.summary;
    if (*row.refused != '\0') out += ". Refused: " + std::string(row.refused);
    out += " | " + code(texts(row.capabilities)) + " | " + code(texts(row.calls)) + " | " +
           code(trapped_by(row.grant)) + " | " + things + " | " + row.needs + " |\n";
  }
  return out;
}

int grants_main(int argc, char** argv) {
  const std::vector<std::string_view> words(argv + 1, argv + argc);
  const auto is_help = [](std::string_view word) { return word == "--help" || word == "-h"; };
  if (std::ranges::any_of(words, is_help)) return sys::write_all(STDOUT_FILENO, help) ? 0 : 1;
  if (words.empty()) return sys::write_all(STDOUT_FILENO, as_text()) ? 0 : 1;
  if (words.size() == 1 && words.front() == "--json") return sys::write_all(STDOUT_FILENO, as_json()) ? 0 : 1;
  const std::string wrong(words.front() == "--json" ? words[1] : words.front());
  (void)sys::write_all(STDERR_FILENO, "caisson grants: " + wrong + ": see caisson grants --help\n");
  return 1;
}

}  // namespace caisson::nest

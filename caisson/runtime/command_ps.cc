// The command ps: the container's processes by their host ids, or the host's ps(1) filtered by them.
// Layer: runtime. Declared in commands.h.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>

#include "caisson/runtime/commands.h"
#include "caisson/runtime/ps_table.h"
#include "caisson/runtime/status.h"
#include "caisson/sys/file.h"
#include "caisson/sys/program.h"

namespace caisson::runtime {
namespace {

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> out;
  for (;;) {
    const std::size_t begin = line.find_first_not_of(" \t");
    if (begin == line.npos) return out;
    line.remove_prefix(begin);
    out.push_back(line.substr(0, line.find_first_of(" \t")));
    line.remove_prefix(out.back().size());
  }
}

std::string json_of(const std::vector<pid_t>& pids) {
  std::string out = "[";
  for (const pid_t pid : pids) {
    if (out.size() > 1) out += ',';
    out += std::to_string(pid);
  }
  return out + "]\n";
}

}  // namespace

Result<std::string> filter_ps(std::string_view table, const std::vector<pid_t>& pids) {
  std::string out;
  std::size_t column = 0;
  for (bool header = true; !table.empty(); header = false) {
    const std::string_view line = table.substr(0, table.find('\n'));
    table.remove_prefix(std::min(table.size(), line.size() + 1));
    const auto words = words_of(line);
    if (words.empty()) continue;
    bool wanted = header;
    if (header) {
      column = static_cast<std::size_t>(std::find(words.begin(), words.end(), "PID") - words.begin());
      if (column == words.size()) return Error::of(Kind::invalid, "couldn't find PID field in ps output");
    } else if (column < words.size()) {
      pid_t pid = 0;
      const std::string_view word = words[column];
      const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), pid);
      wanted = error == std::errc() && end == word.data() + word.size() &&
               std::find(pids.begin(), pids.end(), pid) != pids.end();
    }
    if (wanted) out.append(line).append(1, '\n');
  }
  if (out.empty()) return Error::of(Kind::invalid, "ps printed nothing");
  return out;
}

Result<int> ps_command(Context& context, const Arguments& arguments) {
  const std::string format = arguments.text("format");
  if (format != "table" && format != "json") return Error::of(Kind::invalid, "invalid format option");
  const Record record = TRY(context.store.open(arguments.id()));
  const ContainerState state = TRY(record.load());
  const cgroup::Group group = TRY(group_of(state));
  std::vector<pid_t> pids = TRY(group.pids());
  if (state.cgroup.empty()) {  // its first process is all that is known
    const Status status = TRY(status_of(record, state));
    if (status != Status::stopped) pids = {state.pid};
  }
  std::string out = json_of(pids);
  if (format == "table") {
    std::vector<std::string> args = {"ps"};
    args.insert(args.end(), arguments.rest().begin() + 1, arguments.rest().end());
    if (args.size() == 1) args.emplace_back("-ef");
    const sys::ProgramOutput ps = TRY(sys::run_program(args));
    if (ps.status != 0)
      return Error::of(Kind::invalid, "ps: exit status " + std::to_string(ps.status) + ": " + ps.text);
    out = TRY(filter_ps(ps.text, pids));
  }
  TRY(sys::write_all(STDOUT_FILENO, out));
  return 0;
}

}  // namespace caisson::runtime

#include "caisson/sys/process_stat.h"

#include <charconv>
#include <string>

#include "caisson/sys/file.h"

namespace caisson::sys {
namespace {

template <class Number>
bool parse_number(std::string_view text, Number& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::optional<ProcessStat> parse_process_stat(std::string_view line) {
  const std::size_t close = line.rfind(')');
  if (close == std::string_view::npos || line.size() < close + 4) return std::nullopt;
  line.remove_prefix(close + 2);
  ProcessStat out;
  out.state = line[0];
  for (int field = 3; field <= 22 && !line.empty(); ++field) {  // numbered as in proc(5)
    const std::size_t blank = line.find(' ');
    const std::string_view word = line.substr(0, blank);
    if (field == 4 && !parse_number(word, out.parent)) return std::nullopt;
    if (field == 22) return parse_number(word, out.start_time) ? std::optional(out) : std::nullopt;
    line.remove_prefix(blank == std::string_view::npos ? line.size() : blank + 1);
  }
  return std::nullopt;
}

Result<ProcessStat> process_stat(pid_t pid) {
  auto fd = open_file("/proc/" + std::to_string(pid) + "/stat", O_RDONLY);
  if (!fd) return Error::os(fd.error().is(ENOENT) ? ESRCH : fd.error().code(), "process " + std::to_string(pid));
  char line[1024];  // 52 numbers and 16 bytes of name
  const ssize_t n = ::read(fd->get(), line, sizeof line);
  if (n < 0) return Error::os(errno, "process " + std::to_string(pid));
  const auto parsed = parse_process_stat({line, static_cast<std::size_t>(n)});
  if (!parsed) return Error::of(Kind::internal, "/proc/" + std::to_string(pid) + "/stat: not understood");
  return *parsed;
}

Result<bool> is_running(pid_t pid, std::uint64_t start_time) {
  if (pid <= 0) return false;
  const auto stat = process_stat(pid);
  if (!stat && stat.error().is(ESRCH)) return false;
  if (!stat) return stat.error();
  return !(*stat).gone() && (start_time == 0 || (*stat).start_time == start_time);
}

}  // namespace caisson::sys

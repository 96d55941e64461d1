#include "caisson/nest/report.h"

#include <unistd.h>

#include "caisson/oci/document.h"
#include "caisson/sys/clock.h"
#include "caisson/sys/file.h"

namespace caisson::nest {

std::string log_line(bool json, Level level, std::string_view message, std::string_view time) {
  const std::string name = level == Level::error ? "error" : "warning";
  if (json) {
    oci::Document line;
    line.set({"level"}, name);
    line.set({"msg"}, message);
    line.set({"time"}, time);
    return line.print();
  }
  std::string quoted;
  for (const char c : message) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c == '\n' ? ' ' : c;
  }
  return "time=\"" + std::string(time) + "\" level=" + name + " msg=\"" + quoted + "\"";
}

void report(const CommandLine& line, Level level, const std::string& message) {
  if (level == Level::warning && !line.debug) return;
  const std::string text =
      log_line(line.log_format == "json", level, message, sys::rfc3339(sys::wall_clock().tv_sec)) + "\n";
  if (level == Level::error) (void)sys::write_all(STDERR_FILENO, message + "\n");
  if (line.log.empty()) {
    if (level == Level::warning) (void)sys::write_all(STDERR_FILENO, text);
    return;
  }
  // A log that cannot be written is no reason to fail, nor is there anybody to tell.
  if (auto file = sys::open_file(line.log, O_WRONLY | O_APPEND | O_CREAT, 0644))
    (void)sys::write_all(file->get(), text);
}

}  // namespace caisson::nest

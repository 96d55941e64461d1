#include "caisson/runtime/log.h"

#include "caisson/runtime/json.h"
#include "caisson/sys/clock.h"
#include "caisson/sys/file.h"

namespace caisson::runtime {

std::string log_line(Log::Format format, std::string_view level, std::string_view message, std::string_view time) {
  if (format == Log::Format::json)
    return JsonObject().text("level", level).text("msg", message).text("time", time).take() + "\n";
  std::string out = "time=\"" + std::string(time) + "\" level=" + std::string(level) + " msg=";
  append_quoted(out, message);
  return out + "\n";
}

Result<Log> Log::open(const std::string& path, Format format, Debug debug) {
  Log out;
  out.format_ = format;
  out.debug_ = debug;
  if (path.empty()) return out;
  out.file_ = TRY(sys::open_file(path, O_WRONLY | O_APPEND | O_CREAT, 0644).during("--log"));
  return out;
}

// A log that cannot be written is no reason to fail, nor is there anybody to tell.
void Log::write_line(std::string_view level, std::string_view message) const {
  const int fd = file_ ? file_.get() : STDERR_FILENO;
  (void)sys::write_all(fd, log_line(format_, level, message, sys::rfc3339(sys::wall_clock().tv_sec)));
}

void Log::error(std::string_view message) const {
  (void)sys::write_all(STDERR_FILENO, std::string(message) + "\n");
  if (file_) write_line("error", message);
}

void Log::warning(std::string_view message) const {
  if (debug_ == Debug::yes) write_line("warning", message);
}

void Log::debug(std::string_view message) const {
  if (debug_ == Debug::yes) write_line("debug", message);
}

}  // namespace caisson::runtime

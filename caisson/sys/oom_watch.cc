#include "caisson/sys/oom_watch.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cstdlib>

#include "caisson/sys/backoff.h"
#include "caisson/sys/file.h"
#include "caisson/sys/raw.h"

namespace caisson::sys {
namespace {

Result<std::uint64_t> kills_of(int events) {
  char text[1024] = {};
  const long n = raw::call_retrying(SYS_pread64, events, text, sizeof text - 1, 0L);
  if (n < 0) return Error::os(static_cast<int>(-n), "memory.events");
  const std::string_view all(text, static_cast<std::size_t>(n));
  const std::size_t at = all.find("oom_kill ");
  return at == all.npos ? 0 : std::strtoull(text + at + 9, nullptr, 10);
}

}  // namespace

Result<OomWatch> OomWatch::v1(const std::string& directory) {
  OomWatch out;
  out.control_ = TRY(open_file(directory + "/memory.oom_control", O_RDONLY));
  out.events_ = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!out.events_) return Error::os(errno, "eventfd");
  const std::string both = std::to_string(out.events_.get()) + " " + std::to_string(out.control_.get());
  TRY(write_once(directory + "/cgroup.event_control", both));
  return out;
}

Result<OomWatch> OomWatch::v2(const std::string& directory) {
  OomWatch out;
  out.is_v2_ = true;
  out.events_ = TRY(open_file(directory + "/memory.events", O_RDONLY));
  out.kills_ = TRY(kills_of(out.events_.get()));
  return out;
}

Result<bool> OomWatch::happened() {
  if (!is_v2_) {
    std::uint64_t count = 0;
    char text[1];
    // The removal of the cgroup signals the eventfd too; then its files cannot be read any more.
    return raw::call_retrying(SYS_read, events_.get(), &count, sizeof count) == sizeof count &&
           raw::call_retrying(SYS_pread64, control_.get(), text, sizeof text, 0L) > 0;
  }
  const std::uint64_t now = TRY(kills_of(events_.get()));
  return std::exchange(kills_, now) != now;
}

Result<OomWatch::Event> OomWatch::wait(int pidfd, std::chrono::milliseconds limit) {
  const Instant end = now() + limit;
  for (;;) {
    pollfd items[2] = {{pidfd, POLLIN, 0}, {events_.get(), static_cast<short>(is_v2_ ? POLLPRI : POLLIN), 0}};
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - now()).count();
    const int r = ::poll(items, events_ ? 2 : 1, static_cast<int>(std::clamp<long long>(left, 0, 1 << 30)));
    if (r < 0 && errno != EINTR) return Error::os(errno, "poll");
    if (r > 0 && items[1].revents != 0) {
      const auto oom = happened();
      if (!oom) events_.reset();  // the cgroup is gone
      if (oom && *oom) return Event::oom;
    }
    if (r > 0 && items[0].revents != 0) return Event::ended;
    if (now() >= end) return Event::nothing;
  }
}

}  // namespace caisson::sys

#include "caisson/sys/standard_fds.h"

#include <fcntl.h>
#include <poll.h>

#include <cerrno>

namespace caisson::sys {

Result<void> open_standard_fds() {
  pollfd items[3] = {{0, 0, 0}, {1, 0, 0}, {2, 0, 0}};
  int ready = ::poll(items, 3, 0);
  while (ready < 0 && errno == EINTR) ready = ::poll(items, 3, 0);
  if (ready < 0) return Error::os(errno, "poll").during("standard descriptors");
  if (ready == 0) return ok();
  for (const pollfd& item : items) {
    if ((item.revents & POLLNVAL) == 0) continue;
    // The lowest free number is this one. Without O_CLOEXEC: what we start wants it as well.
    if (::open("/dev/null", O_RDWR) < 0)
      return Error::os(errno, "open").during("/dev/null");  // NOLINT(android-cloexec-open)
  }
  return ok();
}

}  // namespace caisson::sys

#include "caisson/sys/spent_fds.h"

#include <algorithm>

#include "caisson/sys/raw.h"

namespace caisson::sys {
namespace {

constexpr std::size_t many = 64;

}  // namespace

void SpentFds::add(UniqueFd fd) {
  if (!fd) return;
  fds_.push_back(fd.release());
  if (fds_.size() >= many) close_all();
}

void SpentFds::close_all() {
  std::sort(fds_.begin(), fds_.end());
  for (std::size_t first = 0; first < fds_.size();) {
    std::size_t end = first + 1;
    while (end < fds_.size() && fds_[end] == fds_[end - 1] + 1) ++end;
    const long r = raw::call(SYS_close_range, fds_[first], fds_[end - 1], 0);
    for (; first < end; ++first)
      if (r < 0) ::close(fds_[first]);
  }
  fds_.clear();
}

}  // namespace caisson::sys

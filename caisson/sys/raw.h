// Raw system calls: no libc state, no allocation, no exceptions. Return a value >= 0 or -errno.
// The only caisson header that code between clone() and execve() may include.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace caisson::sys::raw {

template <class... Args>
inline long call(long number, Args... args) noexcept {
  long r = ::syscall(number, args...);
  return r < 0 ? -errno : r;
}

// Use only where the kernel documents the call as restartable.
template <class... Args>
inline long call_retrying(long number, Args... args) noexcept {
  for (;;)
    if (long r = call(number, args...); r != -EINTR) return r;
}

}  // namespace caisson::sys::raw

#include "caisson/seccomp/notify.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "caisson/sys/process.h"
#include "caisson/sys/raw.h"

namespace caisson::seccomp {
namespace {

using sys::raw::call;

// source: linux 6.6, include/uapi/linux/seccomp.h
constexpr unsigned long set_flags = SECCOMP_IOW(4, __u64);
constexpr std::uint64_t sync_wake_up = 1;

constexpr std::size_t page = 4096;

}  // namespace

Result<bool> receive(int listener, seccomp_notif& out) {
  for (;;) {
    const long r = call(SYS_ioctl, listener, SECCOMP_IOCTL_NOTIF_RECV, &out);
    if (r == 0) return true;
    if (r == -ENOENT) return false;
    if (r != -EINTR) return Error::os(static_cast<int>(-r), "SECCOMP_IOCTL_NOTIF_RECV");
  }
}

bool is_waiting(int listener, std::uint64_t id) {
  return call(SYS_ioctl, listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

Result<void> answer(int listener, std::uint64_t id, const Answer& answer) {
  seccomp_notif_resp response{.id = id, .val = answer.value, .error = -answer.errno_, .flags = 0};
  if (answer.errno_ != 0) response.val = 0;
  if (answer.proceed) response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
  const long r = call(SYS_ioctl, listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
  // EINPROGRESS: answered already, by one of us who was killed before it could say so.
  if (r == 0 || r == -ENOENT || r == -EINPROGRESS) return ok();
  return Error::os(static_cast<int>(-r), "SECCOMP_IOCTL_NOTIF_SEND");
}

Result<void> answer_with_descriptor(int listener, std::uint64_t id, int descriptor, bool close_on_exec) {
  seccomp_notif_addfd request{};
  request.id = id;
  request.flags = SECCOMP_ADDFD_FLAG_SEND;
  request.srcfd = static_cast<std::uint32_t>(descriptor);
  request.newfd_flags = close_on_exec ? O_CLOEXEC : 0;
  const long r = call(SYS_ioctl, listener, SECCOMP_IOCTL_NOTIF_ADDFD, &request);
  if (r >= 0 || r == -ENOENT || r == -EINPROGRESS) return ok();
  return Error::os(static_cast<int>(-r), "SECCOMP_IOCTL_NOTIF_ADDFD");
}

void prefer_short_round_trips(int listener) { (void)call(SYS_ioctl, listener, set_flags, sync_wake_up); }

Result<std::size_t> read_memory(pid_t pid, std::uint64_t address, void* out, std::size_t size) {
  iovec local{.iov_base = out, .iov_len = size};
  iovec remote{.iov_base = reinterpret_cast<void*>(address), .iov_len = size};
  const long r = call(SYS_process_vm_readv, pid, &local, 1L, &remote, 1L, 0L);
  if (r < 0) return Error::os(static_cast<int>(-r), "process_vm_readv");
  return static_cast<std::size_t>(r);
}

Result<std::string> read_text(pid_t pid, std::uint64_t address, std::size_t limit) {
  std::string out;
  std::array<char, page> buffer;
  while (out.size() < limit) {
    // Never across a page that need not be there: the text may end on this one.
    const std::size_t here = page - static_cast<std::size_t>((address + out.size()) % page);
    const std::size_t want = std::min(here, limit - out.size());
    const std::size_t got = TRY(read_memory(pid, address + out.size(), buffer.data(), want));
    const std::size_t length = ::strnlen(buffer.data(), got);
    out.append(buffer.data(), length);
    if (length < got) return out;
    if (got < want) return Error::os(EFAULT, "process_vm_readv");
  }
  return Error::os(ENAMETOOLONG, "read a text of the caller");
}

Result<void> write_memory(pid_t pid, std::uint64_t address, const void* data, std::size_t size) {
  iovec local{.iov_base = const_cast<void*>(data), .iov_len = size};
  iovec remote{.iov_base = reinterpret_cast<void*>(address), .iov_len = size};
  const long r = call(SYS_process_vm_writev, pid, &local, 1L, &remote, 1L, 0L);
  if (r == static_cast<long>(size)) return ok();
  return Error::os(r < 0 ? static_cast<int>(-r) : EFAULT, "process_vm_writev");
}

bool can_listen() {
  auto pid = sys::clone_process(0);
  if (!pid) return false;
  if (*pid == 0) {
    sock_filter allow{.code = BPF_RET | BPF_K, .jt = 0, .jf = 0, .k = SECCOMP_RET_ALLOW};
    sock_fprog program{.len = 1, .filter = &allow};
    call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    const long r = call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
    call(SYS_exit_group, r < 0 ? 1 : 0);
  }
  auto status = sys::wait_for(*pid);
  return status && *status == 0;
}

}  // namespace caisson::seccomp

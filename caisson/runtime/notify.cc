#include "caisson/runtime/notify.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "caisson/sys/file.h"
#include "caisson/sys/process.h"
#include "caisson/sys/raw.h"
#include "caisson/sys/unix_socket.h"

namespace caisson::runtime {
namespace {

using sys::UniqueFd;
constexpr char directory_name[] = "notify";
constexpr char socket_name[] = "notify.sock";
constexpr int barrier_limit = 30'000;  // milliseconds; runc's

bool says_ready(std::string_view text) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    if (line == "READY=1") return true;
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
  return false;
}

// Returns when the manager has read what was sent before: it closes the descriptor. source: sd_notify(3) "BARRIER=1"
Result<void> barrier(int socket) {
  int ends[2];
  const long made = sys::raw::call(SYS_pipe2, ends, O_CLOEXEC);
  if (made < 0) return Error::os(static_cast<int>(-made), "pipe");
  const UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  const int sent[] = {theirs.get()};
  TRY(sys::send_with_descriptors(socket, "BARRIER=1", sent, 1));
  theirs.reset();
  pollfd item{.fd = ours.get(), .events = 0, .revents = 0};
  while (::poll(&item, 1, barrier_limit) < 0)
    if (errno != EINTR) return Error::os(errno, "poll");
  return ok();
}

Result<void> tell_manager(pid_t pid) {
  const UniqueFd socket = TRY(sys::connect_unix_datagram(notify_address()));
  TRY(sys::send_with_descriptors(socket.get(), "READY=1\n", nullptr, 0));
  TRY(sys::send_with_descriptors(socket.get(), "MAINPID=" + std::to_string(pid) + "\n", nullptr, 0));
  return barrier(socket.get());
}

}  // namespace

std::string notify_address() {
  const char* address = ::getenv("NOTIFY_SOCKET");
  return address != nullptr ? address : "";
}

Result<void> add_notify(const Record& record, Plan& plan) {
  if (notify_address().empty()) return ok();
  TRY(sys::make_directory_at(record.fd(), directory_name, 0755));
  MountStep step;
  step.kind = MountKind::bind;
  step.target = "/run/notify";
  step.type = "bind";
  // Whole, whatever --root is: the child closes the record and goes from directory to directory.
  const std::string directory =
      TRY(sys::read_link_at(AT_FDCWD, "/proc/self/fd/" + std::to_string(record.fd())).during("NOTIFY_SOCKET"));
  step.source = directory + "/" + directory_name;
  step.options.flags = MS_BIND | MS_NOSUID | MS_NODEV | MS_NOEXEC;
  plan.mounts.push_back(std::move(step));
  std::erase_if(plan.process.env, [](const std::string& entry) { return entry.starts_with("NOTIFY_SOCKET="); });
  plan.process.env.push_back(std::string("NOTIFY_SOCKET=/run/notify/") + socket_name);
  return ok();
}

Result<std::optional<NotifySocket>> NotifySocket::open(const Record& record) {
  using Found = std::optional<NotifySocket>;
  if (notify_address().empty()) return Found();
  auto directory = sys::open_at(record.fd(), directory_name, O_PATH | O_DIRECTORY | O_NOFOLLOW);
  if (!directory && directory.error().is(ENOENT)) return Found();
  if (!directory) return std::move(directory).error();
  // Whatever user the container has must be able to write to it.
  UniqueFd fd = TRY(sys::listen_unix_datagram(directory->get(), socket_name, 0777).during("NOTIFY_SOCKET"));
  return Found(NotifySocket(std::move(fd)));
}

Result<void> NotifySocket::pass_on(pid_t pid) const {
  auto process = sys::Pidfd::open(pid);
  if (!process) return ok();  // it has ended
  for (;;) {
    pollfd items[2] = {{fd_.get(), POLLIN, 0}, {process->get(), POLLIN, 0}};
    if (::poll(items, 2, -1) < 0) {
      if (errno == EINTR) continue;
      return Error::os(errno, "poll");
    }
    if (items[0].revents != 0) {
      auto message = sys::receive_message(fd_.get(), 4096);  // an error: too long to be what we wait for
      if (message && says_ready(message->text)) return tell_manager(pid).during("NOTIFY_SOCKET");
      continue;
    }
    if (items[1].revents != 0) return ok();
  }
}

Result<void> NotifySocket::pass_on_aside(pid_t pid) const {
  const pid_t child = TRY(sys::clone_process(0));
  if (child != 0) return ok();  // reaped with whatever else is reparented to us
  sys::raw::call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
  (void)pass_on(pid);
  ::_exit(0);
}

}  // namespace caisson::runtime

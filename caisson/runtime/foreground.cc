#include "caisson/runtime/foreground.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <charconv>
#include <cstdint>
#include <string>

#include "caisson/sys/file.h"
#include "caisson/sys/process.h"
#include "caisson/sys/raw.h"
#include "caisson/sys/unix_socket.h"

namespace caisson::runtime {
namespace {

using sys::UniqueFd;

// Standard input's terminal; returns how it was.
Result<termios> make_raw() {
  termios saved{};
  if (::tcgetattr(0, &saved) < 0) return Error::os(errno, "tcgetattr");
  termios raw = saved;
  ::cfmakeraw(&raw);
  raw.c_oflag |= OPOST;  // output is still for people
  if (::tcsetattr(0, TCSANOW, &raw) < 0) return Error::os(errno, "tcsetattr");
  return saved;
}

// One piece from `from` to `to`; false at the end of `from` (EIO: the terminal's other side is closed).
Result<bool> copy_piece(int from, int to) {
  char piece[4096];
  const long n = sys::raw::call_retrying(SYS_read, from, piece, sizeof piece);
  if (n == 0 || n == -EIO) return false;
  if (n == -EAGAIN) return true;
  if (n < 0) return Error::os(static_cast<int>(-n), "read");
  TRY(sys::write_all(to, std::string_view(piece, static_cast<std::size_t>(n))));
  return true;
}

}  // namespace

Result<Foreground> Foreground::begin(Subreaper subreaper) {
  sigset_t all;
  sigset_t old;
  ::sigfillset(&all);
  if (::sigprocmask(SIG_SETMASK, &all, &old) < 0) return Error::os(errno, "sigprocmask");
  UniqueFd fd(::signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) return Error::os(errno, "signalfd");
  if (subreaper == Subreaper::yes && ::prctl(PR_SET_CHILD_SUBREAPER, 1UL) < 0) return Error::os(errno, "subreaper");
  return Foreground(std::move(fd), old);
}

Foreground::~Foreground() {
  if (!signals_) return;
  if (saved_) ::tcsetattr(0, TCSANOW, &*saved_);
  ::sigprocmask(SIG_SETMASK, &old_, nullptr);
}

Result<void> Foreground::take_terminal(int socket) {
  sys::Message message = TRY(sys::receive_message(socket, 4096).during("receive the terminal"));
  if (message.descriptors.size() != 1) return Error::of(Kind::os, "the container sent no terminal");
  terminal_ = std::move(message.descriptors[0]);
  // A line's end is made of what comes out by the caller's terminal, if it has one; a file gets it as it was written.
  termios modes{};
  if (::tcgetattr(terminal_.get(), &modes) < 0) return Error::os(errno, "tcgetattr");
  modes.c_oflag &= ~static_cast<tcflag_t>(ONLCR);
  if (::tcsetattr(terminal_.get(), TCSANOW, &modes) < 0) return Error::os(errno, "tcsetattr");
  if (::isatty(0) == 1) {
    saved_ = TRY(make_raw());
    copy_window_size();
  }
  return ok();
}

void Foreground::copy_window_size() const {
  winsize size{};
  if (terminal_ && ::ioctl(0, TIOCGWINSZ, &size) == 0) ::ioctl(terminal_.get(), TIOCSWINSZ, &size);
}

Result<Foreground::Ended> Foreground::take_signals(pid_t pid) const {
  for (;;) {
    signalfd_siginfo info{};
    const long n = sys::raw::call_retrying(SYS_read, signals_.get(), &info, sizeof info);
    if (n == -EAGAIN) return Ended{};
    if (n < 0) return Error::os(static_cast<int>(-n), "read signals");
    const int signal = static_cast<int>(info.ssi_signo);
    if (signal == SIGWINCH) copy_window_size();
    if (signal != SIGCHLD) {
      if (signal != SIGWINCH || !terminal_) (void)::kill(pid, signal);
      continue;
    }
    for (;;) {
      int status = 0;
      const pid_t ended = ::waitpid(-1, &status, WNOHANG);
      if (ended < 0 && errno == EINTR) continue;
      if (ended <= 0) break;
      if (ended == pid) return Ended{true, sys::shell_status(status)};
    }
  }
}

Result<int> Foreground::wait(pid_t pid) {
  bool input = true;
  bool output = static_cast<bool>(terminal_);
  for (;;) {
    pollfd items[3] = {{signals_.get(), POLLIN, 0},
                       {input && terminal_ ? 0 : -1, POLLIN, 0},
                       {output ? terminal_.get() : -1, POLLIN, 0}};
    if (::poll(items, 3, -1) < 0 && errno != EINTR) return Error::os(errno, "poll");
    if (items[2].revents != 0) output = TRY(copy_piece(terminal_.get(), 1));
    if (items[1].revents != 0) {
      auto more = copy_piece(0, terminal_.get());
      input = more && *more;  // what nobody reads any more is not an error of ours
    }
    if (items[0].revents == 0) continue;
    const Ended end = TRY(take_signals(pid));
    if (!end.ended) continue;
    while (output) {  // what it still said
      pollfd rest{terminal_.get(), POLLIN, 0};
      if (::poll(&rest, 1, 0) <= 0) break;
      output = TRY(copy_piece(terminal_.get(), 1));
    }
    return end.status;
  }
}

void reset_signals() {
  // One look at which are ignored is cheaper than setting them all. source: proc_pid_status(5) "SigIgn"
  std::uint64_t ignored = ~std::uint64_t{0};
  if (const auto status = sys::read_start_at(AT_FDCWD, "/proc/self/status")) {
    const std::size_t at = status->find("\nSigIgn:\t");
    if (at != std::string::npos) std::from_chars(status->data() + at + 9, status->data() + at + 25, ignored, 16);
  }
  for (int signal = 1; signal <= 64; ++signal)
    if ((ignored >> (signal - 1) & 1) != 0) ::signal(signal, SIG_DFL);  // refused for KILL and STOP, which is right
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

}  // namespace caisson::runtime

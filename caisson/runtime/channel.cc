#include "caisson/runtime/channel.h"

#include <poll.h>
#include <unistd.h>

#include <charconv>

#include "caisson/sys/process.h"
#include "caisson/sys/unix_socket.h"

namespace caisson::runtime {
namespace {

constexpr std::size_t descriptors_a_message = 200;

}  // namespace

Result<std::pair<Channel, Channel>> Channel::make() {
  auto ends = TRY(sys::message_pair());
  return std::pair(Channel(std::move(ends.first)), Channel(std::move(ends.second)));
}

Result<Saying> Channel::listen() const {
  const sys::Message message = TRY(sys::receive_message(fd_.get(), 8192));
  if (message.text.empty()) return Saying{};
  return Saying{static_cast<Said>(message.text[0]), message.text.substr(1)};
}

Result<std::string> Channel::expect(Said said) const {
  Saying heard = TRY(listen());
  if (heard.said == said) return std::move(heard.text);
  if (heard.said == Said::failed) return error_of(heard.text);
  if (heard.said == Said::ended)
    return Error::of(Kind::os, "the container's first process died (is the memory limit too low?)");
  return Error::of(Kind::internal,
                   std::string("unexpected message from the container: ") + static_cast<char>(heard.said));
}

Result<std::string> Channel::expect_from(pid_t child, Said said) const {
  const sys::Pidfd alive = TRY(sys::Pidfd::open(child));  // ours to reap, so that the pid is still its own
  pollfd items[] = {{.fd = fd_.get(), .events = POLLIN, .revents = 0},
                    {.fd = alive.get(), .events = POLLIN, .revents = 0}};
  while (::poll(items, 2, -1) < 0)
    if (errno != EINTR) return Error::os(errno, "poll");
  // It may have spoken and ended after its words were looked for.
  if (items[0].revents == 0 && ::poll(items, 1, 0) <= 0)
    return Error::of(Kind::os, "the process that joins the namespaces died");
  return expect(said);
}

Result<void> Channel::go(const std::vector<sys::UniqueFd>& descriptors) const {
  std::vector<int> numbers;
  for (const sys::UniqueFd& d : descriptors) numbers.push_back(d.get());
  std::size_t sent = 0;
  while (numbers.size() - sent > descriptors_a_message) {
    TRY(sys::send_with_descriptors(fd_.get(), "+", numbers.data() + sent, descriptors_a_message));
    sent += descriptors_a_message;
  }
  return sys::send_with_descriptors(fd_.get(), "g", numbers.data() + sent, numbers.size() - sent);
}

void Channel::say(Said said, std::string_view text) const {
  std::string message(1, static_cast<char>(said));
  message.append(text.substr(0, 8000));
  if (!sys::send_with_descriptors(fd_.get(), message, nullptr, 0)) ::_exit(1);
}

std::vector<sys::UniqueFd> Channel::await() const {
  std::vector<sys::UniqueFd> out;
  for (;;) {
    auto message = sys::receive_message(fd_.get(), 16);
    if (!message || message->text.empty()) ::_exit(1);
    for (sys::UniqueFd& d : message->descriptors) out.push_back(std::move(d));
    if (message->text == "g") return out;
  }
}

void Channel::fail(const Error& error) const {
  std::string text = error.message();
  say(Said::failed, std::to_string(error.code()) + " " + text);
  ::_exit(1);
}

Error error_of(const std::string& text) {
  int code = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), code);
  std::string what = ec == std::errc() ? text.substr(static_cast<std::size_t>(end - text.data()) + 1) : text;
  // Error adds the errno's text again: it is already at the end of what the child sent.
  const Error plain = Error::os(code, "");
  const std::string tail = code != 0 ? plain.message() : "";
  if (code == 0 || !what.ends_with(tail)) return Error::of(Kind::os, what);
  return Error::os(code, what.substr(0, what.size() - tail.size()));
}

}  // namespace caisson::runtime

#include "caisson/dbus/connection.h"

#include "caisson/sys/unix_socket.h"

namespace caisson::dbus {
namespace {

constexpr std::size_t max_line = 4096;   // of authentication
constexpr std::size_t max_kept = 10000;  // signals that nobody waits for

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

std::string unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escaped =
        text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0;
    out += escaped ? static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2])) : text[i];
    if (escaped) i += 2;
  }
  return out;
}

// Removes and returns what is before the first `end`.
std::string_view take_until(std::string_view& text, char end) {
  const std::size_t at = std::min(text.find(end), text.size());
  const std::string_view out = text.substr(0, at);
  text.remove_prefix(std::min(at + 1, text.size()));
  return out;
}

}  // namespace

std::vector<std::string> socket_paths(std::string_view addresses) {
  std::vector<std::string> out;
  while (!addresses.empty()) {
    std::string_view address = take_until(addresses, ';');
    if (take_until(address, ':') != "unix") continue;
    while (!address.empty()) {
      std::string_view value = take_until(address, ',');
      const std::string_view key = take_until(value, '=');
      if (key == "path" && value.starts_with('/')) out.push_back(unescape(value));
      if (key == "abstract" && !value.empty()) out.push_back("@" + unescape(value));
    }
  }
  return out;
}

Result<Connection> Connection::open(const std::string& socket_path, Peer peer, sys::Instant deadline) {
  sys::UniqueFd socket = TRY(sys::connect_unix(socket_path));
  Connection out(std::move(socket), peer);
  TRY(out.authenticate(deadline).during(socket_path));
  if (peer == Peer::direct) return out;
  const Message hello =
      TRY(out.call({"org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello"}, deadline)
              .during(socket_path));
  if (hello.type == Type::error) return Error::of(Kind::denied, error_text(hello)).during(socket_path);
  return out;
}

// Without a name of ours the other end takes the kernel's. All at once: nothing depends on the answers but whether we
// are let in. source: D-Bus Specification, "Authentication Protocol", "EXTERNAL"
Result<void> Connection::authenticate(sys::Instant deadline) {
  using std::string_view_literals::operator""sv;
  TRY(sys::send_all(socket_.get(), "\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n"sv, deadline));
  for (;;) {
    const std::size_t end = received_.find("\r\n");
    if (end == std::string::npos) {
      if (received_.size() > max_line) return Error::of(Kind::invalid, "D-Bus: not an answer to AUTH");
      TRY(receive(deadline));
      continue;
    }
    const std::string line = received_.substr(0, end);
    received_.erase(0, end + 2);
    if (line.starts_with("OK")) return ok();
    if (line != "DATA") return Error::of(Kind::denied, "D-Bus: authentication refused");
  }
}

Result<void> Connection::receive(sys::Instant deadline) {
  const std::string more = TRY(sys::receive_some(socket_.get(), deadline));
  if (more.empty()) return Error::os(ECONNRESET, "D-Bus: the other end hung up");
  received_ += more;
  return ok();
}

Result<Message> Connection::next_message(sys::Instant deadline) {
  for (;;) {
    auto message = TRY(take_message(received_));
    if (message) return std::move(*message);
    TRY(receive(deadline));
  }
}

Result<Message> Connection::call(const Call& call, sys::Instant deadline) {
  Message message;
  message.type = Type::call;
  message.serial = ++serial_;
  message.path = call.path;
  message.interface = call.interface;
  message.member = call.member;
  if (peer_ == Peer::bus) message.destination = call.destination;
  message.signature = call.body.signature();
  message.body = call.body.bytes();
  TRY(sys::send_all(socket_.get(), serialize(message), deadline).during(call.member));
  for (;;) {
    Message received = TRY(next_message(deadline).during(call.member));
    const bool answer = received.type == Type::reply || received.type == Type::error;
    if (answer && received.reply_serial == message.serial) return received;
    if (received.type == Type::signal && signals_.size() < max_kept) signals_.push_back(std::move(received));
  }
}

Result<void> Connection::subscribe(const std::string& sender, const std::string& interface, const std::string& member,
                                   sys::Instant deadline) {
  if (peer_ == Peer::direct) return ok();  // hears all there is
  Body rule;
  rule.text("type='signal',sender='" + sender + "',interface='" + interface + "',member='" + member + "'");
  const Message reply =
      TRY(call({"org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "AddMatch", rule}, deadline));
  if (reply.type == Type::error) return Error::of(Kind::denied, error_text(reply)).during("AddMatch");
  return ok();
}

Result<Message> Connection::wait_signal(std::string_view member, sys::Instant deadline) {
  for (;;) {
    Message message;
    if (!signals_.empty()) {
      message = std::move(signals_.front());
      signals_.pop_front();
    } else {
      message = TRY(next_message(deadline).during(member));
    }
    if (message.type == Type::signal && message.member == member) return message;
  }
}

}  // namespace caisson::dbus

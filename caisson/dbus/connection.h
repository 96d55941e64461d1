// A client's connection to a D-Bus bus, or to a peer that is none: calls with a deadline, and the signals asked for.
// Layer: dbus. Used by cgroup's systemd driver.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "caisson/base/result.h"
#include "caisson/dbus/message.h"
#include "caisson/sys/backoff.h"
#include "caisson/sys/unique_fd.h"

namespace caisson::dbus {

enum class Peer : bool {
  bus,     // says Hello first, and addresses every call
  direct,  // systemd's private socket: the other end is the one who is meant
};

struct Call {
  std::string destination;
  std::string path;
  std::string interface;
  std::string member;
  Body body{};
};

// The socket paths of "unix:path=/a,guid=1;unix:abstract=b": "/a", "@b". Other transports are left out.
// source: D-Bus Specification, "Server Addresses"
std::vector<std::string> socket_paths(std::string_view addresses);

class Connection {
 public:
  // As who we are by the kernel's word (EXTERNAL), which is right in a user namespace too.
  static Result<Connection> open(const std::string& socket_path, Peer peer, sys::Instant deadline);

  // The reply, which may be of Type::error.
  //   errors  os ETIMEDOUT; os ECONNRESET: it hung up; invalid: it does not speak D-Bus
  Result<Message> call(const Call& call, sys::Instant deadline);

  // Signals of that name from `sender` (any when empty), in the order they came; also those that came during a call.
  Result<void> subscribe(const std::string& sender, const std::string& interface, const std::string& member,
                         sys::Instant deadline);
  Result<Message> wait_signal(std::string_view member, sys::Instant deadline);

 private:
  Connection(sys::UniqueFd socket, Peer peer) : socket_(std::move(socket)), peer_(peer) {}
  Result<void> authenticate(sys::Instant deadline);
  Result<void> receive(sys::Instant deadline);
  Result<Message> next_message(sys::Instant deadline);

  sys::UniqueFd socket_;
  Peer peer_;
  std::uint32_t serial_ = 0;
  std::string received_;
  std::deque<Message> signals_;
};

}  // namespace caisson::dbus

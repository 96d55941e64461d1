// Unix sockets that carry descriptors.
// Layer: sys. Used for console, pidfd and seccomp listener sockets, and between the runtime and its child.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "caisson/base/result.h"
#include "caisson/sys/unique_fd.h"

namespace caisson::sys {

// A stream connection. Paths longer than sun_path are reached through a descriptor of their directory.
Result<UniqueFd> connect_unix(const std::string& path);

// As sd_notify(3) sends: "@name" is an abstract address.
Result<UniqueFd> connect_unix_datagram(const std::string& address);

// A datagram socket of that name and mode in a directory; one that is there already is replaced.
Result<UniqueFd> listen_unix_datagram(int directory, const std::string& name, unsigned mode);

// A stream socket of that name in a directory, which listens when listen_on() says so; an older one is replaced.
// The process that calls listen_on() is the one that clients see (SO_PEERCRED). source: unix(7)
Result<UniqueFd> bind_unix_stream(int directory, const std::string& name);
Result<void> listen_on(int socket);
// What the client sends is waited for at most that long (SO_RCVTIMEO).
Result<UniqueFd> accept_client(int socket, std::chrono::seconds patience);

// Two connected SOCK_SEQPACKET ends: every message whole, end of file when the other end is closed.
Result<std::pair<UniqueFd, UniqueFd>> message_pair();

// One message with `count` descriptors (SCM_RIGHTS), at most 250. `text` must not be empty.
Result<void> send_with_descriptors(int socket, std::string_view text, const int* descriptors, std::size_t count);

// A stream, within a time. Descriptors that come along are closed by the kernel.
//   errors  os ETIMEDOUT
Result<void> send_all(int socket, std::string_view text, std::chrono::steady_clock::time_point deadline);
// What is there, at least one byte; empty: the other end is closed.
Result<std::string> receive_some(int socket, std::chrono::steady_clock::time_point deadline);

struct Message {
  std::string text;  // empty: the other end is closed
  std::vector<UniqueFd> descriptors;
};
// Waits for the next message of a SOCK_SEQPACKET or datagram socket and tells its length; 0: the other end is closed.
Result<std::size_t> next_message_length(int socket);
// MSG_CMSG_CLOEXEC. Longer texts than `limit` bytes are an error.
Result<Message> receive_message(int socket, std::size_t limit = 65536);

}  // namespace caisson::sys

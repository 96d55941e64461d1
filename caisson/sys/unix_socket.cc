#include "caisson/sys/unix_socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "caisson/sys/file.h"
#include "caisson/sys/raw.h"

namespace caisson::sys {
namespace {

constexpr std::size_t max_descriptors = 250;  // below the kernel's SCM_MAX_FD, 253

// Paths longer than sun_path are reached through a descriptor of their directory.
Result<UniqueFd> connect_to(const std::string& path, int type) {
  UniqueFd directory;
  std::string name = path;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name.size() >= sizeof address.sun_path) {
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos) return Error::of(Kind::invalid, "socket name is too long").during(path);
    directory = TRY(open_file(path.substr(0, slash + 1), O_PATH | O_DIRECTORY));
    name = "/proc/self/fd/" + std::to_string(directory.get()) + path.substr(slash);
    if (name.size() >= sizeof address.sun_path) return Error::of(Kind::invalid, "socket name is too long").during(path);
  }
  std::memcpy(address.sun_path, name.data(), name.size());
  const bool abstract = name.starts_with('@');
  if (abstract) address.sun_path[0] = '\0';
  const std::size_t length = abstract ? offsetof(sockaddr_un, sun_path) + name.size() : sizeof address;
  UniqueFd fd(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  if (!fd) return Error::os(errno, "socket");
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), static_cast<socklen_t>(length)) < 0)
    return Error::os(errno, "connect").during(path);
  return fd;
}

Result<void> wait_until(int socket, short events, std::chrono::steady_clock::time_point deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    if (left <= 0) return Error::os(ETIMEDOUT, "poll");
    pollfd waiting{.fd = socket, .events = events, .revents = 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(std::min<long long>(left, 1000000)));
    if (ready > 0) return ok();
    if (ready < 0 && errno != EINTR) return Error::os(errno, "poll");
  }
}

}  // namespace

Result<UniqueFd> connect_unix(const std::string& path) { return connect_to(path, SOCK_STREAM); }

Result<UniqueFd> connect_unix_datagram(const std::string& address) { return connect_to(address, SOCK_DGRAM); }

namespace {

Result<UniqueFd> bind_unix(int directory, const std::string& name, int type) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = "/proc/self/fd/" + std::to_string(directory) + "/" + name;
  if (path.size() >= sizeof address.sun_path) return Error::of(Kind::invalid, "socket name is too long").during(name);
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd fd(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  if (!fd) return Error::os(errno, "socket");
  raw::call(SYS_unlinkat, directory, name.c_str(), 0);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0)
    return Error::os(errno, "bind").during(name);
  return fd;
}

}  // namespace

Result<UniqueFd> listen_unix_datagram(int directory, const std::string& name, unsigned mode) {
  UniqueFd fd = TRY(bind_unix(directory, name, SOCK_DGRAM));
  const long r = raw::call(SYS_fchmodat, directory, name.c_str(), mode);
  if (r < 0) return Error::os(static_cast<int>(-r), "chmod").during(name);
  return fd;
}

Result<UniqueFd> bind_unix_stream(int directory, const std::string& name) {
  return bind_unix(directory, name, SOCK_STREAM);
}

Result<void> listen_on(int socket) {
  constexpr int backlog = 64;
  return ::listen(socket, backlog) == 0 ? ok() : Error::os(errno, "listen");
}

Result<UniqueFd> accept_client(int socket, std::chrono::seconds patience) {
  UniqueFd client(::accept4(socket, nullptr, nullptr, SOCK_CLOEXEC));
  if (!client) return Error::os(errno, "accept4");
  const timeval limit{.tv_sec = patience.count(), .tv_usec = 0};
  if (::setsockopt(client.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0)
    return Error::os(errno, "setsockopt");
  return client;
}

Result<std::pair<UniqueFd, UniqueFd>> message_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return Error::os(errno, "socketpair");
  return std::pair(UniqueFd(ends[0]), UniqueFd(ends[1]));
}

Result<void> send_with_descriptors(int socket, std::string_view text, const int* descriptors, std::size_t count) {
  if (count > max_descriptors) return Error::of(Kind::invalid, "too many descriptors for one message");
  alignas(cmsghdr) char control[CMSG_SPACE(max_descriptors * sizeof(int))] = {};
  iovec part{.iov_base = const_cast<char*>(text.data()), .iov_len = text.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (count > 0) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    std::memcpy(CMSG_DATA(header), descriptors, count * sizeof(int));
  }
  for (;;) {
    if (::sendmsg(socket, &message, MSG_NOSIGNAL) >= 0) return ok();
    if (errno != EINTR) return Error::os(errno, "sendmsg");
  }
}

Result<void> send_all(int socket, std::string_view text, std::chrono::steady_clock::time_point deadline) {
  while (!text.empty()) {
    const ssize_t sent = ::send(socket, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      text.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      TRY(wait_until(socket, POLLOUT, deadline));
    } else if (errno != EINTR) {
      return Error::os(errno, "send");
    }
  }
  return ok();
}

Result<std::string> receive_some(int socket, std::chrono::steady_clock::time_point deadline) {
  for (;;) {
    char buffer[4096];
    const ssize_t n = ::recv(socket, buffer, sizeof buffer, MSG_DONTWAIT);
    if (n >= 0) return std::string(buffer, static_cast<std::size_t>(n));
    if (errno == EAGAIN) {
      TRY(wait_until(socket, POLLIN, deadline));
    } else if (errno != EINTR) {
      return Error::os(errno, "recv");
    }
  }
}

Result<std::size_t> next_message_length(int socket) {
  char byte = 0;
  for (;;) {
    const ssize_t length = ::recv(socket, &byte, sizeof byte, MSG_PEEK | MSG_TRUNC);
    if (length >= 0) return static_cast<std::size_t>(length);
    if (errno != EINTR) return Error::os(errno, "recv");
  }
}

Result<Message> receive_message(int socket, std::size_t limit) {
  Message out;
  out.text.resize(limit);
  alignas(cmsghdr) char control[CMSG_SPACE(max_descriptors * sizeof(int))];
  iovec part{.iov_base = out.text.data(), .iov_len = out.text.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  long n = 0;
  do n = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  while (n < 0 && errno == EINTR);
  if (n < 0) return Error::os(errno, "recvmsg");
  for (cmsghdr* h = CMSG_FIRSTHDR(&message); h != nullptr; h = CMSG_NXTHDR(&message, h)) {
    if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(h) + i * sizeof(int), sizeof fd);
      out.descriptors.emplace_back(fd);
    }
  }
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) return Error::of(Kind::invalid, "message is too long");
  out.text.resize(static_cast<std::size_t>(n));
  return out;
}

}  // namespace caisson::sys

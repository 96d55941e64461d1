#include "caisson/sys/route.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <cstring>

#include "caisson/sys/raw.h"

namespace caisson::sys {
namespace {

constexpr std::size_t aligned(std::size_t size) { return (size + 3) & ~std::size_t{3}; }

template <class Plain>
std::string_view bytes_of(const Plain& plain) {
  return {reinterpret_cast<const char*>(&plain), sizeof plain};
}

template <class Plain>
bool read_plain(std::string_view from, Plain& out) {
  if (from.size() < sizeof out) return false;
  std::memcpy(&out, from.data(), sizeof out);
  return true;
}

// A request in the making: header, fixed part, attributes. The length is filled in by take().
class Request {
 public:
  template <class Fixed>
  Request(std::uint16_t type, std::uint16_t flags, const Fixed& fixed) {
    const nlmsghdr header{0, type, static_cast<std::uint16_t>(flags | NLM_F_REQUEST), 1, 0};
    text_.append(bytes_of(header)).append(bytes_of(fixed));
    pad();
  }
  Request& add(std::uint16_t type, std::string_view value) {
    const rtattr attribute{static_cast<std::uint16_t>(sizeof(rtattr) + value.size()), type};
    text_.append(bytes_of(attribute)).append(value);
    pad();
    return *this;
  }
  std::string take() {
    const auto length = static_cast<std::uint32_t>(text_.size());
    std::memcpy(text_.data(), &length, sizeof length);
    return std::move(text_);
  }

 private:
  void pad() { text_.resize(aligned(text_.size())); }
  std::string text_;
};

template <class Use>
void for_each_attribute(std::string_view left, Use use) {
  rtattr attribute{};
  while (read_plain(left, attribute)) {
    if (attribute.rta_len < sizeof attribute || attribute.rta_len > left.size()) return;
    use(attribute.rta_type & NLA_TYPE_MASK, left.substr(sizeof attribute, attribute.rta_len - sizeof attribute));
    left.remove_prefix(std::min(aligned(attribute.rta_len), left.size()));
  }
}

// NLMSG_ERROR: errno, the request's header, and the kernel's words where it has any.
Result<void> error_of(std::string_view message, std::uint16_t flags) {
  nlmsgerr error{};
  if (!read_plain(message, error)) return Error::of(Kind::os, "netlink: a short answer");
  if (error.error == 0) return ok();
  std::string why;
  if ((flags & NLM_F_ACK_TLVS) != 0)
    for_each_attribute(message.substr(sizeof error), [&](int type, std::string_view value) {
      if (type == NLMSGERR_ATTR_MSG) why = value.substr(0, value.find('\0'));
    });
  return Error::os(-error.error, why.empty() ? "netlink" : "netlink (" + why + ")");
}

std::string_view text_of(std::string_view value) { return value.substr(0, value.find('\0')); }

std::string terminated(const std::string& text) { return text + '\0'; }

}  // namespace

NetDevice parse_device(std::string_view message) {
  NetDevice out;
  ifinfomsg fixed{};
  if (!read_plain(message, fixed)) return out;
  out.index = fixed.ifi_index;
  out.up = (fixed.ifi_flags & IFF_UP) != 0;
  for_each_attribute(message.substr(sizeof fixed), [&](int type, std::string_view value) {
    if (type == IFLA_IFNAME) out.name = text_of(value);
  });
  return out;
}

NetAddress parse_address(std::string_view message) {
  NetAddress out;
  ifaddrmsg fixed{};
  if (!read_plain(message, fixed)) return out;
  out.index = static_cast<int>(fixed.ifa_index);
  out.family = fixed.ifa_family;
  out.prefix = fixed.ifa_prefixlen;
  out.scope = fixed.ifa_scope;
  out.flags = fixed.ifa_flags;
  for_each_attribute(message.substr(sizeof fixed), [&](int type, std::string_view value) {
    if (type == IFA_LOCAL) out.local = value;
    if (type == IFA_ADDRESS) out.peer = value;
    if (type == IFA_BROADCAST) out.broadcast = value;
    if (type == IFA_FLAGS) read_plain(value, out.flags);
  });
  if (out.local.empty()) out.local = out.peer;  // IPv6 without a peer says only IFA_ADDRESS
  return out;
}

Result<RouteSocket> RouteSocket::open() {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!fd) return Error::os(errno, "netlink socket");
  for (const int option : {NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK}) {
    const int on = 1;  // a kernel without it tells less
    (void)::setsockopt(fd.get(), SOL_NETLINK, option, &on, sizeof on);
  }
  return RouteSocket(std::move(fd));
}

Result<void> RouteSocket::send(const std::string& request) const {
  const sockaddr_nl kernel{.nl_family = AF_NETLINK, .nl_pad = 0, .nl_pid = 0, .nl_groups = 0};
  const long n = raw::call_retrying(SYS_sendto, fd_.get(), request.data(), request.size(), 0, &kernel, sizeof kernel);
  if (n < 0) return Error::os(static_cast<int>(-n), "netlink: send");
  return ok();
}

// Reads answers until the last; `use` gets the type and what follows the header of each that is not the end.
template <class Use>
Result<void> RouteSocket::dump(const std::string& request, Use use) const {
  TRY(send(request));
  std::string buffer(64 << 10, '\0');  // as large as the kernel makes them
  for (;;) {
    const long n = raw::call_retrying(SYS_recvfrom, fd_.get(), buffer.data(), buffer.size(), 0, nullptr, nullptr);
    if (n < 0) return Error::os(static_cast<int>(-n), "netlink: receive");
    if (n == 0) return Error::of(Kind::os, "netlink: no answer");
    std::string_view left(buffer.data(), static_cast<std::size_t>(n));
    nlmsghdr header{};
    while (read_plain(left, header)) {
      if (header.nlmsg_len < sizeof header || header.nlmsg_len > left.size()) break;
      const std::string_view body = left.substr(sizeof header, header.nlmsg_len - sizeof header);
      if (header.nlmsg_type == NLMSG_DONE) {
        int error = 0;
        if (read_plain(body, error) && error < 0) return Error::os(-error, "netlink");
        return ok();
      }
      if (header.nlmsg_type == NLMSG_ERROR) return error_of(body, header.nlmsg_flags);
      if (header.nlmsg_type != NLMSG_NOOP) use(header.nlmsg_type, body);
      left.remove_prefix(std::min(aligned(header.nlmsg_len), left.size()));
    }
  }
}

Result<void> RouteSocket::acknowledged(const std::string& request) const {
  return dump(request, [](int, std::string_view) {});
}

Result<NetDevice> RouteSocket::device(const std::string& name) const {
  NetDevice out;
  Request request(RTM_GETLINK, NLM_F_ACK, ifinfomsg{});
  request.add(IFLA_IFNAME, terminated(name));
  TRY(dump(request.take(), [&](int type, std::string_view body) {
    if (type == RTM_NEWLINK) out = parse_device(body);
  }));
  if (out.index == 0) return Error::os(ENODEV, "netlink");
  return out;
}

Result<std::vector<NetDevice>> RouteSocket::devices() const {
  std::vector<NetDevice> out;
  Request request(RTM_GETLINK, NLM_F_DUMP, ifinfomsg{});
  TRY(dump(request.take(), [&](int type, std::string_view body) {
    if (type == RTM_NEWLINK) out.push_back(parse_device(body));
  }));
  return out;
}

Result<std::vector<NetAddress>> RouteSocket::addresses(int index) const {
  std::vector<NetAddress> out;
  Request request(RTM_GETADDR, NLM_F_DUMP, ifaddrmsg{});
  TRY(dump(request.take(), [&](int type, std::string_view body) {
    NetAddress address = parse_address(body);
    if (type == RTM_NEWADDR && address.index == index) out.push_back(std::move(address));
  }));
  return out;
}

Result<void> RouteSocket::move(int index, const std::string& name, int network_namespace) const {
  ifinfomsg fixed{};
  fixed.ifi_index = index;
  Request request(RTM_NEWLINK, NLM_F_ACK, fixed);
  request.add(IFLA_IFNAME, terminated(name));
  request.add(IFLA_NET_NS_FD, bytes_of(network_namespace));
  return acknowledged(request.take());
}

Result<void> RouteSocket::add_address(int index, const NetAddress& address) const {
  ifaddrmsg fixed{};
  fixed.ifa_family = address.family;
  fixed.ifa_prefixlen = address.prefix;
  fixed.ifa_scope = address.scope;
  fixed.ifa_index = static_cast<std::uint32_t>(index);
  constexpr std::uint32_t kept = IFA_F_NODAD | IFA_F_NOPREFIXROUTE | IFA_F_MANAGETEMPADDR | IFA_F_MCAUTOJOIN;
  Request request(RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, fixed);
  request.add(IFA_LOCAL, address.local);
  request.add(IFA_ADDRESS, address.peer);
  if (!address.broadcast.empty()) request.add(IFA_BROADCAST, address.broadcast);
  const std::uint32_t flags = address.flags & kept;
  request.add(IFA_FLAGS, bytes_of(flags));
  return acknowledged(request.take());
}

Result<void> RouteSocket::set_up(int index) const {
  ifinfomsg fixed{};
  fixed.ifi_index = index;
  fixed.ifi_flags = IFF_UP;
  fixed.ifi_change = IFF_UP;
  Request request(RTM_NEWLINK, NLM_F_ACK, fixed);
  return acknowledged(request.take());
}

}  // namespace caisson::sys

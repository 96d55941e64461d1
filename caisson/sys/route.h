// The few things that are asked of rtnetlink: a device by its name, its addresses, its move to another namespace.
// Layer: sys. Used by runtime for linux.netDevices.
// SPDX-License-Identifier: Apache-2.0
//
// By hand and not with libnl: four requests, of which each is a fixed header and at most four attributes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "caisson/base/result.h"
#include "caisson/sys/unique_fd.h"

namespace caisson::sys {

struct NetDevice {
  int index = 0;
  std::string name;
  bool up = false;
};

struct NetAddress {
  int index = 0;             // of its device
  unsigned char family = 0;  // AF_INET, AF_INET6
  unsigned char prefix = 0;
  unsigned char scope = 0;             // RT_SCOPE_*
  std::uint32_t flags = 0;             // IFA_F_*
  std::string local, peer, broadcast;  // bytes in network order; empty where there is none
};

// One NETLINK_ROUTE socket, of the network namespace it was opened in.
class RouteSocket {
 public:
  static Result<RouteSocket> open();

  //   errors  os ENODEV
  Result<NetDevice> device(const std::string& name) const;
  Result<std::vector<NetDevice>> devices() const;
  Result<std::vector<NetAddress>> addresses(int index) const;

  // In one step: where the name is taken nothing happens to the device. A name with %d gets a number there.
  //   errors  os EEXIST: the name is taken; EINVAL: the device cannot leave (lo); with the kernel's own words if any
  Result<void> move(int index, const std::string& name, int network_namespace) const;
  Result<void> add_address(int index, const NetAddress& address) const;
  Result<void> set_up(int index) const;

 private:
  explicit RouteSocket(UniqueFd fd) : fd_(std::move(fd)) {}
  Result<void> send(const std::string& request) const;
  Result<void> acknowledged(const std::string& request) const;
  template <class Use>
  Result<void> dump(const std::string& request, Use use) const;
  UniqueFd fd_;
};

// The kernel's message, as parsed: pure, for tests. Bytes that end early give what was whole.
NetDevice parse_device(std::string_view message);
NetAddress parse_address(std::string_view message);

}  // namespace caisson::sys

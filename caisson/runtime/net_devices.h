// linux.netDevices: network devices of the host, moved into the container's network namespace.
// Layer: runtime. Used by creation.cc, and only for a container that has some.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "caisson/base/result.h"
#include "caisson/oci/spec.h"
#include "caisson/sys/route.h"
#include "caisson/sys/unique_fd.h"

namespace caisson::runtime {

struct NetDeviceMove {
  std::string name;    // on the host
  std::string inside;  // may be a template: "eth%d"
};

// Pure. errors: invalid: two devices would have one name
Result<std::vector<NetDeviceMove>> plan_net_devices(const oci::Linux& linux);

// As runc 1.4: a device keeps its permanent addresses of global scope, and is up inside. Unlike there, nothing is done
// to any before all were found and their names are free, and one that cannot move is left as it is.
// source: runtime-spec config-linux.md "Network Devices"
class NetDevices {
 public:
  //   network_namespace  the container's; borrowed
  //   errors  os ENODEV, EEXIST (the name is taken inside), EPERM: with the device's name; those that had been moved
  //           are back
  static Result<NetDevices> move(const std::vector<NetDeviceMove>& moves, int network_namespace);

  // Undoes it, for a creation that fails later: names, addresses and state as they were. What fails is left.
  void give_back();

 private:
  struct Device {
    NetDeviceMove move;
    sys::NetDevice before;
    std::vector<sys::NetAddress> addresses;  // that go with it
    int index_inside = 0;                    // 0: not moved
  };
  NetDevices(sys::UniqueFd home, sys::RouteSocket here, sys::RouteSocket inside)
      : home_(std::move(home)), here_(std::move(here)), inside_(std::move(inside)) {}
  Result<void> look_up(const NetDeviceMove& move);
  Result<void> bring_in(Device& device, int network_namespace) const;
  Result<int> index_of(const Device& device, const std::vector<sys::NetDevice>& before) const;

  sys::UniqueFd home_;  // our network namespace
  sys::RouteSocket here_, inside_;
  std::vector<Device> devices_;
};

}  // namespace caisson::runtime

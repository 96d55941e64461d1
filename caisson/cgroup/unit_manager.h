// systemd by D-Bus: units started, changed and stopped, and the jobs of that waited for.
// Layer: cgroup. Used by the runtime's systemd driver; nothing of it runs without the driver.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "caisson/base/result.h"
#include "caisson/cgroup/unit_name.h"
#include "caisson/cgroup/unit_properties.h"
#include "caisson/dbus/connection.h"

namespace caisson::cgroup {

// What says where the buses are; empty where the environment says nothing.
struct BusEnvironment {
  std::string system_address;     // DBUS_SYSTEM_BUS_ADDRESS
  std::string session_address;    // DBUS_SESSION_BUS_ADDRESS
  std::string runtime_directory;  // XDG_RUNTIME_DIR
};

struct Endpoint {
  std::string socket;
  dbus::Peer peer;
  bool operator==(const Endpoint&) const = default;
};

// In the order to try them: the bus, then the private socket that only systemd's own user may connect to.
std::vector<Endpoint> endpoints(Systemd systemd, const BusEnvironment& environment);

class UnitManager {
 public:
  //   errors  unsupported: no systemd there
  static Result<UnitManager> connect(const std::vector<Endpoint>& endpoints);

  unsigned version() const { return version_; }
  const std::string& cgroup() const { return cgroup_; }  // see place_unit()

  // Waits until it runs. A unit of that name that has failed is forgotten first.
  //   errors  conflict: it exists and has not failed
  Result<void> start(const std::string& unit, const Properties& properties);
  Result<void> set_properties(const std::string& unit, const Properties& properties);
  // Waits until it is stopped and no failure is remembered. One that is not there is success.
  Result<void> stop(const std::string& unit);
  // Moves a process into the unit, with systemd's rights.
  Result<void> attach(const std::string& unit, pid_t pid);

 private:
  explicit UnitManager(dbus::Connection connection) : connection_(std::move(connection)) {}
  Result<dbus::Message> call(const char* member, dbus::Body body, sys::Instant deadline);
  Result<std::string> property(const char* name, sys::Instant deadline);
  Result<void> subscribe(sys::Instant deadline);
  void reset_failed(const std::string& unit);
  Result<std::string> wait_job(const dbus::Message& reply, sys::Instant deadline);

  dbus::Connection connection_;
  std::string owner_;  // systemd's own name on the bus
  std::string cgroup_;
  unsigned version_ = 0;
  bool subscribed_ = false;
};

}  // namespace caisson::cgroup

// The calls that trace looks at: those of nest's tables (trapped calls, grants), and what else asks for privilege.
// Layer: trace (pure). Used by judge.cc and the tests.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "caisson/nest/grants.h"

namespace caisson::trace {

// When a call asks for privilege at all.
enum class Asks : unsigned char {
  always,
  never,              // one that nest traps for another reason
  device_node,        // the mode says a device
  hard_limit,         // one is raised
  lower_nice,         // than now
  real_time,          // a scheduling policy or I/O class above all others
  trusted_attribute,  // its name says so
  namespaces,         // flags in the first argument
  namespaces_clone,   // the same, with a signal in the low byte
  namespaces_clone3,  // flags in a struct
  capabilities,       // kept by name for what is run next: those that a grant gives
  opens,              // for writing: what it is decides
  makes_directory,    // of a cgroup
  sets_interface,     // an ioctl
  socket,             // remembered for `netlink`
  netlink,            // a message that changes the network
  firewall,           // a socket option of it
};

struct TracedCall {
  const char* name;
  Asks asks;
  // What it needs where no table of nest's names the call. "any": every container has it. "host": nobody but the
  // host's root, so that no grant serves it.
  const char* capability;
  // An argument a letter: p path, @ the directory of the next path, s text, i number, x flags, o mode, D device,
  // f descriptor, - not shown.
  const char* arguments;
};
std::span<const TracedCall> traced_calls();

struct Served {
  enum class By : unsigned char { grant, anybody, nobody } by = By::nobody;
  nest::Grant grant = nest::Grant::always;
  std::string name;  // as in a list of grants: "mknod", "device:/dev/sda"; empty unless by grant

  bool operator==(const Served&) const = default;
};

// From nest's tables: the trapped call's grant, else that which opens the call, else that which has the capability.
Served served(const TracedCall& call);
Served served_by_capability(std::string_view capability);
// Writing there; absent: no privilege is asked for that a plain container has not. `is_device`: a node of one.
std::optional<Served> served_path(std::string_view path, bool is_device);

}  // namespace caisson::trace

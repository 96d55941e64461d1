// Judge: whether a stopped task's call asks for privilege, with which arguments, and what serves it.
// Layer: trace. Used by tracer.cc. Reads the task's memory and /proc; changes nothing.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "caisson/trace/report.h"

namespace caisson::trace {

struct Call {
  pid_t task = 0;
  std::uint32_t abi = 0;  // AUDIT_ARCH_*
  std::uint64_t number = 0;
  std::array<std::uint64_t, 6> arguments = {};
};

class Judge {
 public:
  Judge();

  // Empty: nothing of interest, or its memory cannot be read and the kernel will say EFAULT. Several: capabilities.
  std::vector<Operation> judge(const Call& call) const;
  // The task has become another program. A sentence if that has less privilege than it would have without us.
  // source: cap_bprm_creds_from_file() in linux security/commoncap.c: a tracer without privilege takes set-id away
  std::string weakened(pid_t task) const;
  // What `socket` returned: messages sent there are looked at from now on.
  void remember_socket(const Call& call, std::int64_t descriptor);

 private:
  const TracedCall* find(const Call& call) const;
  bool asks(const TracedCall& traced, const Call& call) const;
  bool changes_network(const TracedCall& traced, const Call& call) const;
  Served served_in_place(const TracedCall& traced, const Call& call) const;
  std::optional<Served> served_file(const TracedCall& traced, const Call& call, const std::string& path) const;

  std::unordered_map<std::uint64_t, const TracedCall*> by_number_;
  std::map<std::string, std::uint64_t> sockets_;  // "socket:[7]": its netlink protocol
  std::string own_user_namespace_;
};

}  // namespace caisson::trace

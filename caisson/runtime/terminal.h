// The container's terminal: made in the container's own devpts, its master handed to whoever asked for it.
// Layer: runtime. Used by process_setup.cc in the container; relay.h is the other end for a foreground `run -t`.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "caisson/base/result.h"
#include "caisson/oci/process.h"
#include "caisson/sys/unique_fd.h"

namespace caisson::runtime {

class Terminal {
 public:
  // /dev/ptmx of the current root; both ends are checked to be of a devpts. CVE-2025-52565
  static Result<Terminal> open();

  Result<void> resize(const oci::ConsoleSize& size) const;
  // Mounts the slave, by descriptor, on /dev/console, which is made if it is missing and must not be a link.
  Result<void> bind_to_console() const;
  // One message with the descriptor, as engines expect it. source: runc docs/terminals.md
  Result<void> send_master(int socket) const;
  // Controlling terminal, 0, 1 and 2, owned by `uid`. The caller leads a session.
  Result<void> become_stdio(std::uint32_t uid) const;

 private:
  Terminal(sys::UniqueFd master, sys::UniqueFd slave) : master_(std::move(master)), slave_(std::move(slave)) {}
  sys::UniqueFd master_, slave_;
};

}  // namespace caisson::runtime

// The last step of a container's process: wait for `start`, drop what is left to drop, become the program.
// Layer: runtime. Called by process_setup.h. See child_stage.cc for its rules.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <linux/filter.h>

#include <cstdint>

namespace caisson::runtime {

// As capset(2) takes them.
struct CapabilitySet {
  std::uint32_t effective_low, permitted_low, inheritable_low;
  std::uint32_t effective_high, permitted_high, inheritable_high;
};

// Everything the last step needs, laid out before it. Plain data: no owner, no destructor, no std type.
struct ChildPlan {
  int start_fd;              // a byte is read from it first; end of file ends the process. -1: go at once
  bool filter_first;         // seccomp before the capabilities are dropped: without no_new_privs it needs CAP_SYS_ADMIN
  const sock_fprog* filter;  // null: none, or loaded already
  unsigned filter_flags;
  CapabilitySet before;  // until the filter is loaded
  CapabilitySet after;   // what the program gets
  std::uint64_t ambient;
  const char* path;           // absolute, or relative to the working directory
  const char* const* argv;    // null-terminated
  const char* const* envp;    // null-terminated
  int report_fd;              // gets "xERRNO STEP" on failure; a socket that closes on exec. -1: errors go to stderr
  const char* const* errors;  // text of errno i, for i < error_count
  unsigned error_count;
};

[[noreturn]] void run_child(const ChildPlan& plan) noexcept;

}  // namespace caisson::runtime

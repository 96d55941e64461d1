// Turns the calling process into the one that config.json describes: terminal, keyring, ids, capabilities, program.
// Layer: runtime. Runs in the container, in a child that container_init.h or exec.cc made.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "caisson/base/result.h"
#include "caisson/runtime/channel.h"
#include "caisson/runtime/process_plan.h"
#include "caisson/seccomp/compile.h"

namespace caisson::runtime {

struct ProcessRequest {
  const ProcessPlan* plan = nullptr;
  const seccomp::Program* filter = nullptr;
  std::string keyring;        // name of a new session keyring; empty: keep the caller's
  int console_socket = -1;    // receives the terminal's master
  bool bind_console = false;  // mount the terminal on /dev/console: the first process
  bool make_cwd = false;      // make a working directory that is missing: the first process too
  int proc = -1;              // O_PATH of a /proc that nobody inside can have changed; -1: not needed
  bool take_rlimits = true;   // limits.h, RlimitsBy
  bool may_set_groups = true;
  int preserved = 0;  // descriptors after 2 that the program gets
};

// Does all that a failure can still be told about in words; what is left is become().
class ProcessSetup {
 public:
  explicit ProcessSetup(const ProcessRequest& request) : request_(request) {}

  // New session, terminal on 0, 1 and 2, keyring. With the rights of the container's root.
  Result<void> begin();
  // Groups, ids, capabilities (all but the last step), working directory, and where the program is.
  //   errors  runc's texts: `exec: "x": executable file not found in $PATH`
  Result<void> settle();
  // A filter with a listener is loaded before the end, so that somebody is there to take the descriptor.
  Result<std::optional<int>> load_listener();

  // Closes everything but 0 to 2 and what is preserved, waits for a byte on start_fd, and execs.
  // `report` -1: there is nobody to report to any more but the container's stderr.
  [[noreturn]] void become(int start_fd, int report);

 private:
  Result<void> take_terminal();
  Result<void> enter_directory(bool again);
  Result<void> label();

  ProcessRequest request_;
  std::string program_;
  bool filter_loaded_ = false;
  bool entered_ = false;  // its working directory
};

// Where execvp(3) would find the program, checked as the calling process' user.
//   errors  runc's texts, which engines turn into 126 and 127
Result<std::string> find_program(const std::string& name, const std::vector<std::string>& env);

// HOME from the container's /etc/passwd when the environment has none, as runc. In the container's root.
Result<void> add_home(std::vector<std::string>& env, std::uint32_t uid);

}  // namespace caisson::runtime

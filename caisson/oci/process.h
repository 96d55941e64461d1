// config.json `process`: what runs, as whom, and with which privileges. Also the file that `exec --process` reads.
// Layer: oci (plain data). Used by runtime and nest.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "caisson/base/result.h"

namespace caisson::oci {

struct ConsoleSize {
  std::uint32_t height = 0;  // characters
  std::uint32_t width = 0;
  bool operator==(const ConsoleSize&) const = default;
};

struct User {
  std::uint32_t uid = 0;  // ids as seen inside the container
  std::uint32_t gid = 0;
  std::optional<std::uint32_t> umask{};
  std::vector<std::uint32_t> additional_gids{};
  bool operator==(const User&) const = default;
};

// Names as written, "CAP_KILL"; kernel_names.h turns them into numbers. Unknown ones are the caller's to ignore.
struct Capabilities {
  std::vector<std::string> bounding{};
  std::vector<std::string> effective{};
  std::vector<std::string> inheritable{};
  std::vector<std::string> permitted{};
  std::vector<std::string> ambient{};
  bool operator==(const Capabilities&) const = default;
};

struct Rlimit {
  std::string type{};  // "RLIMIT_NOFILE"
  std::uint64_t soft = 0;
  std::uint64_t hard = 0;  // RLIM_INFINITY is 2^64-1
  bool operator==(const Rlimit&) const = default;
};

struct Scheduler {
  std::string policy{};  // "SCHED_OTHER"
  std::int32_t nice = 0;
  std::int32_t priority = 0;
  std::vector<std::string> flags{};  // "SCHED_FLAG_RESET_ON_FORK"
  std::uint64_t runtime = 0;         // nanoseconds; these three are for SCHED_DEADLINE
  std::uint64_t deadline = 0;
  std::uint64_t period = 0;
  bool operator==(const Scheduler&) const = default;
};

struct IoPriority {
  std::string io_class{};  // "IOPRIO_CLASS_BE"
  std::int32_t priority = 0;
  bool operator==(const IoPriority&) const = default;
};

struct ExecCpuAffinity {
  std::string initial{};  // lists such as "0-3,7"
  std::string final{};
  bool operator==(const ExecCpuAffinity&) const = default;
};

struct Process {
  bool terminal = false;
  std::optional<ConsoleSize> console_size{};
  User user;
  std::vector<std::string> args{};
  std::vector<std::string> env{};
  std::string cwd{};
  std::optional<Capabilities> capabilities{};
  std::vector<Rlimit> rlimits{};
  bool no_new_privileges = false;
  std::optional<std::int32_t> oom_score_adj{};
  std::string apparmor_profile{};
  std::string selinux_label{};
  std::optional<Scheduler> scheduler{};
  std::optional<IoPriority> io_priority{};
  std::optional<ExecCpuAffinity> exec_cpu_affinity{};
  bool operator==(const Process&) const = default;
};

// errors: invalid, naming the field: "process.json: user.uid: must be an integer"
Result<Process> parse_process(std::string_view text);

std::string print_process(const Process& process);

}  // namespace caisson::oci

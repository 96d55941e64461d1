// config.json `linux.seccomp`: which system calls are allowed, refused or handed to a listener.
// Layer: oci (plain data; names stay text, the seccomp library compiles them). Used by seccomp, runtime and nest.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace caisson::oci {

struct SyscallArg {
  std::uint32_t index = 0;
  std::uint64_t value = 0;
  std::uint64_t value_two = 0;  // for SCMP_CMP_MASKED_EQ: value is the mask, this the datum
  std::string op{};             // "SCMP_CMP_EQ"
  bool operator==(const SyscallArg&) const = default;
};

struct SyscallRule {
  std::vector<std::string> names{};
  std::string action{};  // "SCMP_ACT_ALLOW"
  std::optional<std::uint32_t> errno_ret{};
  std::vector<SyscallArg> args{};
  bool operator==(const SyscallRule&) const = default;
};

struct Seccomp {
  std::string default_action{};
  std::optional<std::uint32_t> default_errno_ret{};
  std::vector<std::string> architectures{};  // "SCMP_ARCH_X86_64"
  std::vector<std::string> flags{};          // "SECCOMP_FILTER_FLAG_LOG"
  std::string listener_path{};               // a socket that receives the notify descriptor
  std::string listener_metadata{};
  std::vector<SyscallRule> syscalls{};
  bool operator==(const Seccomp&) const = default;
};

}  // namespace caisson::oci

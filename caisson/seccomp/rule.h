// Rule: one checked rule of a profile, its texts turned into the kernel's numbers.
// Layer: seccomp (pure). Used by compile.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "caisson/base/result.h"
#include "caisson/oci/seccomp.h"

namespace caisson::seccomp {

enum class Operator : unsigned char { ne, lt, le, eq, ge, gt, masked_eq };

struct Condition {
  std::uint32_t index = 0;  // which argument, 0 to 5
  Operator op = Operator::eq;
  std::uint64_t value = 0;
  std::uint64_t mask = 0;  // masked_eq: (argument & mask) == value
};

struct Rule {
  std::uint32_t action = 0;           // SECCOMP_RET_*, with its data
  std::vector<Condition> conditions;  // all must hold
};

// "SCMP_ACT_ERRNO" and an errno as the value a filter returns.
Result<std::uint32_t> action_value(const std::string& action, std::optional<std::uint32_t> errno_ret);

// "errno(1)"
std::string action_text(std::uint32_t action);

// One rule, or one for each condition when two of them name the same argument.
Result<std::vector<Rule>> rules_of(const oci::SyscallRule& source);

}  // namespace caisson::seccomp

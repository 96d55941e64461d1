// The texts of a compiled profile: one line for `plan`, a listing for tests and people.
// Layer: seccomp (pure). Declared in compile.h.
// SPDX-License-Identifier: Apache-2.0
#include <linux/seccomp.h>

#include <algorithm>

#include "caisson/seccomp/compile.h"
#include "caisson/seccomp/rule.h"
#include "caisson/seccomp/syscall_table.h"

namespace caisson::seccomp {
namespace {

std::string operation_text(std::uint16_t code) {
  switch (BPF_OP(code)) {
    case BPF_JA:
      return "ja";
    case BPF_JEQ:
      return "jeq";
    case BPF_JGT:
      return "jgt";
    case BPF_JGE:
      return "jge";
    default:
      return "jset";
  }
}

}  // namespace

std::string to_text(const oci::Seccomp& profile, const Program& program) {
  std::size_t names = 0;
  for (const oci::SyscallRule& rule : profile.syscalls) names += rule.names.size();
  const auto action = action_value(profile.default_action, profile.default_errno_ret);
  std::string out = (action ? action_text(*action) : profile.default_action) + " by default, " + std::to_string(names) +
                    " rules, " + std::to_string(program.filter.size()) + " instructions";
  for (const std::string& name : profile.architectures) out += ", " + name;
  for (const std::string& name : profile.flags) out += ", " + name;
  if (program.notify) out += ", notifies " + profile.listener_path;
  return out;
}

std::string to_listing(const std::vector<sock_filter>& filter) {
  std::string out;
  for (std::size_t i = 0; i < filter.size(); ++i) {
    const sock_filter& f = filter[i];
    out += std::to_string(i) + " ";
    switch (BPF_CLASS(f.code)) {
      case BPF_LD:
        out += "load " + std::to_string(f.k);
        break;
      case BPF_ALU:
        out += "and " + std::to_string(f.k);
        break;
      case BPF_RET:
        out += "return " + action_text(f.k);
        break;
      default:
        out += operation_text(f.code) + " " + std::to_string(f.k);
        if (BPF_OP(f.code) != BPF_JA) out += " " + std::to_string(i + 1 + f.jt) + " " + std::to_string(i + 1 + f.jf);
    }
    out += "\n";
  }
  return out;
}

}  // namespace caisson::seccomp

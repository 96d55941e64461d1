// compile: config.json's linux.seccomp as a BPF program for seccomp(2).
// Layer: seccomp (pure: no system calls). Used by runtime's plan; the child loads the program.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <linux/filter.h>

#include <string>
#include <vector>

#include "caisson/base/result.h"
#include "caisson/oci/seccomp.h"

namespace caisson::seccomp {

struct Program {
  std::vector<sock_filter> filter;
  unsigned flags = 0;   // of seccomp(2) SECCOMP_SET_MODE_FILTER, with NEW_LISTENER when `notify`
  bool notify = false;  // seccomp(2) returns a descriptor, which goes to the profile's listenerPath
};

// As runc and libseccomp read a profile:
//   * a name that no ABI of this machine has is skipped; a rule with the default's action is no rule;
//   * for one call, a rule without conditions outweighs those with; among those, the first that matches decides;
//   * conditions of one rule must all hold, but if two name the same argument each is a rule of its own;
//   * an architecture that the profile does not list kills the thread. The native one is always listed;
//   * a call newer than the newest in the profile gives ENOSYS, not the default's EPERM, so that libc falls back to
//     an older call, unless the default lets calls through.
// Errors name the place inside linux.seccomp, which the caller adds.
//   errors  invalid: unknown action, operator, architecture or flag; errno out of range; notify where it cannot be
Result<Program> compile(const oci::Seccomp& source);

// One line for `plan`: "errno(1) by default, 424 rules for x86_64 x86 x32, 531 instructions".
std::string to_text(const oci::Seccomp& profile, const Program& program);

// The program, an instruction a line. For tests and people.
std::string to_listing(const std::vector<sock_filter>& filter);

}  // namespace caisson::seccomp

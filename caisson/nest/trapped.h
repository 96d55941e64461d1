// The system calls that a nest's supervisor answers: the one table. The filter, the decoder, the guide and the tests
// derive from it. Layer: nest (pure). Used by plan_seccomp.cc and supervisor.cc. Nothing that must be refused rests on
// it (DESIGN D1). SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "caisson/nest/grants.h"
#include "caisson/oci/seccomp.h"
#include "caisson/seccomp/notify.h"

namespace caisson::nest {

struct Call;
using Handler = seccomp::Answer (*)(Call& call);

// Which of a name's calls are trapped. Rules do not overlap, so that it does not matter which one a runtime asks first.
enum class When : unsigned char {
  always,
  new_filesystem,  // mount: no bind, move, remount or change of propagation
  by_descriptor,   // move_mount: what is moved is a descriptor itself
  not_detaching,   // umount2 without MNT_DETACH
  new_limit,       // prlimit64: a limit is set, not only asked for
  device_node,     // mknod: mode says a device, and it is not the whiteout 0:0
  device_node_at,  // the same for mknodat
};

struct TrappedCall {
  const char* name;  // as the kernel's tables have it
  When when;
  Grant grant;  // not trapped in a nest without it
  Handler handle;
  const char* summary;  // one line for people
};
std::span<const TrappedCall> trapped_calls();

// The rules of one row: what is trapped, and what of the same call is let through.
std::vector<oci::SyscallRule> rules_of(const TrappedCall& call);

// The table as Markdown, for docs/guide/trapped-calls.md.
std::string trapped_text();

}  // namespace caisson::nest

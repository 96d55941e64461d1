// Shared settings: sysctls that every network namespace has, that its root may write, and that are the machine's.
// Layer: nest. Used by supervised.cc. No file of ours can cover them: in a new network namespace it would lie beside
// them. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <linux/bpf.h>

#include <string_view>
#include <vector>

#include "caisson/base/result.h"
#include "caisson/cgroup/placement.h"

namespace caisson::nest {

// Their names without directories, of fewer than 24 bytes. tests/nest/writes_test.py finds out, by doing, whether there
// are others.
//   source  linux net/netfilter/nf_hooks_lwtunnel.c: a static key behind a file of each namespace
inline constexpr std::string_view shared_settings[] = {"nf_hooks_lwtunnel"};

// Refuses (EPERM) writes of a setting of this name, allows all else. Pure.
//   source  linux Documentation/bpf/prog_cgroup_sysctl.rst
std::vector<bpf_insn> plan_sysctl_program(std::string_view name);

// Attaches it to the nest's v2 cgroup, for all its namespaces; once. Without one, nothing keeps a nest from them.
//   errors  unsupported: no v2 cgroup; os, as of the calls
Result<void> protect_shared_settings(const cgroup::Placement& placement);

}  // namespace caisson::nest

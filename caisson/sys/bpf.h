// bpf(2): loading a program and attaching it to a v2 cgroup.
// Layer: sys. Used by cgroup for device rules and nest for settings.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <linux/bpf.h>

#include <cstdint>
#include <vector>

#include "caisson/base/result.h"
#include "caisson/sys/unique_fd.h"

namespace caisson::sys {

// BPF_PROG_LOAD of a BPF_PROG_TYPE_CGROUP_DEVICE program.
//   errors  os EPERM: no CAP_BPF, or not in the initial user namespace; os EINVAL: the verifier refused it
Result<UniqueFd> load_device_program(const std::vector<bpf_insn>& program);

// Ids of the device programs attached to this very cgroup.
Result<std::vector<std::uint32_t>> attached_device_programs(int cgroup);
Result<UniqueFd> bpf_program_by_id(std::uint32_t id);

// Attached beside others (all of them must allow). `replaced` >= 0 is a program attached here that goes in the
// same step; needs Linux 5.6.
Result<void> attach_device_program(int cgroup, int program, int replaced = -1);
Result<void> detach_device_program(int cgroup, int program);

// For tasks below this cgroup and their accesses to /proc/sys: BPF_PROG_TYPE_CGROUP_SYSCTL, beside those of others.
// Where one is attached to this very cgroup already, nothing is done.
//   errors  os EPERM: not root of the machine; os EINVAL: no such programs in this kernel
Result<void> attach_sysctl_program(int cgroup, const std::vector<bpf_insn>& program);

}  // namespace caisson::sys

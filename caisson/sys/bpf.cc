#include "caisson/sys/bpf.h"

#include <cstring>

#include "caisson/sys/raw.h"

namespace caisson::sys {
namespace {

// The kernel wants every byte it does not know to be zero, padding too.
bpf_attr zeroed() {
  bpf_attr attr;
  std::memset(&attr, 0, sizeof attr);
  return attr;
}

long call_bpf(int command, bpf_attr& attr) { return raw::call(SYS_bpf, command, &attr, sizeof attr); }

std::uint64_t address(const void* data) { return reinterpret_cast<std::uintptr_t>(data); }

Result<UniqueFd> load(bpf_prog_type type, const std::vector<bpf_insn>& program) {
  bpf_attr attr = zeroed();
  attr.prog_type = type;
  attr.insns = address(program.data());
  attr.insn_cnt = static_cast<std::uint32_t>(program.size());
  attr.license = address("Apache-2.0");
  const long r = call_bpf(BPF_PROG_LOAD, attr);
  if (r < 0) return Error::os(static_cast<int>(-r), "bpf(BPF_PROG_LOAD)");
  return UniqueFd(static_cast<int>(r));
}

Result<std::vector<std::uint32_t>> attached(int cgroup, bpf_attach_type type) {
  std::vector<std::uint32_t> ids(64);
  for (;;) {
    bpf_attr attr = zeroed();
    attr.query.target_fd = static_cast<std::uint32_t>(cgroup);
    attr.query.attach_type = type;
    attr.query.prog_ids = address(ids.data());
    attr.query.prog_cnt = static_cast<std::uint32_t>(ids.size());
    const long r = call_bpf(BPF_PROG_QUERY, attr);
    if (r == -ENOSPC && ids.size() < 65536) {
      ids.resize(ids.size() * 2);
      continue;
    }
    if (r < 0) return Error::os(static_cast<int>(-r), "bpf(BPF_PROG_QUERY)");
    ids.resize(attr.query.prog_cnt);
    return ids;
  }
}

Result<void> attach(int cgroup, int program, bpf_attach_type type, int replaced) {
  bpf_attr attr = zeroed();
  attr.target_fd = static_cast<std::uint32_t>(cgroup);
  attr.attach_bpf_fd = static_cast<std::uint32_t>(program);
  attr.attach_type = type;
  attr.attach_flags = BPF_F_ALLOW_MULTI;
  if (replaced >= 0) {
    attr.attach_flags |= BPF_F_REPLACE;
    attr.replace_bpf_fd = static_cast<std::uint32_t>(replaced);
  }
  const long r = call_bpf(BPF_PROG_ATTACH, attr);
  if (r < 0) return Error::os(static_cast<int>(-r), "bpf(BPF_PROG_ATTACH)");
  return ok();
}

}  // namespace

Result<UniqueFd> load_device_program(const std::vector<bpf_insn>& program) {
  return load(BPF_PROG_TYPE_CGROUP_DEVICE, program);
}

Result<std::vector<std::uint32_t>> attached_device_programs(int cgroup) { return attached(cgroup, BPF_CGROUP_DEVICE); }

Result<UniqueFd> bpf_program_by_id(std::uint32_t id) {
  bpf_attr attr = zeroed();
  attr.prog_id = id;
  const long r = call_bpf(BPF_PROG_GET_FD_BY_ID, attr);
  if (r < 0) return Error::os(static_cast<int>(-r), "bpf(BPF_PROG_GET_FD_BY_ID)");
  return UniqueFd(static_cast<int>(r));
}

Result<void> attach_device_program(int cgroup, int program, int replaced) {
  return attach(cgroup, program, BPF_CGROUP_DEVICE, replaced);
}

Result<void> detach_device_program(int cgroup, int program) {
  bpf_attr attr = zeroed();
  attr.target_fd = static_cast<std::uint32_t>(cgroup);
  attr.attach_bpf_fd = static_cast<std::uint32_t>(program);
  attr.attach_type = BPF_CGROUP_DEVICE;
  const long r = call_bpf(BPF_PROG_DETACH, attr);
  if (r < 0) return Error::os(static_cast<int>(-r), "bpf(BPF_PROG_DETACH)");
  return ok();
}

Result<void> attach_sysctl_program(int cgroup, const std::vector<bpf_insn>& program) {
  const std::vector<std::uint32_t> present = TRY(attached(cgroup, BPF_CGROUP_SYSCTL));
  if (!present.empty()) return ok();
  const UniqueFd loaded = TRY(load(BPF_PROG_TYPE_CGROUP_SYSCTL, program));
  return attach(cgroup, loaded.get(), BPF_CGROUP_SYSCTL, -1);
}

}  // namespace caisson::sys

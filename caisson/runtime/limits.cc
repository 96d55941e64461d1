#include "caisson/runtime/limits.h"

#include <linux/capability.h>

#include "caisson/oci/number_list.h"
#include "caisson/sys/file.h"
#include "caisson/sys/raw.h"

namespace caisson::runtime {
namespace {

namespace raw = sys::raw;
constexpr int whole_process = 1;  // IOPRIO_WHO_PROCESS

struct KernelLimit {  // struct rlimit64
  std::uint64_t soft, hard;
};

struct SchedulerAttributes {  // struct sched_attr, 48 bytes
  std::uint32_t size = sizeof(SchedulerAttributes);
  std::uint32_t policy = 0;
  std::uint64_t flags = 0;
  std::int32_t nice = 0;
  std::uint32_t priority = 0;
  std::uint64_t runtime = 0, deadline = 0, period = 0;
};

Error failure(long result, std::string_view call) { return Error::os(static_cast<int>(-result), call); }

}  // namespace

Result<void> set_rlimits(pid_t pid, const ProcessPlan& plan) {
  for (const RlimitPlan& limit : plan.rlimits) {
    const KernelLimit value{limit.soft, limit.hard};
    const long r = raw::call(SYS_prlimit64, pid, limit.resource, &value, nullptr);
    if (r < 0) return failure(r, "error setting rlimit type " + std::to_string(limit.resource));
  }
  return ok();
}

Result<void> give_limits(pid_t pid, const ProcessPlan& plan, RlimitsBy by) {
  if (plan.oom_score_adj) {
    const std::string file = "/proc/" + std::to_string(pid) + "/oom_score_adj";
    TRY(sys::write_once(file, std::to_string(*plan.oom_score_adj)).during("process.oomScoreAdj"));
  }
  if (by == RlimitsBy::us) TRY(set_rlimits(pid, plan));
  if (plan.scheduler) {
    const SchedulerPlan& s = *plan.scheduler;
    const SchedulerAttributes attributes{.policy = s.policy,
                                         .flags = s.flags,
                                         .nice = s.nice,
                                         .priority = s.priority,
                                         .runtime = s.runtime,
                                         .deadline = s.deadline,
                                         .period = s.period};
    if (const long r = raw::call(SYS_sched_setattr, pid, &attributes, 0); r < 0)
      return failure(r, "error setting scheduler");
  }
  if (plan.io_priority)
    if (const long r = raw::call(SYS_ioprio_set, whole_process, pid, *plan.io_priority); r < 0)
      return failure(r, "error setting I/O priority");
  return ok();
}

void reset_affinity() {
  unsigned long all[128];
  for (unsigned long& word : all) word = ~0UL;
  (void)raw::call(SYS_sched_setaffinity, 0, sizeof all, all);
}

Result<void> set_affinity(pid_t pid, const std::string& cpus) {
  if (cpus.empty()) return ok();
  const std::vector<unsigned long> mask = TRY(oci::parse_number_list(cpus));
  const long r = raw::call(SYS_sched_setaffinity, pid, mask.size() * sizeof(unsigned long), mask.data());
  if (r < 0) return failure(r, "error setting CPU affinity to " + cpus);
  return ok();
}

Result<std::uint64_t> permitted_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (const long r = raw::call(SYS_capget, &header, data); r < 0) return failure(r, "capget");
  return data[0].permitted | std::uint64_t{data[1].permitted} << 32;
}

}  // namespace caisson::runtime

#include "caisson/runtime/process_plan.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "caisson/oci/kernel_names.h"

namespace caisson::runtime {
namespace {

constexpr int io_class_shift = 13;  // linux/ioprio.h

std::uint64_t mask_of(const std::vector<std::string>& names, std::uint64_t available) {
  std::uint64_t mask = 0;
  for (const std::string& name : names)
    if (auto number = oci::capability(name)) mask |= std::uint64_t{1} << *number;
  return mask & available;
}

CapabilityMasks plan_capabilities(const oci::Capabilities& c, std::uint64_t available) {
  CapabilityMasks out;
  out.bounding = mask_of(c.bounding, available);
  out.permitted = mask_of(c.permitted, available);
  out.effective = mask_of(c.effective, available) & out.permitted;
  out.inheritable = mask_of(c.inheritable, available);
  // The kernel refuses an ambient capability that is not both permitted and inheritable. source: prctl(2)
  out.ambient = mask_of(c.ambient, available) & out.permitted & out.inheritable;
  return out;
}

// A variable that is given twice has its last value, as in runc: getenv(3) would find the first.
std::vector<std::string> last_of_each_name(const std::vector<std::string>& env) {
  std::vector<std::string> out;
  std::set<std::string_view> seen;
  for (auto entry = env.rbegin(); entry != env.rend(); ++entry)
    if (seen.insert(std::string_view(*entry).substr(0, entry->find('='))).second) out.push_back(*entry);
  std::reverse(out.begin(), out.end());
  return out;
}

Result<SchedulerPlan> plan_scheduler(const oci::Scheduler& s) {
  SchedulerPlan out;
  const auto policy = oci::number_of(oci::scheduler_policies(), s.policy);
  if (!policy) return Error::of(Kind::invalid, "process.scheduler.policy: unknown policy " + s.policy);
  out.policy = static_cast<std::uint32_t>(*policy);
  for (const std::string& flag : s.flags) {
    const auto number = oci::number_of(oci::scheduler_flags(), flag);
    if (!number) return Error::of(Kind::invalid, "process.scheduler.flags: unknown flag " + flag);
    out.flags |= *number;
  }
  out.nice = s.nice;
  out.priority = static_cast<std::uint32_t>(s.priority);
  out.runtime = s.runtime;
  out.deadline = s.deadline;
  out.period = s.period;
  return out;
}

}  // namespace

Result<ProcessPlan> plan_process(const oci::Process& p, std::uint64_t available) {
  ProcessPlan out;
  out.args = p.args;
  out.env = last_of_each_name(p.env);
  out.cwd = p.cwd;
  out.uid = p.user.uid;
  out.gid = p.user.gid;
  out.groups = p.user.additional_gids;
  out.umask = p.user.umask;
  if (p.capabilities) out.capabilities = plan_capabilities(*p.capabilities, available);
  for (const oci::Rlimit& r : p.rlimits) {
    const auto number = oci::rlimit(r.type);
    if (!number) return Error::of(Kind::invalid, "process.rlimits: unknown type " + r.type);
    if (r.soft > r.hard) return Error::of(Kind::invalid, "process.rlimits: " + r.type + ": soft is above hard");
    out.rlimits.push_back({*number, r.soft, r.hard});
  }
  out.no_new_privileges = p.no_new_privileges;
  out.oom_score_adj = p.oom_score_adj;
  out.apparmor_profile = p.apparmor_profile;
  out.selinux_label = p.selinux_label;
  if (p.scheduler) out.scheduler = TRY(plan_scheduler(*p.scheduler));
  if (p.io_priority) {
    const auto io_class = oci::number_of(oci::io_classes(), p.io_priority->io_class);
    if (!io_class)
      return Error::of(Kind::invalid, "process.ioPriority.class: unknown class " + p.io_priority->io_class);
    out.io_priority = (static_cast<int>(*io_class) << io_class_shift) | p.io_priority->priority;
  }
  if (p.exec_cpu_affinity) {
    out.initial_affinity = p.exec_cpu_affinity->initial;
    out.final_affinity = p.exec_cpu_affinity->final;
  }
  out.terminal = p.terminal;
  out.console_size = p.console_size;
  return out;
}

namespace {

std::string names_of(std::uint64_t mask) {
  std::string out;
  for (int i = 0; i < 64; ++i) {
    if ((mask >> i & 1) == 0) continue;
    const std::string_view name = oci::text_of(oci::capabilities(), static_cast<std::uint64_t>(i));
    out += (out.empty() ? "" : ",") + (name.empty() ? std::to_string(i) : std::string(name.substr(4)));
  }
  return out.empty() ? "none" : out;
}

}  // namespace

std::string to_text(const ProcessPlan& p) {
  std::string out;
  for (const RlimitPlan& r : p.rlimits)
    out += "rlimit " + std::string(oci::text_of(oci::rlimits(), static_cast<std::uint64_t>(r.resource))) + " " +
           std::to_string(r.soft) + " " + std::to_string(r.hard) + "\n";
  if (p.oom_score_adj) out += "oom_score_adj " + std::to_string(*p.oom_score_adj) + "\n";
  if (p.scheduler)
    out += "scheduler " + std::string(oci::text_of(oci::scheduler_policies(), p.scheduler->policy)) + "\n";
  if (p.io_priority) out += "io_priority " + std::to_string(*p.io_priority) + "\n";
  if (!p.initial_affinity.empty()) out += "affinity initial " + p.initial_affinity + "\n";
  if (!p.final_affinity.empty()) out += "affinity final " + p.final_affinity + "\n";
  out += "user " + std::to_string(p.uid) + ":" + std::to_string(p.gid);
  for (std::uint32_t group : p.groups) out += " +" + std::to_string(group);
  out += "\n";
  const CapabilityMasks& c = p.capabilities;
  out += "capabilities bounding " + names_of(c.bounding) + "\n";
  out += "capabilities effective " + names_of(c.effective) + "\n";
  out += "capabilities permitted " + names_of(c.permitted) + "\n";
  out += "capabilities inheritable " + names_of(c.inheritable) + "\n";
  out += "capabilities ambient " + names_of(c.ambient) + "\n";
  if (p.no_new_privileges) out += "no_new_privileges\n";
  if (p.terminal) out += "terminal\n";
  out += "cwd " + p.cwd + "\nexec";
  for (const std::string& arg : p.args) out += " " + arg;
  return out + "\n";
}

}  // namespace caisson::runtime

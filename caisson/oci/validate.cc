// Checks of config.json as a whole: the id, the process, namespaces and what needs them.
// Layer: oci (pure). Used by runtime (before anything is made) and nest. See also validate_mounts.cc,
// validate_linux.cc. SPDX-License-Identifier: Apache-2.0
#include "caisson/oci/validate.h"

#include "caisson/oci/kernel_names.h"
#include "caisson/oci/number_list.h"
#include "caisson/oci/quote.h"
#include "caisson/oci/validate_linux.h"

namespace caisson::oci {
namespace {

Error invalid(std::string_view text) { return Error::of(Kind::invalid, text); }

Result<void> validate_rlimits(const std::vector<Rlimit>& limits) {
  unsigned seen = 0;
  for (const Rlimit& limit : limits) {
    std::optional<int> number = rlimit(limit.type);
    if (!number) return invalid("wrong rlimit value: " + limit.type);
    unsigned bit = 1U << *number;
    if ((seen & bit) != 0) return invalid("rlimit " + limit.type + " is given twice");
    seen |= bit;
    if (limit.soft > limit.hard) return invalid("rlimit " + limit.type + ": the soft limit is above the hard limit");
  }
  return ok();
}

Result<void> validate_scheduler(const Scheduler& scheduler) {
  const std::string& policy = scheduler.policy;
  if (policy.empty()) return invalid("scheduler policy is required");
  if (!number_of(scheduler_policies(), policy)) return invalid("invalid scheduler policy: " + policy);
  if (scheduler.nice < -20 || scheduler.nice > 19) {
    return invalid("invalid scheduler.nice: " + std::to_string(scheduler.nice));
  }
  if (scheduler.priority != 0 && policy != "SCHED_FIFO" && policy != "SCHED_RR") {
    return invalid("scheduler.priority can only be specified for SchedFIFO or SchedRR policy");
  }
  bool has_deadline = scheduler.runtime != 0 || scheduler.deadline != 0 || scheduler.period != 0;
  if (has_deadline && policy != "SCHED_DEADLINE") {
    return invalid("scheduler runtime/deadline/period can only be specified for SchedDeadline policy");
  }
  for (const std::string& flag : scheduler.flags) {
    if (!number_of(scheduler_flags(), flag)) return invalid("invalid scheduler flag: " + flag);
  }
  return ok();
}

Result<void> validate_io_priority(const IoPriority& priority) {
  if (priority.priority < 0 || priority.priority > 7) {
    return invalid("invalid ioPriority.Priority: " + std::to_string(priority.priority));
  }
  if (!number_of(io_classes(), priority.io_class))
    return invalid("invalid ioPriority.Class: " + quote(priority.io_class));
  return ok();
}

Result<void> validate_hooks(const std::vector<Hook>& hooks, std::string_view name) {
  for (const Hook& hook : hooks) {
    if (!hook.path.starts_with('/')) {
      return invalid("hooks." + std::string(name) + ": path " + quote(hook.path) + " must be absolute");
    }
  }
  return ok();
}

Result<void> validate_all_hooks(const Hooks& hooks) {
  TRY(validate_hooks(hooks.prestart, "prestart"));
  TRY(validate_hooks(hooks.create_runtime, "createRuntime"));
  TRY(validate_hooks(hooks.create_container, "createContainer"));
  TRY(validate_hooks(hooks.start_container, "startContainer"));
  TRY(validate_hooks(hooks.poststart, "poststart"));
  return validate_hooks(hooks.poststop, "poststop");
}

// What a field asks for, without the namespace that it would be done in.
Result<void> validate_needs(const Spec& spec) {
  const Linux& linux = spec.linux;
  if (!linux.net_devices.empty() && !linux.has(NamespaceType::network)) {
    return invalid("unable to move network devices without a private NET namespace");
  }
  if (!linux.has(NamespaceType::uts)) {
    if (!spec.hostname.empty()) return invalid("unable to set hostname without a private UTS namespace");
    if (!spec.domainname.empty()) return invalid("unable to set domainname without a private UTS namespace");
  }
  if ((!linux.masked_paths.empty() || !linux.readonly_paths.empty()) && !linux.has(NamespaceType::mount)) {
    return invalid("unable to restrict sys entries without a private MNT namespace");
  }
  return ok();
}

}  // namespace

Result<void> validate_id(std::string_view id) {
  bool good = !id.empty() && id.size() <= 1024 && id != "." && id != "..";
  for (char c : id) {
    bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    good = good && (alphanumeric || c == '_' || c == '+' || c == '.' || c == '-');
  }
  if (!good) return invalid("invalid container ID format");
  return ok();
}

Result<void> validate_process(const Process& process) {
  if (process.cwd.empty()) return invalid("Cwd property must not be empty");
  if (!process.cwd.starts_with('/')) return invalid("Cwd must be an absolute path");
  if (process.args.empty()) return invalid("args must not be empty");
  if (process.oom_score_adj && (*process.oom_score_adj < -1000 || *process.oom_score_adj > 1000)) {
    return invalid("invalid oomScoreAdj: " + std::to_string(*process.oom_score_adj));
  }
  TRY(validate_rlimits(process.rlimits));
  if (process.scheduler) TRY(validate_scheduler(*process.scheduler));
  if (process.io_priority) TRY(validate_io_priority(*process.io_priority));
  if (process.exec_cpu_affinity) {
    TRY(parse_number_list(process.exec_cpu_affinity->initial).during("execCPUAffinity.initial"));
    TRY(parse_number_list(process.exec_cpu_affinity->final).during("execCPUAffinity.final"));
  }
  return ok();
}

Result<void> validate(const Spec& spec) {
  if (!spec.process) return invalid("process property must not be empty");
  TRY(validate_process(*spec.process));
  if (spec.root.path.empty()) return invalid("root.path must not be empty");
  TRY(validate_needs(spec));
  TRY(validate_linux(spec.linux));
  for (const Mount& mount : spec.mounts) TRY(validate_mount(mount, spec.linux));
  return validate_all_hooks(spec.hooks);
}

}  // namespace caisson::oci

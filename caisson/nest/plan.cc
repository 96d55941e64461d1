#include "caisson/nest/plan.h"

#include <algorithm>

#include "caisson/oci/document.h"
#include "caisson/oci/kernel_names.h"
#include "caisson/oci/validate.h"

namespace caisson::nest {
namespace {

constexpr std::string_view systemd_names[] = {"init", "systemd"};

// Docker asks for "0 2147483647": the kernel refuses groups that the user namespace does not know. source: ping.c
void clamp_groups(std::string& range) {
  const std::size_t space = range.find_first_of(" \t");
  if (space == std::string::npos) return;
  const std::string last = range.substr(range.find_first_not_of(" \t", space));
  const std::string most = std::to_string(ids_per_nest - 1);
  const bool above = last.size() > most.size() || (last.size() == most.size() && last > most);
  if (above) range = range.substr(0, space + 1) + most;
}

// A plain container's sysctls are the runtime's business. A nest's caller may also ask for the host's: not given.
void plan_sysctls(oci::Linux& linux, std::vector<std::string>& warnings) {
  oci::Linux one;
  one.namespaces = linux.namespaces;
  for (auto it = linux.sysctl.begin(); it != linux.sysctl.end();) {
    one.sysctl = {{it->first, it->second}};
    const auto valid = oci::validate_sysctl(one);
    if (valid) {
      if (it->first == "net.ipv4.ping_group_range" || it->first == "net/ipv4/ping_group_range")
        clamp_groups(it->second);
      ++it;
      continue;
    }
    warnings.push_back("sysctl " + it->first + " is the host's and is not set");
    it = linux.sysctl.erase(it);
  }
}

// Two tables decide what systemd finds missing: a capability that it has is a unit that it starts.
// Without these two it does not try to load modules or mount debugfs and tracefs, and ends up `running`.
bool dropped_for_systemd(std::string_view name) { return name == "CAP_SYS_MODULE" || name == "CAP_SYS_RAWIO"; }

std::vector<std::string_view> capabilities_not_granted(const GrantSet& given) {
  std::vector<std::string_view> out;
  for (const GrantRow& row : grants())
    if (!given.has(row.grant)) out.insert(out.end(), row.capabilities.begin(), row.capabilities.end());
  return out;
}

}  // namespace

Owner owner_of(const oci::Spec& spec) {
  const oci::Namespace* user = spec.linux.find(oci::NamespaceType::user);
  if (user == nullptr) return Owner::nest;
  if (!user->path.empty()) return Owner::caller_joined;
  return spec.linux.uid_mappings.empty() ? Owner::nest : Owner::caller_maps;
}

bool starts_systemd(const oci::Spec& spec) {
  if (!spec.process || spec.process->args.empty()) return false;
  std::string_view name = spec.process->args.front();
  if (const std::size_t slash = name.rfind('/'); slash != std::string_view::npos) name.remove_prefix(slash + 1);
  return std::ranges::find(systemd_names, name) != std::end(systemd_names);
}

std::string clean_path(std::string_view path) {
  std::vector<std::string_view> parts;
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    const std::string_view part = path.substr(at, end - at);
    if (part == "..") {
      if (!parts.empty()) parts.pop_back();
    } else if (!part.empty() && part != ".") {
      parts.push_back(part);
    }
    at = end + 1;
  }
  std::string out;
  for (const std::string_view part : parts) out.append("/").append(part);
  return out.empty() ? "/" : out;
}

bool is_at_or_below(std::string_view path, std::string_view directory) {
  if (directory == "/") return true;
  return path.starts_with(directory) && (path.size() == directory.size() || path[directory.size()] == '/');
}

Result<Plan> plan_nest(oci::Spec spec, const Facts& facts) {
  if (!spec.process) return Error::of(Kind::invalid, "config.json: process: is required");
  Plan plan{.spec = std::move(spec), .data_roots = {}, .exclusive = {}, .warnings = {}};
  const Init init = starts_systemd(plan.spec) ? Init::systemd : Init::other;
  const Owner owner = owner_of(plan.spec);
  // Annotations first: they depend on who owns the user namespace in the config.json as it came.
  TRY(plan_annotations(plan.spec, facts));
  plan_mounts(plan, facts);
  TRY(plan_namespaces(plan.spec, facts));
  plan_process(*plan.spec.process, init, facts, plan.warnings);
  if (init == Init::systemd) {
    auto& env = plan.spec.process->env;
    const bool said = std::ranges::any_of(env, [](const std::string& e) { return e.starts_with("container="); });
    if (!said) env.emplace_back("container=lxc");
  }
  plan_paths(plan.spec.linux, init, facts.terms.profile);
  plan_devices(plan.spec, owner, facts, plan.warnings);
  plan_sysctls(plan.spec.linux, plan.warnings);
  TRY(plan_seccomp(plan.spec.linux, owner, facts));
  if (!facts.program.empty()) {
    plan.spec.hooks.poststop.push_back({.path = facts.program,
                                        .args = facts.release_arguments,
                                        .env = facts.release_environment,
                                        .timeout = std::chrono::seconds(30)});
  }
  return plan;
}

// The host's profiles for plain containers deny mount(2). Ours, and variants of it, are made for nests.
void plan_apparmor(std::string& profile, std::vector<std::string>& warnings) {
  if (profile.empty() || profile.starts_with("caisson-nest")) return;
  if (profile != "unconfined") warnings.push_back("AppArmor profile " + profile + " is not for nests and left out");
  profile.clear();
}

void plan_process(oci::Process& process, Init init, const Facts& facts, std::vector<std::string>& warnings) {
  std::vector<std::string> all;
  const std::vector<std::string_view> withheld = capabilities_not_granted(facts.terms.grants);
  for (const oci::Name& name : oci::capabilities()) {
    if (name.number > static_cast<std::uint64_t>(facts.last_capability)) continue;
    if (init == Init::systemd && dropped_for_systemd(name.text)) continue;
    if (std::ranges::find(withheld, name.text) != withheld.end()) continue;
    all.emplace_back(name.text);
  }
  if (!process.capabilities) process.capabilities.emplace();
  oci::Capabilities& caps = *process.capabilities;
  caps.bounding = all;
  // Inheritable stays as given: nothing needs it, and files could hand it to users who are not root (CVE-2022-24769).
  if (process.user.uid == 0) caps.effective = caps.permitted = all;
  for (auto* given : {&caps.effective, &caps.permitted, &caps.inheritable, &caps.ambient})
    std::erase_if(*given, [&](const std::string& n) { return std::ranges::find(withheld, n) != withheld.end(); });
  plan_apparmor(process.apparmor_profile, warnings);

  for (oci::Rlimit& limit : process.rlimits) {
    const auto own = facts.hard_limits.find(limit.type);
    if (facts.may_raise_limits || own == facts.hard_limits.end() || limit.hard <= own->second) continue;
    warnings.push_back(limit.type + " is clamped to " + std::to_string(own->second));
    limit.hard = own->second;
    limit.soft = std::min(limit.soft, limit.hard);
  }
  if (process.oom_score_adj && *process.oom_score_adj < facts.oom_score_adj && !facts.may_raise_limits) {
    warnings.push_back("oomScoreAdj is clamped to " + std::to_string(facts.oom_score_adj));
    process.oom_score_adj = facts.oom_score_adj;
  }
}

Result<void> plan_annotations(oci::Spec& spec, const Facts& facts) {
  auto& annotations = spec.annotations;
  for (const char* name : {"locked-mounts", "rootfs-idmap", "rootfs-overlay", "delegate-cgroup"})
    annotations.erase(std::string("io.caisson.") + name);
  annotations[grants_annotation] = to_text(facts.terms.grants);
  annotations[profile_annotation] = name_of(facts.terms.profile);
  const Owner owner = owner_of(spec);
  const bool has_maps = owner != Owner::caller_joined || !spec.linux.uid_mappings.empty();
  if (has_maps && facts.terms.grants.has(Grant::cgroup)) annotations["io.caisson.delegate-cgroup"] = "true";
  if (owner != Owner::caller_joined) annotations["io.caisson.locked-mounts"] = "true";
  if (owner != Owner::nest) return ok();

  const RootFacts& root = facts.root;
  if (root.overlay) {
    oci::Document layers;
    layers.set({"lower"}, root.overlay->lower);
    layers.set({"upper"}, root.overlay->upper);
    layers.set({"work"}, root.overlay->work);
    if (!root.overlay->options.empty()) layers.set({"options"}, root.overlay->options);
    annotations["io.caisson.rootfs-overlay"] = layers.print();
    return ok();
  }
  if (!root.can_idmap)
    return Error::of(Kind::unsupported, "root file system " + root.path + " is on " + root.filesystem +
                                            ", which the kernel cannot id-map: put it on ext4, xfs, btrfs or tmpfs");
  annotations["io.caisson.rootfs-idmap"] = "true";
  return ok();
}

}  // namespace caisson::nest

#include "caisson/runtime/plan.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <algorithm>

#include "caisson/oci/document.h"
#include "caisson/oci/guest_path.h"
#include "caisson/oci/kernel_names.h"
#include "caisson/oci/number_list.h"
#include "caisson/oci/validate.h"

namespace caisson::runtime {
namespace {

const DeviceNode default_nodes[] = {
    {"/dev/null", S_IFCHR, 1, 3}, {"/dev/random", S_IFCHR, 1, 8}, {"/dev/full", S_IFCHR, 1, 7},
    {"/dev/tty", S_IFCHR, 5, 0},  {"/dev/zero", S_IFCHR, 1, 5},   {"/dev/urandom", S_IFCHR, 1, 9},
};

// What every container may do with devices, whatever its config says. source: runc specconv AllowedDevices
struct DefaultRule {
  const char* type;
  std::int64_t major, minor;  // -1: any
  const char* access;
};
constexpr DefaultRule default_rules[] = {
    {"c", -1, -1, "m"}, {"b", -1, -1, "m"}, {"c", 1, 3, "rwm"}, {"c", 1, 8, "rwm"},    {"c", 1, 7, "rwm"},
    {"c", 5, 0, "rwm"}, {"c", 1, 5, "rwm"}, {"c", 1, 9, "rwm"}, {"c", 136, -1, "rwm"}, {"c", 5, 2, "rwm"},
};

bool annotated(const oci::Spec& spec, const char* name) {
  const auto found = spec.annotations.find(name);
  return found != spec.annotations.end() && found->second == "true";
}

Result<void> check_offset(const char* clock, const std::optional<oci::TimeOffset>& offset, std::string& text) {
  if (!offset) return ok();
  if (offset->nanosecs > 999999999) return Error::of(Kind::invalid, "linux.timeOffsets: nanosecs is above 999999999");
  text += std::string(clock) + " " + std::to_string(offset->secs) + " " + std::to_string(offset->nanosecs) + "\n";
  return ok();
}

Result<NamespacePlan> plan_namespaces(const oci::Spec& spec) {
  NamespacePlan out;
  for (const oci::Namespace& ns : spec.linux.namespaces) {
    if (ns.type == oci::NamespaceType::user) {
      out.create_user = ns.path.empty();
      out.join_user = ns.path;
    } else if (ns.path.empty()) {
      out.create |= oci::clone_flag(ns.type);
    } else {
      out.join.push_back({oci::clone_flag(ns.type), ns.path});
    }
  }
  out.uid_mappings = spec.linux.uid_mappings;
  out.gid_mappings = spec.linux.gid_mappings;
  if (out.create_user && (out.uid_mappings.empty() || out.gid_mappings.empty()))
    return Error::of(Kind::invalid, "linux.uidMappings and linux.gidMappings are needed for a new user namespace");
  if (spec.linux.time_offsets) {
    TRY(check_offset("monotonic", spec.linux.time_offsets->monotonic, out.time_offsets));
    TRY(check_offset("boottime", spec.linux.time_offsets->boottime, out.time_offsets));
    if (!out.time_offsets.empty() && (out.create & CLONE_NEWTIME) == 0)
      return Error::of(Kind::invalid, "linux.timeOffsets needs a new time namespace");
  }
  out.locked_mounts = annotated(spec, "io.caisson.locked-mounts");
  if (out.locked_mounts && (!out.create_user || (out.create & CLONE_NEWNS) == 0))
    return Error::of(Kind::invalid, "annotation io.caisson.locked-mounts needs a new user and a new mount namespace");
  return out;
}

Result<RootPlan> plan_root(const oci::Spec& spec, const PlanFacts& facts, bool locked) {
  RootPlan out;
  if (spec.root.path.empty()) return Error::of(Kind::invalid, "root.path is missing");
  out.path = spec.root.path.starts_with('/') ? spec.root.path : facts.bundle + "/" + spec.root.path;
  out.readonly = spec.root.readonly;
  if (!spec.linux.rootfs_propagation.empty()) {
    out.propagation = oci::propagation_flags(spec.linux.rootfs_propagation);
    if (out.propagation == 0)
      return Error::of(Kind::invalid, "linux.rootfsPropagation: unknown value " + spec.linux.rootfs_propagation);
  }
  if (annotated(spec, "io.caisson.rootfs-idmap")) out.kind = RootKind::idmapped;
  if (const auto found = spec.annotations.find("io.caisson.rootfs-overlay"); found != spec.annotations.end()) {
    const std::string name = "annotation io.caisson.rootfs-overlay";
    const oci::Document layers = TRY(oci::Document::parse(found->second, name));
    out.kind = RootKind::overlay;
    out.lower = TRY(layers.get_strings({"lower"}));
    const auto upper = TRY(layers.get_string({"upper"}));
    const auto work = TRY(layers.get_string({"work"}));
    out.upper = upper.value_or("");
    out.work = work.value_or("");
    out.overlay_options = TRY(layers.get_strings({"options"}));
    for (const std::string& option : out.overlay_options) {
      if (option != "userxattr" && !option.starts_with("metacopy=") && !option.starts_with("redirect_dir="))
        return Error::of(Kind::invalid,
                         name + ": options: " + option + " is not one of userxattr, metacopy, redirect_dir");
    }
    if (out.lower.empty() || out.upper.empty() != out.work.empty())
      return Error::of(Kind::invalid, name + ": needs lower, and upper with work or neither");
  }
  if (out.kind != RootKind::directory && !locked)
    return Error::of(Kind::invalid, "annotations io.caisson.rootfs-* need io.caisson.locked-mounts");
  return out;
}

Result<DeviceNode> plan_device(const oci::Device& d) {
  const std::uint32_t type = d.type == "p" ? S_IFIFO : d.type == "b" ? S_IFBLK : S_IFCHR;
  DeviceNode node{.path = oci::clean_guest_path(d.path),
                  .type = type,
                  .major = static_cast<unsigned>(d.major),
                  .minor = static_cast<unsigned>(d.minor),
                  .mode = d.file_mode.value_or(0666) & 07777,
                  .uid = d.uid.value_or(0),
                  .gid = d.gid.value_or(0)};
  if (d.type != "c" && d.type != "u" && d.type != "b" && d.type != "p")
    return Error::of(Kind::invalid, "linux.devices: " + d.path + ": unknown type " + d.type);
  if (d.path.empty() || !d.path.starts_with('/'))
    return Error::of(Kind::invalid, "linux.devices: " + d.path + ": path is not absolute");
  return node;
}

Result<void> plan_devices(const oci::Spec& spec, Plan& plan) {
  bool own_dev = true;
  for (const MountStep& m : plan.mounts)
    if (m.target == "/dev" && m.kind == MountKind::bind) own_dev = false;  // somebody else's /dev: leave it alone
  if (!spec.linux.has(oci::NamespaceType::mount)) own_dev = false;
  plan.default_links = own_dev;
  for (const oci::Device& d : spec.linux.devices) {
    DeviceNode node = TRY(plan_device(d));
    plan.devices.push_back(std::move(node));
  }
  if (!own_dev) {
    plan.devices.clear();
    return ok();
  }
  for (const DeviceNode& node : default_nodes) {
    bool given = false;
    for (const DeviceNode& other : plan.devices) given = given || other.path == node.path;
    if (!given) plan.devices.push_back(node);
  }
  return ok();
}

// runc's order: nothing, the config's rules, then what every container needs, so that nobody can lock himself out.
void plan_device_rules(const oci::Spec& spec, Plan& plan) {
  plan.device_rules.push_back({.allow = false, .type = "a", .major = {}, .minor = {}, .access = "rwm"});
  if (spec.linux.resources) {
    const auto& given = spec.linux.resources->devices;
    plan.device_rules.insert(plan.device_rules.end(), given.begin(), given.end());
  }
  for (const DefaultRule& r : default_rules) {
    oci::DeviceRule rule{.allow = true, .type = r.type, .major = {}, .minor = {}, .access = r.access};
    if (r.major >= 0) rule.major = r.major;
    if (r.minor >= 0) rule.minor = r.minor;
    plan.device_rules.push_back(rule);
  }
}

Result<std::optional<MemoryPolicyPlan>> plan_memory_policy(const oci::Spec& spec) {
  if (!spec.linux.memory_policy) return std::optional<MemoryPolicyPlan>();
  const oci::MemoryPolicy& policy = *spec.linux.memory_policy;
  MemoryPolicyPlan out;
  out.mode = static_cast<int>(oci::number_of(oci::memory_policies(), policy.mode).value_or(0));
  for (const std::string& flag : policy.flags)
    out.mode |= static_cast<int>(oci::number_of(oci::memory_policy_flags(), flag).value_or(0));
  out.nodes = TRY(oci::parse_number_list(policy.nodes).during("linux.memoryPolicy.nodes"));
  return std::optional<MemoryPolicyPlan>(std::move(out));
}

// A cgroup namespace of its own, and a view of its cgroup that it can write to.
// source: runtime-spec config-linux.md "Cgroup ownership"
bool owns_its_cgroup(const Plan& plan) {
  if ((plan.namespaces.create & CLONE_NEWCGROUP) == 0) return false;
  return std::ranges::any_of(plan.mounts, [](const MountStep& step) {
    return step.kind == MountKind::cgroup && step.target == "/sys/fs/cgroup" && (step.options.flags & MS_RDONLY) == 0;
  });
}

}  // namespace

Result<std::optional<unsigned long>> plan_personality(const oci::Spec& spec) {
  if (!spec.linux.personality) return std::optional<unsigned long>();
  const auto domain = oci::number_of(oci::personalities(), spec.linux.personality->domain);
  if (!domain || !spec.linux.personality->flags.empty())
    return Error::of(Kind::invalid, "linux.personality: only the domains LINUX and LINUX32, and no flags");
  return std::optional<unsigned long>(*domain);
}

bool NamespacePlan::needs_stage() const {
  if (locked_mounts || !join_user.empty() || (create & CLONE_NEWTIME) != 0) return true;
  if (create_user && !join.empty()) return true;
  for (const NamespaceJoin& j : join)
    if (j.flag == CLONE_NEWPID || j.flag == CLONE_NEWTIME) return true;
  return false;
}

Result<Plan> plan_container(const oci::Spec& spec, const PlanFacts& facts) {
  TRY(oci::validate(spec));
  Plan plan;
  plan.namespaces = TRY(plan_namespaces(spec));
  plan.root = TRY(plan_root(spec, facts, plan.namespaces.locked_mounts));
  plan.mounts = TRY(plan_mounts(spec, facts.bundle));
  TRY(plan_devices(spec, plan));
  plan_device_rules(spec, plan);
  for (const std::string& path : spec.linux.readonly_paths) plan.readonly_paths.push_back(oci::clean_guest_path(path));
  for (const std::string& path : spec.linux.masked_paths) plan.masked_paths.push_back(oci::clean_guest_path(path));
  for (const auto& [name, value] : spec.linux.sysctl) {
    std::string path = TRY(oci::sysctl_path(name));
    plan.sysctls.emplace_back(std::move(path), value);
  }
  plan.hostname = spec.hostname;
  plan.domainname = spec.domainname;
  const auto delegate = spec.annotations.find("io.caisson.delegate-cgroup");
  plan.delegate_cgroup = delegate != spec.annotations.end() && delegate->second == "true";
  plan.own_cgroup = owns_its_cgroup(plan);
  plan.personality = TRY(plan_personality(spec));
  plan.memory_policy = TRY(plan_memory_policy(spec));
  plan.net_devices = TRY(plan_net_devices(spec.linux));
  if (spec.linux.intel_rdt) plan.rdt = plan_rdt(*spec.linux.intel_rdt);
  // In a user namespace of its own a container can be given everything: it reaches no further than that.
  const std::uint64_t available = plan.namespaces.has_user() ? ~std::uint64_t{0} : facts.capabilities;
  plan.process = TRY(plan_process(*spec.process, available));
  return plan;
}

Result<std::uint32_t> host_id(const std::vector<oci::IdMapping>& mappings, std::uint32_t id) {
  for (const oci::IdMapping& m : mappings)
    if (id >= m.container_id && id - m.container_id < m.size) return m.host_id + (id - m.container_id);
  return Error::of(Kind::invalid, "id " + std::to_string(id) + " is not in the container's id mappings");
}

namespace {

void describe(const NamespacePlan& n, std::string& out) {
  if (n.create_user) out += "create namespace user\n";
  if (!n.join_user.empty()) out += "join namespace user " + n.join_user + "\n";
  for (const NamespaceJoin& j : n.join)
    out += "join namespace " + std::string(oci::text_of(oci::namespaces(), j.flag)) + " " + j.path + "\n";
  for (const oci::Name& name : oci::namespaces())
    if ((n.create & name.number) != 0) out += "create namespace " + std::string(name.text) + "\n";
  for (const oci::IdMapping& m : n.uid_mappings)
    out += "map uid " + std::to_string(m.container_id) + " " + std::to_string(m.host_id) + " " +
           std::to_string(m.size) + "\n";
  for (const oci::IdMapping& m : n.gid_mappings)
    out += "map gid " + std::to_string(m.container_id) + " " + std::to_string(m.host_id) + " " +
           std::to_string(m.size) + "\n";
  out += n.time_offsets;
}

void describe(const RootPlan& r, std::string& out) {
  out += r.kind == RootKind::overlay ? "root overlay" : r.kind == RootKind::idmapped ? "root idmapped" : "root";
  out += " " + r.path + (r.readonly ? " ro(last)" : "") + "\n";
  for (const std::string& layer : r.lower) out += "  lower " + layer + "\n";
  if (!r.upper.empty()) out += "  upper " + r.upper + "\n  work " + r.work + "\n";
}

}  // namespace

std::string to_text(const Plan& plan) {
  std::string out;
  for (const oci::DeviceRule& r : plan.device_rules)
    out += std::string(r.allow ? "allow" : "deny") + " device " + (r.type.empty() ? "a" : r.type) + " " +
           (r.major ? std::to_string(*r.major) : "*") + ":" + (r.minor ? std::to_string(*r.minor) : "*") + " " +
           (r.access.empty() ? "rwm" : r.access) + "\n";
  describe(plan.namespaces, out);
  describe(plan.root, out);
  for (const MountStep& step : plan.mounts)
    if (!step.options.inside || !plan.namespaces.locked_mounts) out += to_text(step) + "\n";
  for (const DeviceNode& d : plan.devices)
    out += "device " + d.path + " " +
           (d.type == S_IFCHR   ? "c "
            : d.type == S_IFBLK ? "b "
                                : "p ") +
           std::to_string(d.major) + ":" + std::to_string(d.minor) + "\n";
  for (const std::string& path : plan.readonly_paths) out += "readonly " + path + "\n";
  for (const std::string& path : plan.masked_paths) out += "mask " + path + "\n";
  if (plan.namespaces.locked_mounts) {
    out += "lock mounts\n";
    for (const MountStep& step : plan.mounts)
      if (step.options.inside) out += to_text(step) + "\n";
  }
  if (plan.rdt) {
    out +=
        "rdt " + (plan.rdt->group.empty() ? "(id)" : plan.rdt->group) + (plan.rdt->monitor ? " monitored" : "") + "\n";
    for (const auto* lines : {&plan.rdt->schema, &plan.rdt->extra})
      for (const std::string& line : *lines) out += "  " + line + "\n";
  }
  for (const NetDeviceMove& m : plan.net_devices) out += "netdev " + m.name + " " + m.inside + "\n";
  if (!plan.hostname.empty()) out += "hostname " + plan.hostname + "\n";
  if (!plan.domainname.empty()) out += "domainname " + plan.domainname + "\n";
  for (const auto& [path, value] : plan.sysctls) out += "sysctl " + path + "=" + value + "\n";
  return out + to_text(plan.process);
}

}  // namespace caisson::runtime

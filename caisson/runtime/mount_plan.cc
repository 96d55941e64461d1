#include "caisson/runtime/mount_plan.h"

#include <linux/mount.h>
#include <sys/mount.h>

#include "caisson/oci/guest_path.h"

namespace caisson::runtime {
namespace {

Result<MountStep> plan_one(const oci::Mount& m, const std::string& bundle) {
  MountStep step;
  step.target = oci::clean_guest_path(m.destination);
  step.options = oci::parse_mount_options(m.options);
  step.type = m.type;
  step.source = m.source;
  step.uid_mappings = m.uid_mappings;
  step.gid_mappings = m.gid_mappings;
  if (oci::is_bind(m, step.options)) {
    step.kind = MountKind::bind;
    if (m.source.empty()) return Error::of(Kind::invalid, "a bind mount needs a source");
    if (!step.options.data.empty())
      return Error::of(Kind::invalid, "bind mounts cannot have any filesystem-specific options: " + step.options.data);
    if (!m.source.starts_with('/')) step.source = bundle + "/" + m.source;
  } else if ((step.options.flags & MS_REMOUNT) != 0) {
    step.kind = MountKind::remount;
  } else if (m.type == "cgroup" || m.type == "cgroup2") {
    step.kind = MountKind::cgroup;
  } else if (m.type.empty()) {
    return Error::of(Kind::invalid, "has no type");
  }
  if (step.target == "/" && step.kind != MountKind::remount)
    return Error::of(Kind::invalid, "the root file system cannot be mounted over");
  step.read_only_last = m.type == "tmpfs" && (step.options.flags & MS_RDONLY) != 0;
  if (step.read_only_last) step.options.flags &= ~static_cast<unsigned long>(MS_RDONLY);
  return step;
}

struct FlagName {
  unsigned long flag;
  const char* name;
};
constexpr FlagName flag_names[] = {
    {MS_RDONLY, "ro"},
    {MS_NOSUID, "nosuid"},
    {MS_NODEV, "nodev"},
    {MS_NOEXEC, "noexec"},
    {MS_NOATIME, "noatime"},
    {MS_NODIRATIME, "nodiratime"},
    {MS_RELATIME, "relatime"},
    {MS_STRICTATIME, "strictatime"},
    {MS_SYNCHRONOUS, "sync"},
    {MS_MANDLOCK, "mand"},
    {MS_DIRSYNC, "dirsync"},
    {MS_REMOUNT, "remount"},
    {256 /* MS_NOSYMFOLLOW */, "nosymfollow"},
};

const char* kind_name(const MountStep& step) {
  if (step.kind == MountKind::bind) return (step.options.flags & MS_REC) != 0 ? "rbind" : "bind";
  if (step.kind == MountKind::cgroup) return "cgroup";
  return step.kind == MountKind::remount ? "remount" : "mount";
}

std::string propagation_text(unsigned long flags) {
  const std::string r = (flags & MS_REC) != 0 ? "r" : "";
  if ((flags & MS_SHARED) != 0) return r + "shared";
  if ((flags & MS_SLAVE) != 0) return r + "slave";
  return r + ((flags & MS_UNBINDABLE) != 0 ? "unbindable" : "private");
}

}  // namespace

Result<std::vector<MountStep>> plan_mounts(const oci::Spec& spec, const std::string& bundle) {
  std::vector<MountStep> steps;
  if (!spec.linux.has(oci::NamespaceType::mount) && !spec.mounts.empty())
    return Error::of(Kind::invalid, "mounts need a mount namespace: add {\"type\": \"mount\"} to linux.namespaces");
  for (const oci::Mount& m : spec.mounts) {
    MountStep step = TRY(plan_one(m, bundle).during("mount " + m.destination));
    steps.push_back(std::move(step));
  }
  return steps;
}

std::string to_text(const MountStep& step) {
  std::string out = kind_name(step);
  if (step.kind != MountKind::bind && !step.type.empty()) out += " " + step.type;
  if (!step.source.empty() && step.kind == MountKind::bind) out += " " + step.source;
  out += " " + step.target;
  for (const FlagName& f : flag_names)
    if ((step.options.flags & f.flag) != 0) out += std::string(" ") + f.name;
  if (step.read_only_last) out += " ro(last)";
  if (step.options.attr_set != 0 || step.options.attr_clear != 0)
    out += " recursive+" + std::to_string(step.options.attr_set) + "-" + std::to_string(step.options.attr_clear);
  for (unsigned long p : step.options.propagation) out += " " + propagation_text(p);
  if (!step.uid_mappings.empty() || step.options.idmap != oci::Idmap::none) out += " idmapped";
  if (step.options.copy_up) out += " tmpcopyup";
  if (step.options.inside) out += " inside";
  if (!step.options.data.empty()) out += " data=" + step.options.data;
  return out;
}

}  // namespace caisson::runtime

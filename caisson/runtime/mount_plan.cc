#include "caisson/runtime/mount_plan.h"

#include <linux/mount.h>
#include <sys/mount.h>

#include <algorithm>

namespace caisson::runtime {
namespace {

// Below /proc only these may be mounted over: files that lxcfs gives, and nodes that are safe to hide.
// source: runc rootfs_linux.go checkProcMount; CVE-2019-16884
constexpr std::string_view allowed_below_proc[] = {
    "/proc/cpuinfo",
    "/proc/diskstats",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/swaps",
    "/proc/uptime",
    "/proc/loadavg",
    "/proc/slabinfo",
    "/proc/net/dev",
    "/proc/sys/kernel/ns_last_pid",
    "/proc/sys/crypto/fips_enabled",
    "/proc/sys/fs/binfmt_misc",
};

Result<void> check_proc(const MountStep& step) {
  if (step.target != "/proc" && !step.target.starts_with("/proc/")) return ok();
  if (step.target == "/proc") {
    const bool bound_proc = step.kind == MountKind::bind && (step.source == "/proc" || step.source == "/proc/");
    if (step.type == "proc" || bound_proc || step.kind == MountKind::remount) return ok();
    return Error::of(Kind::invalid, "cannot be mounted because it is not of type proc");
  }
  if (std::find(std::begin(allowed_below_proc), std::end(allowed_below_proc), step.target) !=
      std::end(allowed_below_proc))
    return ok();
  return Error::of(Kind::invalid, "cannot be mounted because it is inside /proc");
}

Result<MountStep> plan_one(const oci::Mount& m, const std::string& bundle) {
  MountStep step;
  step.target = clean_path(m.destination);
  step.options = oci::parse_mount_options(m.options);
  step.type = m.type;
  step.source = m.source;
  step.uid_mappings = m.uid_mappings;
  step.gid_mappings = m.gid_mappings;
  const bool mapped = !m.uid_mappings.empty() || !m.gid_mappings.empty() || step.options.idmap != oci::Idmap::none;
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
  if (mapped && step.kind != MountKind::bind) return Error::of(Kind::invalid, "only bind mounts can be idmapped");
  if (m.uid_mappings.empty() != m.gid_mappings.empty())
    return Error::of(Kind::invalid, "needs both uidMappings and gidMappings, or neither");
  if (step.target == "/" && step.kind != MountKind::remount)
    return Error::of(Kind::invalid, "the root file system cannot be mounted over");
  step.read_only_last = m.type == "tmpfs" && (step.options.flags & MS_RDONLY) != 0;
  if (step.read_only_last) step.options.flags &= ~static_cast<unsigned long>(MS_RDONLY);
  TRY(check_proc(step));
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

std::string clean_path(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    const std::string_view part = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(part.size() + 1, path.size()));
    if (part.empty() || part == ".") continue;
    if (part != "..")
      parts.push_back(part);
    else if (!parts.empty())
      parts.pop_back();
  }
  std::string out;
  for (std::string_view part : parts) out.append("/").append(part);
  return out.empty() ? "/" : out;
}

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

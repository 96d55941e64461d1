// The mount list of a nest: what every nest has, its data roots, then what the caller asked for.
// Layer: nest (pure). Declared in plan.h.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "caisson/nest/plan.h"
#include "caisson/oci/mount_options.h"

namespace caisson::nest {
namespace {

using oci::Mount;

// What a nest has whatever its caller says, in mount order. Everything is made by the host's root before the
// container's own namespaces begin, and is locked, except what says x-caisson.inside (DESIGN D1).
std::vector<Mount> base_mounts(const Terms& terms) {
  std::vector<Mount> out = {
      {"/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}, {}, {}},
      {"/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}, {}, {}},
      {"/dev/pts",
       "devpts",
       "devpts",
       {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5", "x-caisson.inside"},
       {},
       {}},
      {"/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev"}, {}, {}},
      {"/sys/fs/cgroup", "cgroup", "cgroup", {"nosuid", "noexec", "nodev", "relatime"}, {}, {}},
  };
  if (!terms.grants.has(Grant::cgroup)) out.back().options.emplace_back("ro");
  if (terms.profile != Profile::compat) return out;
  const Mount pair[] = {
      // The clean pair: with it in sight, the kernel lets everybody inside mount a proc and a sysfs of their own,
      // whatever covers parts of /proc and /sys (DESIGN D2, mount_too_revealing() in fs/namespace.c). The name is
      // LXC's for the same: engines that list every device below /dev (`docker run --privileged`) pass it by.
      // source: GetDevices() in opencontainers/runc, https://github.com/lxc/lxd/issues/2825
      {"/dev/.lxc", "tmpfs", "tmpfs", {"nosuid", "nodev", "noexec", "mode=0000", "size=4k"}, {}, {}},
      {"/dev/.lxc/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}, {}, {}},
      {"/dev/.lxc/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev"}, {}, {}},
  };
  out.insert(out.end(), std::begin(pair), std::end(pair));
  return out;
}
constexpr std::string_view replaced[] = {"/proc", "/dev", "/dev/pts", "/sys"};
constexpr std::string_view inside_tmpfs[] = {"/dev/shm", "/run", "/run/lock", "/tmp"};

// Where engines keep what they cannot keep on an overlay. "" stands for Docker's, which daemon.json may move.
constexpr std::string_view data_roots[] = {"",
                                           "/var/lib/containerd",
                                           "/var/lib/kubelet",
                                           "/var/lib/rancher",
                                           "/var/lib/buildkit",
                                           "/var/lib/containers",
                                           "/var/lib/caisson"};

bool has_option(const Mount& mount, std::string_view option) {
  return std::ranges::find(mount.options, option) != mount.options.end();
}

bool is_replaced(std::string_view destination) {
  return is_at_or_below(destination, "/sys/fs/cgroup") || is_at_or_below(destination, "/dev/.lxc") ||
         std::ranges::find(replaced, destination) != std::end(replaced);
}

bool is_bind(const Mount& mount) { return oci::is_bind(mount, oci::parse_mount_options(mount.options)); }

// A file system that cannot be id-mapped is bound as it is: its files then belong to nobody the nest knows.
void idmap_bind(Mount& mount, const Facts& facts, std::vector<std::string>& warnings) {
  if (!mount.uid_mappings.empty() || has_option(mount, "idmap") || has_option(mount, "ridmap")) return;
  const auto found = facts.sources.find(mount.source);
  const Source source = found == facts.sources.end() ? Source{} : found->second;
  if (source.idmapping == Idmapping::no) {
    const bool has_owner = source.kind == SourceKind::directory || source.kind == SourceKind::file;
    if (has_owner)
      warnings.push_back("mount " + mount.destination + ": the file system of " + mount.source +
                         " cannot be id-mapped: its files show as nobody's");
    return;
  }
  const bool whole = source.idmapping == Idmapping::recursive && has_option(mount, "rbind");
  mount.options.emplace_back(whole ? "ridmap" : "idmap");
}

bool covers_another(const std::vector<Mount>& mounts, const std::string& destination) {
  return std::ranges::any_of(mounts, [&](const Mount& other) {
    const std::string at = clean_path(other.destination);
    return at != destination && is_at_or_below(at, destination);
  });
}

// Mounts that belong to the nest's root, so that it may unmount them.
void move_inside(Mount& mount, const std::vector<Mount>& all) {
  const std::string at = clean_path(mount.destination);
  if (mount.type != "tmpfs" || std::ranges::find(inside_tmpfs, at) == std::end(inside_tmpfs)) return;
  if (has_option(mount, "tmpcopyup") || has_option(mount, "x-caisson.inside") || covers_another(all, at)) return;
  mount.options.emplace_back("x-caisson.inside");
}

std::string directory_name(std::string_view destination) {
  std::string name(destination.substr(1));
  std::ranges::replace(name, '/', '-');
  return name;
}

// The user's mount at `path` or above it, the innermost.
const Mount* user_mount_over(const std::vector<Mount>& mounts, const std::string& path) {
  const Mount* best = nullptr;
  for (const Mount& mount : mounts) {
    const std::string at = clean_path(mount.destination);
    if (is_at_or_below(path, at) && (best == nullptr || at.size() >= clean_path(best->destination).size()))
      best = &mount;
  }
  return best;
}

void plan_data_root(Plan& plan, const std::vector<Mount>& user, const std::string& path, const Facts& facts) {
  if (const Mount* mount = user_mount_over(user, path); mount != nullptr) {
    if (is_bind(*mount) && !has_option(*mount, "ro"))
      plan.exclusive.push_back(clean_path(mount->source + path.substr(clean_path(mount->destination).size())));
    return;
  }
  // On a root that is a plain directory, inner overlays stack and nothing is lost at `delete`: leave it as it is.
  if (facts.root.filesystem != "overlay") {
    plan.exclusive.push_back(clean_path(facts.root.path + path));
    return;
  }
  if (facts.data_directory.empty()) {
    plan.warnings.push_back(path +
                            " stays on the root's overlay: /var/lib/caisson is on a file system that cannot carry it");
    return;
  }
  // Inner images that an image brings along cannot be a lower layer: no inner overlay stacks on an overlay. A copy can.
  const bool has_content = std::ranges::find(facts.preloaded, path) != facts.preloaded.end();
  if (has_content && !facts.data_can_idmap)
    plan.warnings.push_back("what the image has in " + path + " is hidden by the nest's own directory");
  DataRoot root{.destination = path,
                .directory = facts.data_directory + "/" + directory_name(path),
                .preload = has_content && facts.data_can_idmap};
  std::vector<std::string> options = {"bind"};
  if (facts.data_can_idmap) options.emplace_back("idmap");
  plan.spec.mounts.push_back({.destination = path,
                              .type = "bind",
                              .source = root.directory,
                              .options = options,
                              .uid_mappings = {},
                              .gid_mappings = {}});
  plan.exclusive.push_back(root.directory);
  plan.data_roots.push_back(std::move(root));
}

}  // namespace

std::vector<std::string> data_root_paths(const Facts& facts) {
  std::vector<std::string> out(std::begin(data_roots), std::end(data_roots));
  out.front() = facts.docker_data_root.empty() ? "/var/lib/docker" : facts.docker_data_root;
  return out;
}

void plan_mounts(Plan& plan, const Facts& facts) {
  const bool own_ids = owner_of(plan.spec) == Owner::nest;
  const bool systemd = starts_systemd(plan.spec);
  std::vector<Mount> user;
  for (Mount& mount : plan.spec.mounts) {
    const std::string at = clean_path(mount.destination);
    if (!is_replaced(at)) {
      user.push_back(std::move(mount));
    } else if (is_bind(mount)) {
      plan.warnings.push_back("mount " + at + " of the host's is not given: a nest has its own");
    }
  }
  std::vector<Mount>& out = plan.spec.mounts;
  out = base_mounts(facts.terms);
  const auto has = [&](std::string_view path) {
    return std::ranges::any_of(user, [&](const Mount& m) { return clean_path(m.destination) == path; });
  };
  for (const procview::Overmount& node : facts.overmounts) {
    if (has(node.destination) || !shows(facts.terms, node.destination)) continue;  // the caller's own (lxcfs) wins
    out.push_back({.destination = node.destination,
                   .type = "bind",
                   .source = facts.view + "/" + node.source,
                   .options = {"bind", "x-caisson.view"},
                   .uid_mappings = {},
                   .gid_mappings = {}});
  }
  if (!has("/dev/shm"))
    out.push_back({"/dev/shm",
                   "tmpfs",
                   "shm",
                   {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k", "x-caisson.inside"},
                   {},
                   {}});
  if (!has("/dev/mqueue")) out.push_back({"/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}, {}, {}});
  if (systemd && !has("/run") && !covers_another(user, "/run"))
    out.push_back({"/run", "tmpfs", "tmpfs", {"nosuid", "nodev", "mode=755", "x-caisson.inside"}, {}, {}});

  for (const std::string& path : data_root_paths(facts)) plan_data_root(plan, user, path, facts);
  for (Mount& mount : user) {
    if (is_bind(mount)) {
      if (own_ids) idmap_bind(mount, facts, plan.warnings);
    } else {
      move_inside(mount, user);
    }
  }
  std::ranges::move(user, std::back_inserter(out));
}

}  // namespace caisson::nest

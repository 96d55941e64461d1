#include "caisson/runtime/clones.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "caisson/oci/guest_path.h"
#include "caisson/runtime/overlay_by_path.h"
#include "caisson/sys/file.h"
#include "caisson/sys/map_namespace.h"
#include "caisson/sys/process.h"
#include "caisson/sys/raw.h"

namespace caisson::runtime {
namespace {

using sys::Recursive;
using sys::UniqueFd;

struct FlagPair {
  unsigned long flag;
  std::uint64_t attribute;
};
constexpr FlagPair pairs[] = {
    {MS_RDONLY, MOUNT_ATTR_RDONLY}, {MS_NOSUID, MOUNT_ATTR_NOSUID},         {MS_NODEV, MOUNT_ATTR_NODEV},
    {MS_NOEXEC, MOUNT_ATTR_NOEXEC}, {MS_NODIRATIME, MOUNT_ATTR_NODIRATIME}, {256, MOUNT_ATTR_NOSYMFOLLOW},
};

Result<UniqueFd> clone_mapped(const std::string& path, Recursive recursive, int user_namespace) {
  UniqueFd tree = TRY(sys::open_tree_clone(AT_FDCWD, path, recursive));
  auto mapped = sys::set_mount_attributes(tree.get(), {.set = MOUNT_ATTR_IDMAP, .userns = user_namespace}, recursive);
  if (!mapped && mapped.error().is(EINVAL)) mapped = std::move(mapped).during("the file system cannot be id-mapped");
  TRY(std::move(mapped).during("idmap " + path));
  return tree;
}

// Upper and work by descriptor, in the clone that holds both.
struct Writable {
  UniqueFd upper, work;
};

Result<OverlayLayers> clone_layers(const RootPlan& root, int user_namespace) {
  OverlayLayers out;
  for (const std::string& lower : root.lower) {
    UniqueFd layer = TRY(clone_mapped(lower, Recursive::no, user_namespace));
    out.lower.push_back(std::move(layer));
  }
  // The engine's own mount of the same layers stays where it is: it would be EBUSY with an index.
  out.options = root.overlay_options;
  out.options.emplace_back("index=off");
  if (root.upper.empty()) return out;
  // Two separate clones would be two mounts, and overlayfs wants upper and work on one.
  const std::size_t slash = root.upper.rfind('/');
  const std::string parent = root.upper.substr(0, slash);
  if (root.work.substr(0, root.work.rfind('/')) != parent)
    return Error::of(Kind::invalid, "upper and work must be in one directory");
  out.above = TRY(clone_mapped(parent, Recursive::no, user_namespace));
  out.upper = root.upper.substr(slash + 1);
  out.work = root.work.substr(root.work.rfind('/') + 1);
  return out;
}

// source: "lowerdir+", "upperdir" and "workdir" take descriptors since Linux 6.13, and those of detached mounts too
Result<UniqueFd> overlay_by_descriptor(const OverlayLayers& layers) {
  std::vector<sys::FilesystemOption> options;
  for (const UniqueFd& lower : layers.lower) options.push_back({"lowerdir+", "", lower.get()});
  Writable writable;
  if (layers.above) {
    constexpr int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
    writable.upper = TRY(sys::open_at(layers.above.get(), layers.upper, flags));
    writable.work = TRY(sys::open_at(layers.above.get(), layers.work, flags));
    options.push_back({"upperdir", "", writable.upper.get()});
    options.push_back({"workdir", "", writable.work.get()});
  }
  for (const std::string& option : layers.options) {
    const std::size_t equals = option.find('=');
    const bool flag = equals == std::string::npos;
    options.push_back({option.substr(0, equals), flag ? "" : option.substr(equals + 1), -1});
  }
  options.push_back({"source", "overlay", -1});
  return sys::new_filesystem("overlay", options.data(), options.size(), 0);
}

// Files are made in idmapped layers as the one who mounts them: that must be an id that the maps know, or the overlay
// is silently read-only (EOVERFLOW). The caller has the container root's file system ids.
Result<UniqueFd> overlay(const RootPlan& root, int user_namespace) {
  const OverlayLayers layers = TRY(clone_layers(root, user_namespace));
  auto made = overlay_by_descriptor(layers);
  // Before 6.13: no descriptors at all, none for this option, or none with O_PATH, as clones have (6.12: EBADF).
  const bool old = !made && (made.error().is(EOPNOTSUPP) || made.error().is(EINVAL) || made.error().is(EBADF));
  return old ? overlay_by_path(root.path, layers) : std::move(made);
}

}  // namespace

MountAttributes attributes_of(const oci::MountOptions& options) {
  MountAttributes out;
  for (const FlagPair& pair : pairs) {
    if ((options.flags & pair.flag) != 0) out.set |= pair.attribute;
    if ((options.cleared & pair.flag) != 0 && pair.flag != MS_RDONLY) out.clear |= pair.attribute;
  }
  if ((options.flags & (MS_NOATIME | MS_STRICTATIME | MS_RELATIME)) != 0) {
    out.clear |= MOUNT_ATTR__ATIME;
    if ((options.flags & MS_NOATIME) != 0) out.set |= MOUNT_ATTR_NOATIME;
    if ((options.flags & MS_STRICTATIME) != 0) out.set |= MOUNT_ATTR_STRICTATIME;
  }
  return out;
}

Result<UniqueFd> clone_bind(const MountStep& step, const Plan& plan, int user_namespace) {
  const bool deep = (step.options.flags & MS_REC) != 0;
  UniqueFd tree = TRY(sys::open_tree_clone(AT_FDCWD, step.source, deep ? Recursive::yes : Recursive::no));
  const bool own_maps = !step.uid_mappings.empty();
  if (!own_maps && step.options.idmap == oci::Idmap::none) return tree;
  UniqueFd maps;
  if (own_maps) {
    const bool same = user_namespace >= 0 && step.uid_mappings == plan.namespaces.uid_mappings &&
                      step.gid_mappings == plan.namespaces.gid_mappings;
    if (!same) maps = TRY(sys::make_map_namespace(map_text(step.uid_mappings), map_text(step.gid_mappings)));
  }
  const int from = maps ? maps.get() : user_namespace;
  if (from < 0) return Error::of(Kind::invalid, "an idmapped mount needs id mappings or a user namespace");
  const Recursive how = step.options.idmap == oci::Idmap::recursive ? Recursive::yes : Recursive::no;
  TRY(sys::set_mount_attributes(tree.get(), {.set = MOUNT_ATTR_IDMAP, .userns = from}, how).during("idmap"));
  return tree;
}

Result<UniqueFd> clone_root(const RootPlan& root, int user_namespace) {
  if (root.kind == RootKind::directory) return sys::open_tree_clone(AT_FDCWD, root.path, Recursive::yes);
  if (root.kind == RootKind::idmapped) return clone_mapped(root.path, Recursive::no, user_namespace);
  return overlay(root, user_namespace);
}

Result<std::vector<UniqueFd>> clone_sources(const Plan& plan, int user_namespace) {
  std::vector<UniqueFd> out;
  UniqueFd root = TRY(clone_root(plan.root, user_namespace).during("mount root " + plan.root.path));
  out.push_back(std::move(root));
  for (const MountStep& step : plan.mounts) {
    if (step.kind != MountKind::bind || step.options.inside) continue;
    UniqueFd tree = TRY(clone_bind(step, plan, user_namespace).during("error mounting " + to_text(step)));
    out.push_back(std::move(tree));
  }
  return out;
}

std::string map_text(const std::vector<oci::IdMapping>& mappings) {
  std::string out;
  for (const oci::IdMapping& m : mappings)
    out += std::to_string(m.container_id) + " " + std::to_string(m.host_id) + " " + std::to_string(m.size) + "\n";
  return out;
}

Result<void> make_parent_private(const std::string& path) {
  // The mount point is the longest prefix that takes a propagation change: anything else is EINVAL.
  std::string at = oci::clean_guest_path(path);
  for (;;) {
    auto done = sys::set_propagation(at, MS_PRIVATE);
    if (done || !done.error().is(EINVAL) || at == "/") return done;
    at = at.substr(0, at.rfind('/'));
    if (at.empty()) at = "/";
  }
}

}  // namespace caisson::runtime

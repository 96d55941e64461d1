#include "caisson/nest/supervised.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "caisson/cgroup/group.h"
#include "caisson/cgroup/layout.h"
#include "caisson/nest/caller.h"
#include "caisson/nest/gather.h"
#include "caisson/nest/record.h"
#include "caisson/nest/shared_settings.h"
#include "caisson/sys/file.h"

namespace caisson::nest {
namespace {

// The nest's cgroup is that of its first process, but on v2 that one is in a leaf of it (Group::settle).
cgroup::Placement placement_of(const cgroup::Layout& layout) {
  cgroup::Placement out;
  for (const cgroup::Hierarchy& hierarchy : layout.hierarchies) {
    std::string path = hierarchy.own;
    const std::string leaf = "/" + std::string(cgroup::init_leaf);
    if (hierarchy.version == cgroup::Version::v2 && path.ends_with(leaf)) path.resize(path.size() - leaf.size());
    if (path.empty() || path == "/") continue;
    out.directories.push_back({.version = hierarchy.version,
                               .controllers = hierarchy.controllers,
                               .mount_point = hierarchy.mount_point,
                               .path = path});
  }
  return out;
}

}  // namespace

bool Supervised::owns(uid_t uid) const {
  return std::ranges::any_of(
      uids, [&](const sys::IdExtent& extent) { return uid >= extent.outside && uid - extent.outside < extent.count; });
}

Result<void> learn(Supervised& nest, pid_t init, std::string_view instructions) {
  const std::string at = "/proc/" + std::to_string(init);
  nest.host_mounts = TRY(sys::open_file("/proc/self/ns/mnt", O_RDONLY));
  nest.host_network = TRY(sys::open_file("/proc/self/ns/net", O_RDONLY));
  nest.host_processes = TRY(sys::open_file("/proc/self/ns/pid", O_RDONLY));
  const sys::UniqueFd user = TRY(sys::open_file(at + "/ns/user", O_RDONLY));
  nest.user_namespace = TRY(namespace_id(user.get()));
  nest.uids = TRY(sys::read_id_map(at + "/uid_map"));
  nest.init = init;
  nest.instructions = parse_instructions(instructions);
  // What was there when it was made may have gone; the rest is still given.
  if (auto devices = gather_granted(nest.instructions.terms.grants)) nest.devices = *std::move(devices);
  const std::string mountinfo = TRY(sys::read_file("/proc/self/mountinfo"));
  const std::string cgroup = TRY(sys::read_file(at + "/cgroup"));
  cgroup::Placement placement = placement_of(cgroup::parse_layout(mountinfo, cgroup));
  if (const auto done = protect_shared_settings(placement); !done)
    (void)sys::write_all(STDERR_FILENO, "caisson-supervisor: " + done.error().message() + "\n");
  auto view = empty_view(nest.directory);
  if (!view) return ok();  // below a runtime that made none
  nest.view = *std::move(view);
  nest.view.init = init;
  nest.view.placement = std::move(placement);
  nest.known.set(nest.view);
  return ok();
}

Result<procview::Nest> empty_view(const std::string& directory) {
  procview::Nest out;
  out.values = directory + "/" + values_name;
  out.id = directory.substr(directory.rfind('/') + 1);
  const sys::UniqueFd values = TRY(sys::open_file(out.values, O_PATH | O_DIRECTORY));
  const struct stat owner = TRY(sys::status_of(values.get()));
  out.root_uid = owner.st_uid;
  out.root_gid = owner.st_gid;
  return out;
}

}  // namespace caisson::nest

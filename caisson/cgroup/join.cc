// Group's doors: the descriptors through which a child becomes a member.
// Layer: cgroup. Used by create, run and exec through group.h.
// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>

#include "caisson/cgroup/files.h"
#include "caisson/cgroup/group.h"
#include "caisson/sys/file.h"

namespace caisson::cgroup {
namespace {

Result<void> open_door(const Directory& directory, const std::string& below, JoinFds& out) {
  const std::string path = directory.absolute() + below;
  if (directory.version == Version::v2) {
    out.unified = TRY(sys::open_file(path, O_PATH | O_DIRECTORY));
    return ok();
  }
  sys::UniqueFd tasks = TRY(sys::open_file(path + "/tasks", O_WRONLY));
  out.tasks.push_back(std::move(tasks));
  return ok();
}

// "a/./b" -> "/a/b", "/" -> "". A ".." is refused: exec must not leave the container's cgroup.
Result<std::string> clean_sub(const std::string& sub) {
  std::string out;
  std::string_view rest = sub;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('/'), rest.size());
    const std::string_view part = rest.substr(0, end);
    if (part == "..")
      return Error::of(Kind::invalid, "cgroup: bad sub cgroup path: " + sub + " is not a sub cgroup path");
    if (!part.empty() && part != ".") out.append("/").append(part);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return out;
}

// Which directory below the container's, for this hierarchy.
Result<std::string> sub_of(const Directory& directory, const std::map<std::string, std::string>& sub) {
  for (const std::string& controller : directory.controllers)
    if (const auto found = sub.find(controller); found != sub.end()) return clean_sub(found->second);
  if (const auto all = sub.find(""); all != sub.end()) return clean_sub(all->second);
  return std::string();
}

// The v2 cgroup of a process, if it lies below `directory`: its absolute path.
Result<std::string> leaf_of(pid_t pid, const Directory& directory) {
  const std::string text = TRY(sys::read_file("/proc/" + std::to_string(pid) + "/cgroup"));
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view line = take_line(rest);
    if (!line.starts_with("0::/")) continue;
    // The path starts at our cgroup namespace's root, the mount perhaps lower: what both share is `directory`'s tail.
    const std::string path(line.substr(3));
    const std::size_t at = path.find(directory.path + "/");
    if (at == path.npos || path.find("/..") != path.npos) return std::string();
    return directory.mount_point + path.substr(at);
  }
  return std::string();
}

// A v2 cgroup whose children have controllers may not hold processes itself. source: cgroup-v2.rst "No Internal
// Process Constraint"
bool takes_no_process(const std::string& directory) {
  auto enabled = read_value(directory, "cgroup.subtree_control");
  return enabled && !enabled->empty();
}

}  // namespace

Result<JoinFds> Group::join_fds() const {
  JoinFds out;
  for (const Directory& directory : placement_.directories) TRY(open_door(directory, "", out).during("join cgroup"));
  return out;
}

Result<JoinFds> Group::join_fds_for_exec(pid_t init, const std::map<std::string, std::string>& sub) const {
  for (const auto& [controller, path] : sub) {
    if (!controller.empty() && placement_.find(controller) == nullptr)
      return Error::of(Kind::invalid, "cgroup: unknown controller " + controller + ": not one of the container's");
  }
  JoinFds out;
  for (const Directory& directory : placement_.directories) {
    const std::string below = TRY(sub_of(directory, sub));
    if (directory.version == Version::v2 && below.empty()) {
      const std::string leaf = TRY(leaf_of(init, directory));
      // In a settled container a process beside the leaf would be in its manager's way later.
      const bool settled = leaf == directory.absolute() + "/" + std::string(init_leaf);
      if (!leaf.empty() && (settled || takes_no_process(directory.absolute()))) {
        out.unified = TRY(sys::open_file(leaf, O_PATH | O_DIRECTORY).during("join cgroup"));
        continue;
      }
    }
    TRY(open_door(directory, below, out).during("join cgroup"));
  }
  return out;
}

}  // namespace caisson::cgroup

// Group: making, opening, limiting, giving away and removing one container's cgroup.
// Layer: cgroup. Used by the runtime and nest through group.h; freezer.cc, processes.cc and join.cc hold the rest.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/cgroup/group.h"

#include <fcntl.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "caisson/cgroup/devices.h"
#include "caisson/cgroup/files.h"
#include "caisson/cgroup/limits.h"
#include "caisson/cgroup/tree.h"
#include "caisson/sys/directory.h"
#include "caisson/sys/file.h"

namespace caisson::cgroup {
namespace {

using std::chrono_literals::operator""s;

bool is_denied(const Error& error) { return error.is(EACCES) || error.is(EPERM) || error.is(EROFS); }

// Controllers that a v2-only container gets even without a limit: statistics and later updates need them.
constexpr const char* useful_controllers[] = {"cpuset", "cpu", "io", "memory", "hugetlb", "pids", "rdma", "misc"};

// Threads of one process may be spread over a threaded cgroup only with these controllers.
bool is_threaded(const std::string& controller) {
  return controller == "cpu" || controller == "cpuset" || controller == "pids" || controller == "perf_event";
}

struct Made {
  Placement placement;               // without the hierarchies that were skipped
  std::vector<std::string> made;     // directories
  std::vector<std::string> present;  // containers' directories that were there before us
  std::optional<Error> refused;      // the first hierarchy that was skipped
};

Result<void> make_all(const Placement& wanted, Denied denied, Made& out) {
  for (const Directory& directory : wanted.directories) {
    const std::size_t before = out.made.size();
    auto done = make_group(directory, out.made);
    if (!done && denied == Denied::skip && is_denied(done.error())) {
      if (!out.refused) out.refused = std::move(done).error();
      continue;
    }
    if (!done) return done;
    if (out.made.size() == before) out.present.push_back(directory.absolute());
    out.placement.directories.push_back(directory);
  }
  return ok();
}

// Files of the container's manager; one that the hierarchy does not have is passed over.
Result<void> give_away(const std::string& directory, uid_t uid, gid_t gid) {
  sys::UniqueFd here = TRY(sys::open_file(directory, O_PATH | O_DIRECTORY));
  TRY(sys::change_owner_at(here.get(), "", uid, gid).during(directory));
  for (const char* file :
       {"cgroup.procs", "tasks", "cgroup.clone_children", "cgroup.subtree_control", "cgroup.threads"}) {
    auto done = sys::change_owner_at(here.get(), file, uid, gid);
    if (!done && !done.error().is(ENOENT)) return std::move(done).during(directory);
  }
  return ok();
}

CpusetOwn own_cpuset(const oci::Resources* resources) {
  if (resources == nullptr || !resources->cpu) return {};
  return {!resources->cpu->cpus.empty(), !resources->cpu->mems.empty()};
}

enum class Step : unsigned char { create, create_over, update };  // over: directories were there

// v2: what the settings need, above and at the container's directory.
Result<void> prepare_unified(const Placement& placement, const std::vector<Setting>& settings, Step step) {
  const Directory* unified = placement.unified();
  if (unified == nullptr) return ok();
  std::vector<std::string> wanted = controllers_of(settings, *unified);
  const bool needs_domain = std::any_of(wanted.begin(), wanted.end(), [](auto& name) { return !is_threaded(name); });
  const bool creates = placement.mode() == Mode::v2 && step != Step::update;
  if (creates) {
    for (const char* name : useful_controllers)
      if (unified->has(name) && std::find(wanted.begin(), wanted.end(), name) == wanted.end()) wanted.push_back(name);
  }
  const Top top = placement.mode() == Mode::v2 ? Top::enable : Top::leave;
  if (!wanted.empty()) enable_controllers(*unified, wanted, top);
  if (creates) return settle_type(*unified, needs_domain);
  return ok();
}

Result<void> apply_all(const oci::Resources& resources, const Placement& placement, Devices devices, Step step) {
  const Directory* unified = placement.unified();
  if (unified != nullptr && placement.find("memory") == unified && resources.memory)
    TRY(check_memory_usage(*resources.memory, *unified));
  Current current;
  if (step != Step::create) {
    current = TRY(read_current(resources, placement));
  }
  const std::vector<Setting> settings = TRY(plan_settings(resources, placement, current));
  TRY(prepare_unified(placement, settings, step));
  if (step != Step::update) {
    const Attached attached = step == Step::create ? Attached::no : Attached::maybe;
    auto ruled = apply_device_rules(resources.devices, placement, attached);
    if (!ruled && devices == Devices::enforce) return ruled;
  }
  return write_settings(settings);
}

}  // namespace

Result<Group> Group::create(Placement placement, const oci::Resources* resources, Permissions permissions) {
  Made made;
  auto fill = [&](Group& group) -> Result<void> {
    auto done = make_all(placement, permissions.denied, made);
    group.made_ = std::move(made.made);
    group.placement_ = std::move(made.placement);
    if (!done) return done;
    if (!made.present.empty()) TRY(group.refuse_if_used(permissions.beside));
    const Directory* cpuset = group.placement_.find("cpuset");
    if (cpuset != nullptr && cpuset->version == Version::v1) TRY(inherit_cpuset(*cpuset, own_cpuset(resources)));
    const oci::Resources none;
    const Step step = made.present.empty() ? Step::create : Step::create_over;
    auto applied = apply_all(resources == nullptr ? none : *resources, group.placement_, permissions.devices, step);
    // Without the limits that were asked for there is no going on without the directory.
    if (!applied && made.refused)
      return std::move(*made.refused)
          .during("rootless needs no limits + no cgrouppath when no permission is granted for cgroups");
    return applied;
  };
  Group group{Placement{}};
  auto done = fill(group);
  if (done) return group;
  group.discard();
  return std::move(done).error();
}

Result<void> Group::refuse_if_used(pid_t beside) const {
  std::vector<pid_t> present = TRY(pids());
  std::erase(present, beside);
  if (!present.empty())
    return Error::of(Kind::conflict,
                     "container's cgroup is not empty: " + std::to_string(present.size()) + " process(es) found");
  const bool frozen = TRY(is_frozen());
  if (frozen) return Error::of(Kind::conflict, "container's cgroup unexpectedly frozen");
  return ok();
}

Result<void> Group::apply_resources(const oci::Resources& resources) {
  return apply_all(resources, placement_, Devices::enforce, Step::update);
}

Result<std::vector<Setting>> Group::plan_update(const oci::Resources& resources) const {
  const Directory* memory = placement_.find("memory");
  if (memory != nullptr && memory == placement_.unified() && resources.memory)
    TRY(check_memory_usage(*resources.memory, *memory));
  const Current current = TRY(read_current(resources, placement_));
  return plan_settings(resources, placement_, current);
}

Result<void> Group::replace_device_rules(const std::vector<oci::DeviceRule>& rules) {
  return apply_device_rules(rules, placement_, Attached::maybe);
}

Result<void> Group::delegate(uid_t uid, gid_t gid) const {
  for (const Directory& directory : placement_.directories)
    TRY(give_away(directory.absolute(), uid, gid).during("delegate cgroup"));
  return ok();
}

Result<void> Group::give_to(uid_t uid) const {
  const Directory* unified = placement_.unified();
  if (placement_.mode() != Mode::v2 || unified == nullptr) return ok();
  sys::UniqueFd here = TRY(sys::open_file(unified->absolute(), O_PATH | O_DIRECTORY).during("give cgroup away"));
  const std::string files = TRY(sys::read_file("/sys/kernel/cgroup/delegate").during("give cgroup away"));
  constexpr gid_t unchanged = static_cast<gid_t>(-1);
  TRY(sys::change_owner_at(here.get(), "", uid, unchanged).during("give cgroup away"));
  for (std::string_view rest = files; !rest.empty();) {
    const std::string file(take_line(rest));
    auto done = file.empty() ? ok() : sys::change_owner_at(here.get(), file.c_str(), uid, unchanged);
    if (!done && !done.error().is(ENOENT)) return std::move(done).during("give cgroup away: " + file);
  }
  return ok();
}

Result<void> Group::settle(pid_t init, uid_t uid, gid_t gid) const {
  const bool alone =
      std::ranges::all_of(placement_.directories, [](const Directory& d) { return d.version == Version::v2; });
  if (!alone) return ok();
  for (const Directory& directory : placement_.directories) {
    const std::string leaf = directory.absolute() + "/" + std::string(init_leaf);
    TRY(sys::make_directory_at(AT_FDCWD, leaf, 0755).during("settle"));
    TRY(give_away(leaf, uid, gid).during("settle"));
    TRY(sys::write_once(leaf + "/cgroup.procs", std::to_string(init)).during("settle"));
  }
  return ok();
}

Result<void> Group::remove() const {
  bool thawed = false;
  for (const Directory& directory : placement_.directories) {
    const std::string path = directory.absolute();
    auto removed = sys::remove_directory(path);
    if (removed || is_gone(removed.error())) continue;
    if (!removed.error().is(EBUSY) && !removed.error().is(ENOTEMPTY)) return removed;
    // Frozen processes that were killed cannot end.
    if (!std::exchange(thawed, true)) thaw_all();
    TRY(remove_group(path, 10s));
  }
  return ok();
}

bool Group::remove_empty() const {
  for (const Directory& directory : placement_.directories) {
    auto removed = sys::remove_directory(directory.absolute());
    if (!removed && !is_gone(removed.error())) return false;
  }
  return !placement_.directories.empty();
}

void Group::discard() {
  std::chrono::milliseconds patience = 2s;  // for processes that were just killed; all hierarchies have the same ones
  for (auto path = made_.rbegin(); path != made_.rend(); ++path) {
    const bool is_container = std::any_of(placement_.directories.begin(), placement_.directories.end(),
                                          [&](const Directory& directory) { return directory.absolute() == *path; });
    if (!is_container) {
      (void)sys::remove_directory(*path);
    } else if (!remove_group(*path, patience)) {
      patience = std::chrono::milliseconds(0);
    }
  }
  made_.clear();
}

}  // namespace caisson::cgroup

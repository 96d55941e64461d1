// The command delete: nothing of a container is left, whatever state it was found in.
// Layer: runtime. Declared in commands.h; destroy_container() is also how run ends.
// SPDX-License-Identifier: Apache-2.0
#include <signal.h>

#include "caisson/cgroup/layout.h"
#include "caisson/runtime/commands.h"
#include "caisson/runtime/destroy.h"
#include "caisson/runtime/hooks.h"
#include "caisson/runtime/rdt.h"
#include "caisson/runtime/status.h"
#include "caisson/runtime/systemd_unit.h"

namespace caisson::runtime {
namespace {

constexpr std::chrono::seconds kill_patience(30);
constexpr std::chrono::seconds lock_patience(10);

// The pid may be gone, or somebody else's by now: then there is nothing to kill.
Result<void> kill_and_wait(const ContainerState& state, const cgroup::Group& group) {
  auto init = open_init(state);
  if (!init && init.error().kind() != Kind::not_found) return std::move(init).error();
  if (init) {
    auto sent = (*init).send(SIGKILL);
    if (!sent && sent.error().kind() != Kind::not_found) return sent;
    group.thaw_all();  // v1: a frozen process does not die. Without a freezer there is nothing to thaw
    const bool ended = TRY((*init).wait_end(kill_patience));
    if (!ended) return Error::of(Kind::os, "container init (pid " + std::to_string(state.pid) + ") does not die");
  }
  return group.kill_all(SIGKILL);  // who was in the cgroup but not in init's pid namespace
}

// Its init, not what may be left in its cgroup.
bool has_ended(const ContainerState& state) {
  const auto init = open_init(state);
  return !init && init.error().kind() == Kind::not_found;
}

// What to run when all is over. An absent or damaged config.json must not keep a container from being deleted.
Result<std::vector<oci::Hook>> poststop_hooks(const Context& context, const Record& record) {
  std::vector<oci::Hook> none;
  const auto text = record.config_text();
  if (!text && text.error().is(ENOENT)) return none;
  if (!text) return text.error();  // the next delete may be able to
  // Most have none, and parsing is most of what delete costs. A name can be written otherwise only by \u escapes.
  if ((*text).find("poststop") == std::string::npos && (*text).find("\\u") == std::string::npos) return none;
  auto config = record.config();
  if (!config) {
    context.log.warning(config.error().message());
    return none;
  }
  return std::move((*config).hooks.poststop);
}

// state.json is not there or cannot be read: where the container's cgroup must be is still in config.json.
Result<int> destroy_damaged(const Context& context, Record record) {
  const auto config = record.config();
  const auto layout = cgroup::load_layout();
  if (config && layout) {
    const std::string& path = (*config).linux.cgroups_path;
    const bool systemd = context.cgroup_manager == CgroupManager::systemd;
    auto placement = systemd ? stop_unit_of(context, path, record.id()) : cgroup::place(*layout, path, record.id());
    if (!placement && systemd) context.log.warning(placement.error().message());
    if (placement) {
      const cgroup::Group group = cgroup::Group::open(std::move(*placement));
      if (auto killed = group.kill_all(SIGKILL); !killed) context.log.warning(killed.error().message());
      if (auto removed = group.remove(); !removed) context.log.warning(removed.error().message());
    }
  }
  auto removed = context.store.remove(std::move(record));
  if (!removed && removed.error().kind() != Kind::not_found) return std::move(removed).error();
  return 0;
}

// Whoever creates or starts the container holds the lock, maybe for as long as a hook hangs: its init is killed
// first, so that it fails.
Result<void> take_lock(const Record& record) {
  if (record.try_lock()) return ok();
  if (const auto state = record.load()) {
    const cgroup::Group group = TRY(group_of(*state));
    TRY(kill_and_wait(*state, group));
  }
  return record.lock(lock_patience);
}

Result<int> delete_by_force(Context& context, const std::string& id) {
  auto record = context.store.open(id);
  if (!record && record.error().kind() == Kind::not_found) {
    context.store.sweep();  // it may have been killed before it had the name
    return 0;
  }
  if (!record) return std::move(record).error();
  TRY(take_lock(*record));
  auto state = (*record).load();
  if (!state) return destroy_damaged(context, std::move(*record));
  TRY(destroy_container(context, std::move(*record), *state));
  return 0;
}

}  // namespace

Result<void> destroy_container(const Context& context, Record record, const ContainerState& state,
                               const oci::Spec* spec) {
  const cgroup::Group group = TRY(group_of(state));
  if (!has_ended(state) || !state.systemd_unit.empty() || !group.remove_empty()) {
    TRY(kill_and_wait(state, group));
    // What systemd cannot be told any more must not keep the container from being deleted.
    if (auto stopped = stop_unit(state); !stopped) context.log.warning(stopped.error().message());
    TRY(group.remove().during("remove the container's cgroup"));
  }
  if (!state.rdt.empty()) TRY(remove_rdt_group(parse_rdt_group(state.rdt)).during("remove the container's RDT group"));
  std::vector<oci::Hook> hooks;
  if (spec != nullptr)
    hooks = spec->hooks.poststop;
  else
    hooks = TRY(poststop_hooks(context, record));
  TRY(context.store.remove(std::move(record)));
  if (hooks.empty()) return ok();
  // The container is gone, and stays so: a failure is only told. source: runtime-spec runtime.md "Lifecycle" 13.
  auto ran = run_hooks(hooks, print_oci_state(state, Status::stopped), "poststop");
  if (!ran) context.log.warning(ran.error().message());
  return ok();
}

Result<int> delete_command(Context& context, const Arguments& arguments) {
  const std::string& id = arguments.id();
  if (arguments.on("force")) return delete_by_force(context, id);
  Container container = TRY(find_container(context.store, id, Lock::yes));
  if (container.status != Status::stopped && container.status != Status::created)
    return Error::of(Kind::conflict, "cannot delete container " + id +
                                         " that is not stopped: " + std::string(name_of(container.status)));
  TRY(destroy_container(context, std::move(container.record), container.state));
  return 0;
}

}  // namespace caisson::runtime

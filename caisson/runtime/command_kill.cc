// The commands kill, pause and resume: what reaches into a container that runs.
// Layer: runtime. Declared in commands.h.
// SPDX-License-Identifier: Apache-2.0
#include <signal.h>

#include "caisson/oci/kernel_names.h"
#include "caisson/runtime/commands.h"
#include "caisson/runtime/status.h"

namespace caisson::runtime {

Result<int> kill_command(Context& context, const Arguments& arguments) {
  const std::string name = arguments.rest().size() > 1 ? arguments.rest()[1] : "SIGTERM";
  const auto signal = oci::signal_number(name);
  if (!signal) return Error::of(Kind::invalid, "unknown signal \"" + name + "\"");
  const bool all = arguments.on("all");
  const Record record = TRY(context.store.open(arguments.id()));
  const ContainerState state = TRY(record.load());
  const cgroup::Group group = TRY(group_of(state));
  auto init = open_init(state);
  // Without a pid namespace of its own the others outlive init, and nobody else would find them.
  const bool everyone = all || (*signal == SIGKILL && !state.own_pid_namespace);
  if (!init && !(everyone && init.error().kind() == Kind::not_found)) return std::move(init).error();
  if (!init && !all) {
    const std::vector<pid_t> left = TRY(group.pids());
    if (left.empty()) return not_running();
  }
  if (everyone && !state.cgroup.empty()) {
    TRY(group.kill_all(*signal));
  } else if (init) {
    auto sent = (*init).send(*signal);
    if (!sent && sent.error().kind() == Kind::not_found) return not_running();
    if (!sent) return std::move(sent).error();
    if (*signal == SIGKILL) group.thaw_all();  // v1: a frozen process does not die. Without a freezer none is frozen
  }
  return 0;
}

Result<int> pause_command(Context& context, const Arguments& arguments) {
  const Container container = TRY(find_container(context.store, arguments.id()));
  if (container.status == Status::paused) return Error::of(Kind::conflict, "container not running: it is paused");
  if (container.status != Status::running && container.status != Status::created) return not_running();
  const cgroup::Group group = TRY(group_of(container.state));
  TRY(group.freeze().during("cannot pause"));
  return 0;
}

Result<int> resume_command(Context& context, const Arguments& arguments) {
  const Container container = TRY(find_container(context.store, arguments.id()));
  if (container.status != Status::paused) return Error::of(Kind::conflict, "container not paused");
  const cgroup::Group group = TRY(group_of(container.state));
  TRY(group.thaw().during("cannot resume"));
  return 0;
}

}  // namespace caisson::runtime

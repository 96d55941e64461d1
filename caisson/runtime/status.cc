#include "caisson/runtime/status.h"

#include "caisson/cgroup/placement.h"
#include "caisson/sys/process_stat.h"

namespace caisson::runtime {

Error not_running() { return Error::of(Kind::not_found, "container not running: no such process"); }

Result<cgroup::Group> group_of(const ContainerState& state) {
  if (state.cgroup.empty()) return cgroup::Group::open({});
  cgroup::Placement placement = TRY(cgroup::parse_placement(state.cgroup).during("state.json is damaged: cgroup"));
  return cgroup::Group::open(std::move(placement));
}

Result<Status> current_status(const Record& record, const ContainerState& state) {
  const Status status = TRY(status_of(record, state));
  if (status != Status::running && status != Status::created) return status;
  const cgroup::Group group = TRY(group_of(state));
  const bool frozen = TRY(group.is_frozen());
  return frozen ? Status::paused : status;
}

Result<Container> find_container(const StateStore& store, const std::string& id, Lock lock) {
  Record record = TRY(store.open(id, lock));
  ContainerState state = TRY(record.load());
  const Status status = TRY(current_status(record, state));
  return Container{std::move(record), std::move(state), status};
}

Result<sys::Pidfd> open_init(const ContainerState& state) {
  if (state.pid <= 0) return not_running();
  auto init = sys::Pidfd::open(state.pid);
  if (!init && init.error().kind() == Kind::not_found) return not_running();
  // In this order: the descriptor holds whoever had the pid, and only then is it asked when that one started.
  if (!init) return init;
  const bool running = TRY(sys::is_running(state.pid, state.start_time));
  if (!running) return not_running();
  return init;
}

}  // namespace caisson::runtime

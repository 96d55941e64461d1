// The systemd cgroup driver: a container's unit from its start to its end. docs/adr/0008 says why by D-Bus of our own.
// Layer: runtime. Used by creation.cc with --systemd-cgroup, and by delete, exec and update for a container that was
// made so; a container of cgroupfs runs nothing of it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "caisson/base/result.h"
#include "caisson/cgroup/group.h"
#include "caisson/cgroup/unit_manager.h"
#include "caisson/oci/resources.h"
#include "caisson/runtime/context.h"
#include "caisson/runtime/state.h"
#include "caisson/sys/process.h"

namespace caisson::runtime {

// A unit for a container that is being made: planned, then started. A scope lives by its processes, and there is none
// yet: a member of ours holds it until the container's own has joined. Stopped again unless kept.
class StartedUnit {
 public:
  //   errors  unsupported: "systemd not running on this host, cannot use systemd cgroups manager"
  static Result<StartedUnit> plan(const Context& context, const std::string& cgroups_path, const std::string& id);
  Result<void> start(const std::string& id, const oci::Resources& resources);
  StartedUnit(StartedUnit&& other) noexcept;
  StartedUnit& operator=(StartedUnit&&) = delete;
  StartedUnit(const StartedUnit&) = delete;
  StartedUnit& operator=(const StartedUnit&) = delete;
  ~StartedUnit();

  const cgroup::Placement& placement() const { return placement_; }
  pid_t member() const { return member_.pid(); }
  void note(ContainerState& state) const;

  // The limits until settle(): our member must not use up a small number of processes.
  oci::Resources while_starting(oci::Resources resources) const;
  // The container's first process is in: ours leaves.
  Result<void> settle(cgroup::Group& group);

  // A user's systemd moves processes to where the user could not.
  bool moves_processes() const { return systemd_ == cgroup::Systemd::user; }
  Result<void> attach(pid_t pid) { return manager_.attach(name_.unit, pid); }

  void keep() { kept_ = true; }

 private:
  StartedUnit(cgroup::UnitManager manager, cgroup::Systemd systemd, cgroup::UnitName name)
      : manager_(std::move(manager)), systemd_(systemd), name_(std::move(name)), member_(-1) {}

  cgroup::UnitManager manager_;
  cgroup::Systemd systemd_;
  cgroup::UnitName name_;
  cgroup::Placement placement_;
  cgroup::Mode mode_{};
  sys::Process member_;
  std::optional<oci::Pids> held_back_;
  bool kept_ = true;  // nothing to stop until it is started
};

// Stops the unit of a container whose processes are dead. One without a unit: nothing to do.
Result<void> stop_unit(const ContainerState& state);
// Of a container whose state is damaged: what its config.json says, to a caller that gave --systemd-cgroup.
Result<cgroup::Placement> stop_unit_of(const Context& context, const std::string& cgroups_path, const std::string& id);

// For update, before the files are written.
Result<void> update_unit(const ContainerState& state, const cgroup::Group& group, const oci::Resources& resources);

// Moves a process into a container's unit, with its systemd's rights.
Result<void> attach_to_unit(const ContainerState& state, pid_t pid);

}  // namespace caisson::runtime

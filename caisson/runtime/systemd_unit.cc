#include "caisson/runtime/systemd_unit.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "caisson/sys/file.h"
#include "caisson/sys/raw.h"

namespace caisson::runtime {
namespace {

namespace raw = sys::raw;
using cgroup::Systemd;

// Of a scope that is starting: our member, a stage, and the first process.
constexpr std::int64_t least_processes = 4;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

Result<cgroup::UnitManager> connect(Systemd systemd) {
  return cgroup::UnitManager::connect(
      cgroup::endpoints(systemd, {.system_address = environment("DBUS_SYSTEM_BUS_ADDRESS"),
                                  .session_address = environment("DBUS_SESSION_BUS_ADDRESS"),
                                  .runtime_directory = environment("XDG_RUNTIME_DIR")}));
}

// Which systemd is ours. Root of a user namespace has one of its own in there, or is a user to the machine's.
//   source  sd_booted(3)
Result<Systemd> own_systemd(const Context& context) {
  auto directory = sys::open_file("/run/systemd/system", O_PATH | O_DIRECTORY | O_NOFOLLOW);
  if (!directory)
    return Error::of(Kind::unsupported, "systemd not running on this host, cannot use systemd cgroups manager");
  const bool rootless = TRY(is_rootless(context));
  if (!rootless) return Systemd::system;
  const struct stat owner = TRY(sys::status_of((*directory).get()));
  return ::geteuid() == 0 && owner.st_uid == 0 ? Systemd::system : Systemd::user;
}

// A process that does nothing until it is killed, or we are.
Result<sys::Process> make_member() {
  const pid_t parent = ::getpid();
  const pid_t pid = TRY(sys::clone_process(0));
  if (pid != 0) return sys::Process(pid);
  raw::call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0UL, 0UL, 0UL);
  while (::getppid() == parent) raw::call(SYS_ppoll, nullptr, 0, nullptr, nullptr, 0);
  ::_exit(0);
}

void append(cgroup::Properties& to, cgroup::Properties from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

std::string proc_devices() {
  auto text = sys::read_file("/proc/devices");
  return text ? std::move(*text) : "";
}

}  // namespace

StartedUnit::StartedUnit(StartedUnit&& other) noexcept
    : manager_(std::move(other.manager_)),
      systemd_(other.systemd_),
      name_(std::move(other.name_)),
      placement_(std::move(other.placement_)),
      mode_(other.mode_),
      member_(std::move(other.member_)),
      held_back_(other.held_back_),
      kept_(std::exchange(other.kept_, true)) {}

StartedUnit::~StartedUnit() {
  if (kept_) return;
  member_ = sys::Process(-1);
  (void)manager_.stop(name_.unit);
}

Result<StartedUnit> StartedUnit::plan(const Context& context, const std::string& cgroups_path, const std::string& id) {
  const Systemd systemd = TRY(own_systemd(context));
  const cgroup::Layout layout = TRY(cgroup::load_layout());
  if (systemd == Systemd::user && layout.mode() != cgroup::Mode::v2)
    return Error::of(Kind::unsupported,
                     "cgroup v2 not enabled on this host, can't use systemd (rootless) as cgroups manager");
  cgroup::UnitName name = TRY(cgroup::parse_unit_name(cgroups_path, id, systemd));
  cgroup::UnitManager manager = TRY(connect(systemd));
  StartedUnit out(std::move(manager), systemd, std::move(name));
  out.placement_ = TRY(cgroup::place_unit(layout, out.name_, out.manager_.cgroup()));
  out.mode_ = layout.mode();
  return out;
}

Result<void> StartedUnit::start(const std::string& id, const oci::Resources& resources) {
  const std::int64_t processes = resources.pids ? resources.pids->limit.value_or(-1) : -1;
  if (processes >= 0 && processes < least_processes) held_back_ = resources.pids;
  const auto settings = TRY(cgroup::plan_settings(while_starting(resources), placement_));
  cgroup::Properties limits = TRY(cgroup::limit_properties(settings, manager_.version()));
  if (!name_.is_slice()) {
    member_ = TRY(make_member());
  }
  cgroup::Properties properties = cgroup::unit_properties(name_, id, member_.pid(), mode_);
  append(properties, std::move(limits));
  if (systemd_ == Systemd::system && !resources.devices.empty())
    append(properties, cgroup::device_properties(resources.devices, proc_devices()));
  TRY(manager_.start(name_.unit, properties));
  kept_ = false;
  return ok();
}

void StartedUnit::note(ContainerState& state) const {
  state.systemd_cgroup = true;
  state.systemd_unit = name_.unit;
  state.systemd_user = systemd_ == Systemd::user;
}

oci::Resources StartedUnit::while_starting(oci::Resources resources) const {
  if (held_back_) resources.pids = oci::Pids{.limit = least_processes};
  return resources;
}

Result<void> StartedUnit::settle(cgroup::Group& group) {
  member_ = sys::Process(-1);
  if (!held_back_) return ok();
  oci::Resources resources;
  resources.pids = held_back_;
  const auto settings = TRY(group.plan_update(resources));
  const cgroup::Properties properties = TRY(cgroup::limit_properties(settings, manager_.version()));
  TRY(manager_.set_properties(name_.unit, properties));
  return group.apply_resources(resources);
}

Result<void> stop_unit(const ContainerState& state) {
  if (state.systemd_unit.empty()) return ok();
  cgroup::UnitManager manager = TRY(connect(state.systemd_user ? Systemd::user : Systemd::system));
  return manager.stop(state.systemd_unit);
}

Result<cgroup::Placement> stop_unit_of(const Context& context, const std::string& cgroups_path, const std::string& id) {
  const Systemd systemd = TRY(own_systemd(context));
  const cgroup::Layout layout = TRY(cgroup::load_layout());
  const cgroup::UnitName name = TRY(cgroup::parse_unit_name(cgroups_path, id, systemd));
  cgroup::UnitManager manager = TRY(connect(systemd));
  TRY(manager.stop(name.unit));
  return cgroup::place_unit(layout, name, manager.cgroup());
}

Result<void> update_unit(const ContainerState& state, const cgroup::Group& group, const oci::Resources& resources) {
  if (state.systemd_unit.empty()) return ok();
  const auto settings = TRY(group.plan_update(resources));
  cgroup::UnitManager manager = TRY(connect(state.systemd_user ? Systemd::user : Systemd::system));
  const cgroup::Properties properties = TRY(cgroup::limit_properties(settings, manager.version()));
  return manager.set_properties(state.systemd_unit, properties);
}

Result<void> attach_to_unit(const ContainerState& state, pid_t pid) {
  cgroup::UnitManager manager = TRY(connect(state.systemd_user ? Systemd::user : Systemd::system));
  return manager.attach(state.systemd_unit, pid);
}

}  // namespace caisson::runtime

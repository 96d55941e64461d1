#include "caisson/runtime/creation.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "caisson/cgroup/layout.h"
#include "caisson/runtime/destroy.h"
#include "caisson/runtime/hooks.h"
#include "caisson/runtime/limits.h"
#include "caisson/runtime/locked_root.h"
#include "caisson/runtime/notify.h"
#include "caisson/runtime/spawn.h"
#include "caisson/runtime/systemd_unit.h"
#include "caisson/seccomp/listener.h"
#include "caisson/sys/file.h"
#include "caisson/sys/process_stat.h"
#include "caisson/sys/raw.h"
#include "caisson/sys/spent_fds.h"
#include "caisson/sys/unix_socket.h"

namespace caisson::runtime {
namespace {

namespace raw = sys::raw;
using sys::UniqueFd;

Result<UniqueFd> open_fifo(const Record& record) {
  const long r = raw::call(SYS_mknodat, record.fd(), start_fifo_name, S_IFIFO | 0600, 0);
  if (r < 0) return Error::os(static_cast<int>(-r), "make start.fifo");
  // Read and write: a reader that is its own writer waits instead of seeing the end of file. source: fifo(7)
  return sys::open_at(record.fd(), start_fifo_name, O_RDWR);
}

Result<void> check_apparmor(const Plan& plan) {
  if (plan.process.apparmor_profile.empty()) return ok();
  auto enabled = sys::read_file("/sys/module/apparmor/parameters/enabled");
  if (enabled && enabled->starts_with("Y")) return ok();
  return Error::of(Kind::invalid, "process.apparmorProfile: apparmor is not enabled on this machine");
}

// A network namespace given by its path may be the host's: its sysctls are not the container's to set.
Result<void> check_network_sysctls(const oci::Spec& spec) {
  const oci::Namespace* network = spec.linux.find(oci::NamespaceType::network);
  if (network == nullptr || network->path.empty()) return ok();
  struct stat theirs{};
  struct stat ours{};
  if (::stat(network->path.c_str(), &theirs) < 0) return Error::os(errno, "stat " + network->path);
  if (::stat("/proc/self/ns/net", &ours) < 0) return Error::os(errno, "stat /proc/self/ns/net");
  if (theirs.st_dev != ours.st_dev || theirs.st_ino != ours.st_ino) return ok();
  for (const auto& [name, value] : spec.linux.sysctl)
    if (name.starts_with("net.") || name.starts_with("net/"))
      return Error::of(Kind::invalid, "sysctl \"" + name + "\" not allowed in host network namespace");
  return ok();
}

class Creation {
 public:
  Creation(Context& context, const Arguments& arguments, StartBy start_by)
      : context_(context), arguments_(arguments), start_by_(start_by) {}

  // Its processes come from files.
  void restore_from(const CriuImages& images, std::vector<std::string> descriptors) {
    images_ = &images;
    descriptors_ = std::move(descriptors);
  }

  Result<Created> create(UniqueFd console) {
    bundle_ = TRY(read_bundle(arguments_.text("bundle")));
    context_.log.debug("config.json of " + bundle_.path + " read");
    TRY(check_apparmor(bundle_.plan));
    TRY(check_network_sysctls(bundle_.spec));
    TRY(images_ != nullptr ? prepare_restore() : prepare(std::move(console)));
    Record record = TRY(context_.store.create(arguments_.id()));
    TRY(record.save_config(bundle_.config));
    if (images_ == nullptr) TRY(add_notify(record, request_.plan));
    state_ = record.fresh_state();
    state_.oci_version = bundle_.spec.version;
    state_.bundle = bundle_.path;
    state_.rootfs = bundle_.plan.root.path;
    state_.annotations = bundle_.spec.annotations;
    state_.own_pid_namespace = (bundle_.plan.namespaces.create & CLONE_NEWPID) != 0;
    auto made = in_cgroup(record);
    if (!made) {
      undo(record);
      return std::move(made).error();
    }
    record.keep();
    return Created{std::move(record), std::move(state_), std::move(bundle_.spec), std::move(init_),
                   std::move(channel_)};
  }

 private:
  // Everything that can fail without anything having been made.
  Result<void> prepare(UniqueFd console) {
    const std::string socket = arguments_.text("console-socket");
    const bool terminal = bundle_.plan.process.terminal;
    if (!terminal && !socket.empty())
      return Error::of(Kind::invalid, "cannot use console socket if runc will not detach or allocate tty");
    if (terminal && socket.empty() && !console)
      return Error::of(Kind::invalid, "cannot allocate tty if runc will detach without setting console socket");
    request_.console_socket = std::move(console);
    if (!socket.empty()) request_.console_socket = TRY(sys::connect_unix(socket).during("--console-socket"));
    if (bundle_.spec.linux.seccomp) {
      filter_ = TRY(seccomp::compile(*bundle_.spec.linux.seccomp).during("linux.seccomp"));
      request_.filter = &filter_;
    }
    request_.preserved = TRY(preserved_descriptors(arguments_, bundle_.plan.process.env));
    request_.spec = &bundle_.spec;
    request_.id = arguments_.id();
    request_.bundle = bundle_.path;
    request_.start_by = start_by_;
    request_.enter = arguments_.on("no-pivot") ? Rootfs::Enter::move : Rootfs::Enter::pivot;
    request_.new_keyring = !arguments_.on("no-new-keyring");
    request_.rootless = ::geteuid() != 0;
    // An unprivileged mapper may write a single own id, and only after giving up setgroups.
    request_.may_set_groups = !(request_.rootless && bundle_.plan.namespaces.gid_mappings.size() == 1 &&
                                bundle_.plan.namespaces.gid_mappings[0].size == 1);
    if (request_.rootless && !bundle_.plan.net_devices.empty())
      return Error::of(Kind::denied, "network devices are not supported for rootless containers");
    request_.plan = bundle_.plan;
    return ok();
  }

  Result<void> prepare_restore() {
    request_.spec = &bundle_.spec;
    request_.id = arguments_.id();
    request_.bundle = bundle_.path;
    request_.plan = bundle_.plan;
    return ok();
  }

  // CRIU makes the processes, in the cgroup that is there already. Hooks that want to see their namespaces run after.
  Result<void> restore(const Record& record) {
    const std::vector<CgroupMount> cgroups =
        cgroup_mounts(group_ != nullptr ? group_->placement() : cgroup::Placement());
    TRY(make_mount_points(bundle_.plan));
    close_doors();
    const pid_t pid = TRY(criu_restore(arguments_, *images_,
                                       {.plan = &bundle_.plan,
                                        .mounts = external_mounts(bundle_.plan, cgroups, bundle_.plan.masked_paths),
                                        .cgroups = cgroups,
                                        .directory = record.path(),
                                        .descriptors = descriptors_}));
    init_ = sys::Process(pid);
    state_.pid = pid;
    if (request_.attach) TRY(request_.attach(pid));
    if (unit_) TRY(unit_->settle(*group_));
    const sys::ProcessStat stat = TRY(sys::process_stat(pid));
    state_.start_time = stat.start_time;
    TRY(record.save(state_));
    TRY(run_runtime_hooks());
    if (arguments_.given("pid-file")) TRY(write_pid_file(arguments_.text("pid-file"), pid));
    return ok();
  }

  Result<void> in_cgroup(Record& record) {
    std::optional<cgroup::Group> group;
    if (context_.cgroup_manager != CgroupManager::disabled) group = TRY(make_group(record));
    auto made = [&]() -> Result<void> {
      if (!group) return in_group(record);
      std::string made_in = cgroup::print(group->placement());
      if (made_in != state_.cgroup) saved_ = false;
      state_.cgroup = std::move(made_in);
      group_ = &*group;
      return in_group(record);
    }();
    if (made && unit_) unit_->keep();
    if (made) return made;
    if (net_devices_) net_devices_->give_back();
    init_ = sys::Process(-1);
    (void)remove_rdt_group(parse_rdt_group(state_.rdt));
    if (group) {
      (void)group->kill_all(SIGKILL);
      group->discard();
    }
    unit_.reset();
    return made;
  }

  // Of what is about to be made: from here `delete --force` knows what to take away if we are killed.
  Result<void> announce(const Record& record, const cgroup::Placement& placement) {
    state_.cgroup = cgroup::print(placement);
    saved_ = true;
    return record.save(state_);
  }

  Result<cgroup::Group> make_group(const Record& record) {
    const std::string& path = bundle_.spec.linux.cgroups_path;
    oci::Resources resources = bundle_.spec.linux.resources.value_or(oci::Resources{});
    resources.devices = bundle_.plan.device_rules;
    const bool rootless = TRY(is_rootless(context_));
    cgroup::Permissions permissions{.denied = rootless && path.empty() ? cgroup::Denied::skip : cgroup::Denied::fail,
                                    .devices = rootless ? cgroup::Devices::best_effort : cgroup::Devices::enforce};
    cgroup::Placement placement;
    if (context_.cgroup_manager == CgroupManager::systemd) {
      StartedUnit started = TRY(StartedUnit::plan(context_, path, arguments_.id()));
      started.note(state_);
      TRY(announce(record, started.placement()));
      TRY(started.start(arguments_.id(), resources));
      unit_.emplace(std::move(started));
      placement = unit_->placement();
      permissions.denied = cgroup::Denied::fail;
      permissions.beside = unit_->member();
      resources = unit_->while_starting(std::move(resources));
    } else {
      const cgroup::Layout layout = TRY(cgroup::load_layout());
      placement = TRY(cgroup::place(layout, path, arguments_.id()).during("linux.cgroupsPath"));
      TRY(announce(record, placement));
    }
    cgroup::Group group = TRY(cgroup::Group::create(std::move(placement), &resources, permissions));
    auto joined = group.join_fds();
    for (const cgroup::Directory& d : group.placement().directories)
      context_.log.debug("cgroup " + d.absolute() + " made");
    if (joined) request_.join = std::move(*joined);
    if (unit_ && unit_->moves_processes()) {
      request_.join = {};
      request_.attach = [this](pid_t pid) { return unit_->attach(pid); };
    }
    Result<void> given = joined ? delegate(group) : std::move(joined).error();
    if (!given) {
      group.discard();
      return std::move(given).error();
    }
    for (const MountStep& step : bundle_.plan.mounts)
      if (step.kind == MountKind::cgroup) request_.cgroup_mounts = cgroup_mounts(group.placement());
    return group;
  }

  Result<void> delegate(const cgroup::Group& group) {
    if (!bundle_.plan.delegate_cgroup) return bundle_.plan.own_cgroup ? give_to_user(group) : ok();
    const std::uint32_t uid = TRY(host_id(bundle_.plan.namespaces.uid_mappings, 0));
    const std::uint32_t gid = TRY(host_id(bundle_.plan.namespaces.gid_mappings, 0));
    return group.delegate(uid, gid);
  }

  // Only the host's root can; and what is its own already needs no giving.
  Result<void> give_to_user(const cgroup::Group& group) {
    const NamespacePlan& namespaces = bundle_.plan.namespaces;
    if (::geteuid() != 0 || !namespaces.join_user.empty() || !bundle_.spec.process) return ok();
    const std::uint32_t inner = bundle_.spec.process->user.uid;
    if (!namespaces.create_user) return inner == 0 ? ok() : group.give_to(inner);
    const std::uint32_t uid = TRY(host_id(namespaces.uid_mappings, inner));
    return uid == 0 ? ok() : group.give_to(uid);
  }

  // Once nothing is left to be done in the cgroup's own directory.
  Result<void> settle() {
    if (unit_) TRY(unit_->settle(*group_));
    if (!bundle_.plan.delegate_cgroup || group_ == nullptr) return ok();
    const std::uint32_t uid = TRY(host_id(bundle_.plan.namespaces.uid_mappings, 0));
    const std::uint32_t gid = TRY(host_id(bundle_.plan.namespaces.gid_mappings, 0));
    return group_->settle(init_.pid(), uid, gid);
  }

  Result<void> in_group(Record& record) {
    std::optional<RdtGroup> rdt;
    if (bundle_.plan.rdt) rdt = TRY(make_rdt().during("linux.intelRdt"));
    if (!saved_) TRY(record.save(state_));
    if (images_ != nullptr) return restore(record);
    if (start_by_ == StartBy::fifo) request_.start_fifo = TRY(open_fifo(record));
    request_.record_fd = record.fd();
    auto [parent_end, child_end] = TRY(Channel::make());
    Spawned spawned = TRY(spawn_init(request_, parent_end, child_end).during("unable to start container process"));
    init_ = std::move(spawned.init);
    channel_ = std::move(parent_end);
    request_.start_fifo.reset();
    close_doors();
    state_.pid = init_.pid();
    context_.log.debug("first process " + std::to_string(state_.pid) + " made");
    if (rdt) TRY(join_rdt_group(*rdt, init_.pid()).during("linux.intelRdt"));
    if (!bundle_.plan.net_devices.empty()) TRY(bring_net_devices().during("linux.netDevices"));
    TRY(finish(record, spawned.user_namespace.get()).during("unable to start container process"));
    return ok();
  }

  Result<RdtGroup> make_rdt() {
    const std::string root = TRY(resctrl_mount());
    RdtGroup group = TRY(make_rdt_group(root, *bundle_.plan.rdt, request_.id));
    state_.rdt = print(group);
    saved_ = false;
    return group;
  }

  // The first process is in its network namespace, or on the way to the one that is named.
  Result<void> bring_net_devices() {
    const oci::Namespace* network = bundle_.spec.linux.find(oci::NamespaceType::network);
    std::string path = "/proc/" + std::to_string(init_.pid()) + "/ns/net";
    if (network != nullptr && !network->path.empty()) path = network->path;
    const UniqueFd there = TRY(sys::open_file(path, O_RDONLY));
    NetDevices moved = TRY(NetDevices::move(bundle_.plan.net_devices, there.get()));
    net_devices_.emplace(std::move(moved));
    return ok();
  }

  void close_doors() {
    sys::SpentFds spent;
    for (UniqueFd& tasks : request_.join.tasks) spent.add(std::move(tasks));
    spent.add(std::move(request_.join.unified));
    request_.join = {};
  }

  Result<void> finish(Record& record, int user_namespace) {
    const oci::Hooks& hooks = bundle_.spec.hooks;
    const bool runtime_hooks = !hooks.prestart.empty() || !hooks.create_runtime.empty();
    if (bundle_.plan.namespaces.locked_mounts) {
      TRY(channel_.expect(Said::mounted));
      TRY(build_locked_root(request_, init_.pid(), user_namespace, [this] { return run_runtime_hooks(); }));
      TRY(channel_.go());
    } else if (runtime_hooks) {
      TRY(channel_.expect(Said::mounted));
      TRY(run_runtime_hooks());
      TRY(channel_.go());
    }
    if (filter_.notify) TRY(pass_listener());
    TRY(channel_.expect(Said::ready));
    TRY(settle());
    const RlimitsBy by = bundle_.plan.namespaces.has_user() ? RlimitsBy::us : RlimitsBy::itself;
    TRY(give_limits(init_.pid(), bundle_.plan.process, by));
    const sys::ProcessStat stat = TRY(sys::process_stat(init_.pid()));
    state_.start_time = stat.start_time;
    TRY(record.save(state_));
    if (arguments_.given("pid-file")) TRY(write_pid_file(arguments_.text("pid-file"), init_.pid()));
    if (arguments_.given("pidfd-socket")) TRY(send_pidfd(arguments_.text("pidfd-socket"), init_.pid(), "init"));
    TRY(channel_.go());
    TRY(channel_.expect(Said::going));
    context_.log.debug("container " + request_.id + " created");
    return ok();
  }

  Result<void> run_runtime_hooks() {
    const std::string state = hook_state(request_, init_.pid(), "creating");
    const HookSetting in_bundle{.directory = bundle_.path};
    TRY(run_hooks(bundle_.spec.hooks.prestart, state, "prestart", in_bundle));
    return run_hooks(bundle_.spec.hooks.create_runtime, state, "createRuntime", in_bundle);
  }

  Result<void> pass_listener() {
    const std::string text = TRY(channel_.expect(Said::listener));
    TRY(pass_seccomp_listener(text, init_.pid(), bundle_.spec, hook_state(request_, init_.pid(), "creating")));
    return channel_.go();
  }

  // The group and the process are gone already; the hooks that undo what createRuntime hooks did are not.
  void undo(Record&) {
    init_ = sys::Process(-1);
    if (state_.pid == 0) return;
    auto done = run_hooks(bundle_.spec.hooks.poststop, hook_state(request_, state_.pid, "stopped"), "poststop");
    if (!done) context_.log.warning(done.error().message());
  }

  Context& context_;
  const Arguments& arguments_;
  StartBy start_by_;
  Bundle bundle_;
  seccomp::Program filter_;
  InitRequest request_;
  ContainerState state_;
  bool saved_ = false;  // the record has it as it is
  sys::Process init_{-1};
  std::optional<NetDevices> net_devices_;
  const CriuImages* images_ = nullptr;  // of a container that is restored
  std::vector<std::string> descriptors_;
  std::optional<StartedUnit> unit_;  // with the systemd driver, while in_cgroup() runs, as is:
  cgroup::Group* group_ = nullptr;
  Channel channel_{UniqueFd()};
};

}  // namespace

Result<Created> create_container(Context& context, const Arguments& arguments, StartBy start_by, UniqueFd console) {
  Creation creation(context, arguments, start_by);
  return creation.create(std::move(console));
}

Result<Created> restore_container(Context& context, const Arguments& arguments, const CriuImages& images,
                                  std::vector<std::string> descriptors) {
  Creation creation(context, arguments, StartBy::channel);
  creation.restore_from(images, std::move(descriptors));
  return creation.create({});
}

Result<void> after_start(const Context& context, const oci::Spec& spec, const ContainerState& state) {
  context.log.debug("container " + state.id + " started");
  if (spec.hooks.poststart.empty()) return ok();
  return run_hooks(spec.hooks.poststart, print_oci_state(state, Status::running), "poststart");
}

Result<void> pass_seccomp_listener(const std::string& number, pid_t pid, const oci::Spec& spec,
                                   const std::string& state) {
  int fd = -1;
  std::from_chars(number.data(), number.data() + number.size(), fd);
  const sys::Pidfd child = TRY(sys::Pidfd::open(pid));
  const long r = raw::call(SYS_pidfd_getfd, child.get(), fd, 0);
  if (r < 0) return Error::os(static_cast<int>(-r), "take the seccomp listener");
  const UniqueFd listener(static_cast<int>(r));
  const oci::Seccomp& profile = *spec.linux.seccomp;
  const std::string message = seccomp::listener_message(spec.version, pid, profile.listener_metadata, state);
  return seccomp::send_listener(profile.listener_path, listener.get(), message).during("linux.seccomp.listenerPath");
}

Result<void> write_pid_file(const std::string& path, pid_t pid) {
  struct stat st{};
  const int found = ::lstat(path.c_str(), &st);
  if (found < 0 && errno != ENOENT) return Error::os(errno, "stat").during("--pid-file " + path);
  if (found == 0 && !S_ISREG(st.st_mode))
    return Error::of(Kind::invalid, "--pid-file " + path + ": is there and no ordinary file");
  return sys::place_file(path, std::to_string(pid), 0644).during("--pid-file");
}

Result<void> send_pidfd(const std::string& path, pid_t pid, const char* name) {
  const UniqueFd socket = TRY(sys::connect_unix(path).during("--pidfd-socket"));
  const sys::Pidfd pidfd = TRY(sys::Pidfd::open(pid));
  const int fds[] = {pidfd.get()};
  return sys::send_with_descriptors(socket.get(), name, fds, 1).during("--pidfd-socket");
}

Result<int> preserved_descriptors(const Arguments& arguments, std::vector<std::string>& env) {
  int count = static_cast<int>(arguments.number("preserve-fds"));
  int listen = 0;
  if (const char* text = ::getenv("LISTEN_FDS"); text != nullptr && *text != '\0') {
    const std::string_view value = text;
    std::from_chars(value.data(), value.data() + value.size(), listen);
    if (listen > 0) {
      std::erase_if(env,
                    [](const std::string& e) { return e.starts_with("LISTEN_FDS=") || e.starts_with("LISTEN_PID="); });
      env.push_back("LISTEN_FDS=" + std::to_string(listen));
      env.push_back("LISTEN_PID=1");
      count += listen;
    }
  }
  if (count < 0 || count > 1000) return Error::of(Kind::invalid, "--preserve-fds: not a number from 0 to 1000");
  for (int fd = 3; fd < 3 + count; ++fd)
    if (::fcntl(fd, F_GETFD) < 0)
      return Error::of(Kind::invalid,
                       "file descriptor " + std::to_string(fd) + " is not open, but --preserve-fds asks for it");
  // What else the caller left open is not for hooks, nor for the container. CVE-2024-21626
  if (::close_range(3 + static_cast<unsigned>(count), ~0U, CLOSE_RANGE_CLOEXEC) < 0)
    return Error::os(errno, "close_range");
  return count;
}

}  // namespace caisson::runtime

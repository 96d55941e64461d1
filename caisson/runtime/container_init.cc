#include "caisson/runtime/container_init.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "caisson/oci/state.h"
#include "caisson/runtime/hooks.h"
#include "caisson/sys/file.h"
#include "caisson/sys/mount.h"
#include "caisson/sys/path.h"
#include "caisson/sys/raw.h"

namespace caisson::runtime {
namespace {

namespace raw = sys::raw;
using sys::UniqueFd;

Error failure(long result, std::string_view call) { return Error::os(static_cast<int>(-result), call); }

Result<void> loopback_up() {
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return Error::os(errno, "socket");
  ifreq request{};
  std::memcpy(request.ifr_name, "lo", 3);
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (::ioctl(socket.get(), SIOCSIFFLAGS, &request) < 0) return Error::os(errno, "bring up lo");
  return ok();
}

Result<void> set_names(const Plan& plan) {
  if (!plan.hostname.empty())
    if (const long r = raw::call(SYS_sethostname, plan.hostname.c_str(), plan.hostname.size()); r < 0)
      return failure(r, "sethostname");
  if (!plan.domainname.empty())
    if (const long r = raw::call(SYS_setdomainname, plan.domainname.c_str(), plan.domainname.size()); r < 0)
      return failure(r, "setdomainname");
  return ok();
}

bool needs_proc(const Plan& plan) {
  return !plan.sysctls.empty() || !plan.process.apparmor_profile.empty() || !plan.process.selinux_label.empty();
}

// The host's /proc, before anything of the container's can be on it. What /proc/sys shows of network, IPC and UTS is
// the reader's own namespace.
Result<UniqueFd> trusted_proc() {
  constexpr std::uint64_t proc_super_magic = 0x9fa0;
  UniqueFd proc = TRY(sys::open_file("/proc", O_PATH | O_DIRECTORY));
  const std::uint64_t magic = TRY(sys::filesystem_magic(proc.get()));
  if (magic != proc_super_magic) return Error::of(Kind::invalid, "/proc is not a proc file system");
  return proc;
}

Result<void> write_sysctls(const Plan& plan, int proc) {
  for (const auto& [path, value] : plan.sysctls) {
    const std::string step = "write sysctl " + path;
    const UniqueFd fd = TRY(sys::open_beneath(proc, "sys/" + path, O_WRONLY).during(step));
    const long n = raw::call_retrying(SYS_write, fd.get(), value.data(), value.size());
    if (n < 0) return failure(n, "write").during(step);
  }
  return ok();
}

class Init {
 public:
  Init(InitRequest& request, const Channel& channel) : r_(request), channel_(channel) {}

  Result<void> make() {
    const bool locked = r_.plan.namespaces.locked_mounts;
    if (needs_proc(r_.plan)) proc_ = TRY(trusted_proc());
    if ((r_.plan.namespaces.create & CLONE_NEWNET) != 0) TRY(loopback_up());
    TRY(set_names(r_.plan));
    if (r_.plan.namespaces.create & CLONE_NEWNS) {
      TRY(locked ? enter_locked_root() : enter_own_root());
    } else {
      TRY(tell_mounted());
      Rootfs rootfs({.plan = &r_.plan, .cgroups = {}});
      TRY(rootfs.enter(Rootfs::Enter::chroot));
    }
    if (proc_) TRY(write_sysctls(r_.plan, proc_.get()));
    return ok();
  }

  Result<void> run() {
    TRY(add_home(r_.plan.process.env, r_.plan.process.uid));
    ProcessSetup setup({.plan = &r_.plan.process,
                        .filter = r_.filter,
                        .keyring = r_.new_keyring ? "_ses." + r_.id : "",
                        .console_socket = r_.console_socket.get(),
                        .bind_console = (r_.plan.namespaces.create & CLONE_NEWNS) != 0,
                        .make_cwd = true,
                        .proc = proc_.get(),
                        .take_rlimits = !r_.plan.namespaces.has_user(),
                        .may_set_groups = r_.may_set_groups,
                        .preserved = r_.preserved});
    TRY(setup.begin());
    if (r_.plan.personality)
      if (const long r = raw::call(SYS_personality, *r_.plan.personality); r < 0) return failure(r, "personality");
    if (const auto& policy = r_.plan.memory_policy) {
      const long r = raw::call(SYS_set_mempolicy, policy->mode, policy->nodes.data(),
                               policy->nodes.size() * sizeof(unsigned long) * 8 + 1);
      if (r < 0) return failure(r, "linux.memoryPolicy: set_mempolicy");
    }
    if (r_.start_by == StartBy::fifo) end_by_signals();
    const bool hooks = !r_.spec->hooks.start_container.empty();
    TRY(setup.settle());
    const auto listener = TRY(setup.load_listener());
    if (listener) {
      channel_.say(Said::listener, std::to_string(*listener));
      channel_.await();
      ::close(*listener);
    }
    channel_.say(Said::ready);
    channel_.await();
    // From here on the parent has written down our pid: we may outlive it.
    if (const long r = raw::call(SYS_prctl, PR_SET_PDEATHSIG, 0UL, 0UL, 0UL, 0UL); r < 0) return failure(r, "prctl");
    channel_.say(Said::going);
    going = true;
    int start = r_.start_by == StartBy::fifo ? r_.start_fifo.get() : channel_.fd();
    if (hooks) {
      TRY(wait_for_start(start));
      // Files of the container's: they run with no more rights than its process. One that notifies is loaded already.
      const bool later = r_.filter != nullptr && !r_.filter->notify;
      TRY(run_hooks(r_.spec->hooks.start_container, hook_state(r_, ::getpid(), "created"), "startContainer",
                    {.directory = "", .env = &r_.plan.process.env, .filter = later ? r_.filter : nullptr}));
      start = -1;
    }
    setup.become(start, r_.start_by == StartBy::fifo ? -1 : channel_.fd());
  }

 private:
  Result<void> tell_mounted() {
    const oci::Hooks& hooks = r_.spec->hooks;
    if (!hooks.prestart.empty() || !hooks.create_runtime.empty()) {
      channel_.say(Said::mounted);
      channel_.await();
    }
    return run_hooks(hooks.create_container, hook_state(r_, ::getpid(), "creating"), "createContainer",
                     {.directory = r_.plan.root.path});
  }

  Result<void> enter_own_root() {
    Rootfs rootfs({.plan = &r_.plan,
                   .cgroups = r_.cgroup_mounts,
                   .own_cgroup_namespace = (r_.plan.namespaces.create & CLONE_NEWCGROUP) != 0,
                   .inside_user_namespace = r_.plan.namespaces.has_user()});
    rootfs.give_clones(std::move(clones));
    ::umask(0);
    TRY(rootfs.build());
    TRY(tell_mounted());
    TRY(rootfs.restrict());
    TRY(rootfs.enter(r_.enter));
    if (r_.plan.root.propagation != 0) TRY(sys::set_propagation("/", r_.plan.root.propagation));
    return ok();
  }

  // The root was built and entered from outside (locked_root.h). A mount namespace of our own user namespace locks
  // every mount that is there now. source: mount_namespaces(7) "Restrictions on mount namespaces"
  Result<void> enter_locked_root() {
    channel_.say(Said::mounted);
    channel_.await();
    if (const long r = raw::call(SYS_unshare, CLONE_NEWNS); r < 0) return failure(r, "unshare the mount namespace");
    // The working directory may still be the host's: what H's pivot moved is only the root.
    if (const long r = raw::call(SYS_chdir, "/"); r < 0) return failure(r, "chdir to /");
    ::umask(0);
    Rootfs rootfs({.plan = &r_.plan, .cgroups = r_.cgroup_mounts, .inside_user_namespace = true});
    TRY(rootfs.build_inside());
    const unsigned long propagation = r_.plan.root.propagation;
    return sys::set_propagation("/", propagation != 0 ? propagation : MS_PRIVATE | MS_REC);
  }

  // The first process of a pid namespace has only the signals it handles: without these, `kill` would not end a
  // container that was created and never started. execve(2) takes them back.
  static void end_by_signals() {
    for (const int signal : {SIGHUP, SIGINT, SIGTERM}) ::signal(signal, [](int number) { ::_exit(128 + number); });
  }

  Result<void> wait_for_start(int fd) {
    char byte = 0;
    const long n = raw::call_retrying(SYS_read, fd, &byte, 1UL);
    if (n < 0) return failure(n, "wait for start");
    if (n == 0) ::_exit(1);
    return ok();
  }

  InitRequest& r_;
  const Channel& channel_;
  UniqueFd proc_;

 public:
  std::vector<UniqueFd> clones;
  bool going = false;  // nobody listens any more
};

}  // namespace

void join_cgroups(const cgroup::JoinFds& join, const Channel& channel) {
  for (const UniqueFd& tasks : join.tasks) {
    // Moving only ourselves, a process with one thread, takes no global lock.
    const long n = raw::call_retrying(SYS_write, tasks.get(), "0", 1UL);
    if (n < 0) channel.fail(failure(n, "join a cgroup"));
  }
}

Result<void> become_root() {
  if (const long r = raw::call(SYS_setresgid, 0, 0, 0); r < 0)
    return failure(r, "become the user namespace's root (is container id 0 mapped?): setgid");
  if (const long r = raw::call(SYS_setresuid, 0, 0, 0); r < 0)
    return failure(r, "become the user namespace's root (is container id 0 mapped?): setuid");
  return ok();
}

std::string hook_state(const InitRequest& request, int pid, std::string_view status) {
  oci::State state;
  state.version = request.spec->version;
  state.id = request.id;
  state.pid = pid;
  state.status = status;
  state.bundle = request.bundle;
  state.annotations = request.spec->annotations;
  return oci::print_state(state, oci::Layout::line);
}

void container_init(InitRequest& request, const Channel& channel) {
  Init init(request, channel);
  // Clones of the mounts' sources come with the answer: only what is outside can reach them.
  if (request.plan.namespaces.has_user() && !request.plan.namespaces.locked_mounts) {
    channel.say(Said::unmapped, "mounts");
    init.clones = channel.await();
  }
  if (auto made = init.make(); !made) channel.fail(made.error());
  if (auto run = init.run(); !run) {
    if (request.start_by == StartBy::channel || !init.going) channel.fail(run.error());
    const std::string text = run.error().message() + "\n";
    (void)sys::write_all(2, text);
  }
  ::_exit(1);
}

}  // namespace caisson::runtime

// The command exec: one more process in a container that runs.
// Layer: runtime. Declared in commands.h.
// SPDX-License-Identifier: Apache-2.0
//
// A helper joins the container's cgroups and (by the pidfd of its first process) all its namespaces at once, then forks
// the process as our own child: only a new process is in the pid namespace.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "caisson/oci/kernel_names.h"
#include "caisson/runtime/commands.h"
#include "caisson/runtime/container_init.h"
#include "caisson/runtime/creation.h"
#include "caisson/runtime/exec_request.h"
#include "caisson/runtime/foreground.h"
#include "caisson/runtime/limits.h"
#include "caisson/runtime/rdt.h"
#include "caisson/runtime/status.h"
#include "caisson/runtime/systemd_unit.h"
#include "caisson/sys/file.h"
#include "caisson/sys/raw.h"
#include "caisson/sys/unix_socket.h"

namespace caisson::runtime {
namespace {

namespace raw = sys::raw;
using sys::UniqueFd;

Error failure(long result, std::string_view call) { return Error::os(static_cast<int>(-result), call); }

struct ExecRequest {
  oci::Spec spec;
  ProcessPlan plan;
  seccomp::Program filter;
  bool filtered = false;
  std::optional<unsigned long> personality;
  cgroup::JoinFds join;
  UniqueFd console_socket;
  int preserved = 0;
  bool own_user_namespace = false;
  bool may_set_groups = true;
  int namespaces = 0;  // CLONE_NEW* that the container has of its own
  int pidfd = -1;      // of its first process, borrowed
};

// Those that are not ours already: setns(2) to one's own user namespace is EINVAL.
Result<int> namespaces_of(const oci::Spec& spec, pid_t init) {
  int flags = 0;
  for (const oci::Namespace& ns : spec.linux.namespaces) {
    const std::string name = std::string("/ns/") + std::string(oci::proc_ns_name(ns.type));
    const std::string theirs = TRY(sys::read_link_at(AT_FDCWD, "/proc/" + std::to_string(init) + name));
    const std::string ours = TRY(sys::read_link_at(AT_FDCWD, "/proc/self" + name));
    if (theirs != ours) flags |= static_cast<int>(oci::clone_flag(ns.type));
  }
  return flags;
}

class ExecChild {
 public:
  ExecChild(ExecRequest& request, const Channel& channel) : r_(request), channel_(channel) {}

  [[noreturn]] void run() {
    if (auto done = join(); !done) channel_.fail(done.error());
    if (auto done = setup(); !done) channel_.fail(done.error());
    ::_exit(1);
  }

 private:
  Result<void> begin() const {
    reset_signals();
    if (const long r = raw::call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0UL, 0UL, 0UL); r < 0)
      return failure(r, "prctl");
    // From the moment we are in its namespaces the container could look into us. CVE-2016-9962
    if (const long r = raw::call(SYS_prctl, PR_SET_DUMPABLE, 0UL, 0UL, 0UL, 0UL); r < 0) return failure(r, "prctl");
    return ok();
  }

  Result<void> join() {
    TRY(begin());
    TRY(set_affinity(0, r_.plan.initial_affinity));
    if (!r_.plan.apparmor_profile.empty() || !r_.plan.selinux_label.empty())
      proc_ = TRY(sys::open_file("/proc", O_PATH | O_DIRECTORY));
    join_cgroups(r_.join, channel_);
    if (r_.plan.initial_affinity.empty() && r_.plan.final_affinity.empty()) reset_affinity();
    if (r_.namespaces != 0)
      if (const long r = raw::call(SYS_setns, r_.pidfd, r_.namespaces); r < 0)
        return failure(r, "setns").during("join the container's namespaces");
    if (r_.own_user_namespace) TRY(become_root());
    const pid_t pid = TRY(sys::clone_process(CLONE_PARENT));
    if (pid != 0) {
      channel_.say(Said::pid, std::to_string(pid));
      ::_exit(0);
    }
    return begin();
  }

  Result<void> setup() {
    channel_.await();
    TRY(add_home(r_.plan.env, r_.plan.uid));
    ProcessSetup setup({.plan = &r_.plan,
                        .filter = r_.filtered ? &r_.filter : nullptr,
                        .keyring = "",
                        .console_socket = r_.console_socket.get(),
                        .proc = proc_.get(),
                        .take_rlimits = !r_.own_user_namespace,
                        .may_set_groups = r_.may_set_groups,
                        .preserved = r_.preserved});
    TRY(setup.begin());
    if (r_.personality)
      if (const long r = raw::call(SYS_personality, *r_.personality); r < 0) return failure(r, "personality");
    TRY(setup.settle());
    const auto listener = TRY(setup.load_listener());
    if (listener) {
      channel_.say(Said::listener, std::to_string(*listener));
      channel_.await();
      ::close(*listener);
    }
    channel_.say(Said::ready);
    channel_.await();
    if (const long r = raw::call(SYS_prctl, PR_SET_PDEATHSIG, 0UL, 0UL, 0UL, 0UL); r < 0) return failure(r, "prctl");
    channel_.say(Said::going);
    setup.become(channel_.fd(), channel_.fd());
  }

  ExecRequest& r_;
  const Channel& channel_;
  UniqueFd proc_;
};

class Exec {
 public:
  Exec(Context& context, const Arguments& arguments) : context_(context), arguments_(arguments) {}

  Result<int> run() {
    const Container container = TRY(find_container(context_.store, arguments_.id()));
    TRY(must_run(container));
    const std::string text = TRY(container.record.config_text());
    request_.spec = TRY(oci::parse_spec(text));
    const sys::Pidfd init = TRY(open_init(container.state));
    request_.pidfd = init.get();
    TRY(prepare(container));
    std::optional<Foreground> foreground;
    if (!arguments_.on("detach")) {
      Foreground begun = TRY(Foreground::begin(Foreground::Subreaper::no));
      foreground.emplace(std::move(begun));
    }
    sys::Process process = TRY(start(container, foreground));
    if (!foreground) {
      (void)process.release();
      return 0;
    }
    auto status = foreground->wait(process.pid());
    if (status) (void)process.release();
    return status;
  }

 private:
  Result<void> must_run(const Container& container) const {
    if (container.status == Status::stopped || container.status == Status::creating)
      return Error::of(Kind::conflict, "cannot exec in a stopped container");
    if (container.status == Status::paused && !arguments_.on("ignore-paused"))
      return Error::of(Kind::conflict, "cannot exec in a paused container (use --ignore-paused to override)");
    return ok();
  }

  Result<void> prepare(const Container& container) {
    const oci::Process process = TRY(exec_process(arguments_, request_.spec));
    request_.own_user_namespace = request_.spec.linux.has(oci::NamespaceType::user);
    request_.namespaces = TRY(namespaces_of(request_.spec, container.state.pid));
    if ((request_.namespaces & CLONE_NEWUSER) == 0) request_.own_user_namespace = false;
    const std::uint64_t own = TRY(permitted_capabilities());
    request_.plan = TRY(plan_process(process, request_.own_user_namespace ? ~std::uint64_t{0} : own));
    request_.personality = TRY(plan_personality(request_.spec));
    const auto& gids = request_.spec.linux.gid_mappings;
    request_.may_set_groups = !(::geteuid() != 0 && gids.size() == 1 && gids[0].size == 1);
    if (request_.spec.linux.seccomp) {
      request_.filter = TRY(seccomp::compile(*request_.spec.linux.seccomp).during("linux.seccomp"));
      request_.filtered = true;
    }
    request_.preserved = TRY(preserved_descriptors(arguments_, request_.plan.env));
    const std::string socket = arguments_.text("console-socket");
    if (!request_.plan.terminal && !socket.empty())
      return Error::of(Kind::invalid, "cannot use console socket if runc will not detach or allocate tty");
    if (request_.plan.terminal && socket.empty()) {
      if (arguments_.on("detach"))
        return Error::of(Kind::invalid, "cannot allocate tty if runc will detach without setting console socket");
      auto ends = TRY(sys::message_pair());
      our_console_ = std::move(ends.first);
      request_.console_socket = std::move(ends.second);
    } else if (!socket.empty()) {
      request_.console_socket = TRY(sys::connect_unix(socket).during("--console-socket"));
    }
    return join_group(container);
  }

  Result<void> join_group(const Container& container) {
    std::map<std::string, std::string> below;
    for (const std::string& text : arguments_.texts("cgroup")) {
      const std::size_t colon = text.find(':');
      if (colon == std::string::npos) below[""] = text;
      for (std::size_t at = 0; colon != std::string::npos && at <= colon;) {  // "cpu,cpuacct:path"
        const std::size_t end = std::min(text.find(',', at), colon);
        below[text.substr(at, end - at)] = text.substr(colon + 1);
        at = end + 1;
      }
    }
    const cgroup::Group group = TRY(group_of(container.state));
    if (group.placement().directories.empty()) return ok();
    request_.join = TRY(group.join_fds_for_exec(container.state.pid, below));
    return ok();
  }

  Result<sys::Process> start(const Container& container, std::optional<Foreground>& foreground) {
    auto [parent_end, child_end] = TRY(Channel::make());
    auto cloned = sys::clone_process(0, request_.join.unified.get());
    // A user may not move a process out of his login's cgroup. His systemd may.
    const bool attach = !cloned && container.state.systemd_user && cloned.error().is(EACCES);
    if (attach) cloned = sys::clone_process(0);
    const pid_t helper = TRY(std::move(cloned));
    if (helper == 0) {
      parent_end.close();
      if (attach) child_end.await();
      ExecChild(request_, child_end).run();
    }
    sys::Process joining(helper);
    child_end.close();
    if (attach) {
      TRY(attach_to_unit(container.state, helper));
      TRY(parent_end.go());
    }
    const std::string text = TRY(parent_end.expect_from(helper, Said::pid));
    pid_t pid = 0;
    std::from_chars(text.data(), text.data() + text.size(), pid);
    sys::Process process(pid);
    TRY(joining.wait());
    if (!container.state.rdt.empty()) TRY(join_rdt_group(parse_rdt_group(container.state.rdt), pid));
    context_.log.debug("process " + text + " made in container " + container.state.id);
    TRY(parent_end.go());
    if (request_.filtered && request_.filter.notify) TRY(pass_listener(parent_end, pid, container));
    TRY(parent_end.expect(Said::ready));
    TRY(give_limits(pid, request_.plan, request_.own_user_namespace ? RlimitsBy::us : RlimitsBy::itself));
    TRY(set_affinity(pid, request_.plan.final_affinity));
    if (arguments_.given("pid-file")) TRY(write_pid_file(arguments_.text("pid-file"), pid));
    if (arguments_.given("pidfd-socket")) TRY(send_pidfd(arguments_.text("pidfd-socket"), pid, "exec"));
    TRY(parent_end.go());
    TRY(parent_end.expect(Said::going));
    if (foreground && our_console_) TRY(foreground->take_terminal(our_console_.get()));
    TRY(parent_end.go());
    const Saying heard = TRY(parent_end.listen());
    if (heard.said == Said::failed) return error_of(heard.text);
    return process;
  }

  Result<void> pass_listener(const Channel& channel, pid_t pid, const Container& container) {
    const std::string text = TRY(channel.expect(Said::listener));
    TRY(pass_seccomp_listener(text, pid, request_.spec, print_oci_state(container.state, container.status)));
    return channel.go();
  }

  Context& context_;
  const Arguments& arguments_;
  ExecRequest request_;
  UniqueFd our_console_;
};

}  // namespace

Result<int> exec_command(Context& context, const Arguments& arguments) { return Exec(context, arguments).run(); }

}  // namespace caisson::runtime

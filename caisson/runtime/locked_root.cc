#include "caisson/runtime/locked_root.h"

#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "caisson/runtime/hooks.h"
#include "caisson/runtime/rootfs.h"
#include "caisson/sys/process.h"
#include "caisson/sys/raw.h"

namespace caisson::runtime {
namespace {

namespace raw = sys::raw;

Error failure(long result, std::string_view call) { return Error::os(static_cast<int>(-result), call); }

// Files that are made through an idmapped mount must belong to an id it knows: the container's root. The
// capabilities stay those of the host's. source: path_mapping in Documentation/filesystems/idmappings.rst
Result<void> make_files_as(std::uint32_t uid, std::uint32_t gid) {
  if (const long r = raw::call(SYS_prctl, PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0UL, 0UL, 0UL); r < 0)
    return failure(r, "set securebits");
  ::setfsgid(gid);
  ::setfsuid(uid);
  if (static_cast<std::uint32_t>(::setfsuid(static_cast<uid_t>(-1))) != uid) return Error::of(Kind::os, "setfsuid");
  return ok();
}

Result<void> build(const InitRequest& request, int user_namespace, const Channel& channel) {
  const NamespacePlan& n = request.plan.namespaces;
  const std::uint32_t uid = TRY(host_id(n.uid_mappings, 0));
  const std::uint32_t gid = TRY(host_id(n.gid_mappings, 0));
  TRY(make_files_as(uid, gid));
  ::umask(0);
  Rootfs rootfs({.plan = &request.plan,
                 .cgroups = request.cgroup_mounts,
                 .own_cgroup_namespace = (n.create & CLONE_NEWCGROUP) != 0,
                 .outside = true,
                 .user_namespace = user_namespace});
  TRY(rootfs.build());
  channel.say(Said::mounted);
  channel.await();
  TRY(run_hooks(request.spec->hooks.create_container, hook_state(request, 1, "creating"), "createContainer",
                {.directory = request.plan.root.path}));
  TRY(rootfs.restrict());
  return rootfs.enter(Rootfs::Enter::pivot);
}

Result<void> join(pid_t init) {
  const sys::Pidfd target = TRY(sys::Pidfd::open(init));
  constexpr int all = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP | CLONE_NEWPID;
  if (const long r = raw::call(SYS_setns, target.get(), all); r < 0)
    return failure(r, "setns").during("join the container's namespaces");
  return ok();
}

[[noreturn]] void helper(const InitRequest& request, const Channel& channel, pid_t init, int user_namespace) {
  raw::call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0UL, 0UL, 0UL);
  if (auto done = join(init); !done) channel.fail(done.error());
  auto builder = sys::clone_process(0);  // only a new process is in the pid namespace
  if (!builder) channel.fail(builder.error());
  if (*builder == 0) {
    raw::call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0UL, 0UL, 0UL);
    if (auto done = build(request, user_namespace, channel); !done) channel.fail(done.error());
    channel.say(Said::ready);
    ::_exit(0);
  }
  const auto status = sys::wait_for(*builder);
  ::_exit(status && *status == 0 ? 0 : 1);
}

Result<void> converse(const Channel& channel, const std::function<Result<void>()>& mounted) {
  TRY(channel.expect(Said::mounted));
  TRY(mounted());
  TRY(channel.go());
  TRY(channel.expect(Said::ready));
  return ok();
}

}  // namespace

Result<void> build_locked_root(const InitRequest& request, pid_t init, int user_namespace,
                               const std::function<Result<void>()>& mounted) {
  auto [parent_end, child_end] = TRY(Channel::make());
  const pid_t pid = TRY(sys::clone_process(0));
  if (pid == 0) {
    parent_end.close();
    helper(request, child_end, init, user_namespace);
  }
  sys::Process process(pid);
  child_end.close();
  auto done = converse(parent_end, mounted);
  // Also after a failure the helper is waited for, not killed: it reaps what is in the pid namespace, which otherwise
  // would be a zombie of ours that the first process' end waits for while we wait for that.
  parent_end.close();
  auto ended = process.wait();
  TRY(std::move(done));
  TRY(std::move(ended));
  return ok();
}

}  // namespace caisson::runtime

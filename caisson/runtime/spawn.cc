#include "caisson/runtime/spawn.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <charconv>

#include "caisson/runtime/clones.h"
#include "caisson/runtime/foreground.h"
#include "caisson/runtime/id_maps.h"
#include "caisson/runtime/limits.h"
#include "caisson/sys/file.h"
#include "caisson/sys/raw.h"

namespace caisson::runtime {
namespace {

namespace raw = sys::raw;
using sys::UniqueFd;

Error failure(long result, std::string_view call) { return Error::os(static_cast<int>(-result), call); }

// Namespaces that are entered last: a cgroup namespace shows the cgroup its maker is in, and needs it joined.
constexpr std::uint64_t late = CLONE_NEWCGROUP | CLONE_NEWTIME;

struct OpenJoin {
  std::uint64_t flag = 0;
  std::string path;
  UniqueFd fd;
};

Result<std::vector<OpenJoin>> open_joins(const NamespacePlan& plan) {
  std::vector<OpenJoin> out;
  for (const NamespaceJoin& j : plan.join) {
    UniqueFd fd = TRY(sys::open_file(j.path, O_RDONLY).during("join namespace"));
    out.push_back({j.flag, j.path, std::move(fd)});
  }
  return out;
}

// With the caller's rights first, then (what was refused) with those in the container's user namespace.
Result<void> join_namespaces(std::vector<OpenJoin>& joins, bool again) {
  for (OpenJoin& j : joins) {
    if (!j.fd) continue;
    const long r = raw::call(SYS_setns, j.fd.get(), static_cast<int>(j.flag));
    if (r == -EPERM && again) continue;
    if (r < 0) return failure(r, "setns").during("join namespace " + j.path);
    j.fd.reset();
  }
  return ok();
}

class Stage {
 public:
  Stage(InitRequest& request, const Channel& channel) : r_(request), channel_(channel) {}

  // In the stage process. Returns only in the first process.
  Result<void> run() {
    NamespacePlan& n = r_.plan.namespaces;
    std::vector<OpenJoin> joins = TRY(open_joins(n));
    UniqueFd user;
    if (!n.join_user.empty()) user = TRY(sys::open_file(n.join_user, O_RDONLY).during("join namespace"));
    UniqueFd offsets;  // opened while /proc/self is ours: in a user namespace it belongs to nobody we are
    if (!n.time_offsets.empty())
      offsets = TRY(sys::open_file("/proc/self/timens_offsets", O_WRONLY).during("linux.timeOffsets"));
    join_cgroups(r_.join, channel_);
    reset_affinity();
    TRY(join_namespaces(joins, n.has_user()));
    if (user) {
      if (const long r = raw::call(SYS_setns, user.get(), CLONE_NEWUSER); r < 0)
        return failure(r, "setns").during("join namespace " + n.join_user);
      channel_.say(Said::unmapped, "joined");
      channel_.await();
    } else if (n.create_user) {
      if (const long r = raw::call(SYS_unshare, CLONE_NEWUSER); r < 0) return failure(r, "unshare the user namespace");
      channel_.say(Said::unmapped);
      channel_.await();
    }
    if (n.has_user()) TRY(become_root());
    TRY(join_namespaces(joins, false));
    const std::uint64_t own = n.create & ~(n.locked_mounts ? std::uint64_t{CLONE_NEWNS} : 0);
    if (const long r = raw::call(SYS_unshare, static_cast<int>(own)); r < 0) return failure(r, "unshare");
    if (offsets) {
      const long r = raw::call_retrying(SYS_write, offsets.get(), n.time_offsets.data(), n.time_offsets.size());
      if (r < 0) return failure(r, "linux.timeOffsets: write");
    }
    const pid_t pid = TRY(sys::clone_process(CLONE_PARENT));
    if (pid != 0) {
      channel_.say(Said::pid, std::to_string(pid));
      ::_exit(0);
    }
    return ok();
  }

 private:
  InitRequest& r_;
  const Channel& channel_;
};

void begin_child(const InitRequest& request, const Channel& channel) {
  reset_signals();
  if (const long r = raw::call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0UL, 0UL, 0UL); r < 0)
    channel.fail(failure(r, "prctl"));
  // Nobody in the container may look into us before we are its program (CVE-2016-9962). newuidmap(1) has to, though:
  // a rootless container's process hides when its maps are written.
  if (const long r = raw::call(SYS_prctl, PR_SET_DUMPABLE, request.rootless ? 1UL : 0UL, 0UL, 0UL, 0UL); r < 0)
    channel.fail(failure(r, "prctl"));
}

[[noreturn]] void staged_child(InitRequest& request, const Channel& channel) {
  begin_child(request, channel);
  if (request.record_fd >= 0) ::close(request.record_fd);
  Stage stage(request, channel);
  if (auto done = stage.run(); !done) channel.fail(done.error());
  begin_child(request, channel);
  channel.await();  // nothing of ours may overtake the stage's word of our pid
  container_init(request, channel);
}

[[noreturn]] void direct_child(InitRequest& request, const Channel& channel) {
  begin_child(request, channel);
  if (request.record_fd >= 0) ::close(request.record_fd);
  NamespacePlan& n = request.plan.namespaces;
  auto joins = open_joins(n);
  if (!joins) channel.fail(joins.error());
  join_cgroups(request.join, channel);
  reset_affinity();
  if (n.create_user) {
    channel.say(Said::unmapped);
    channel.await();
    if (auto done = become_root(); !done) channel.fail(done.error());
  }
  if ((n.create & CLONE_NEWCGROUP) != 0) {
    if (const long r = raw::call(SYS_unshare, CLONE_NEWCGROUP); r < 0)
      channel.fail(failure(r, "unshare the cgroup namespace"));
  }
  if (auto done = join_namespaces(*joins, false); !done) channel.fail(done.error());
  container_init(request, channel);
}

// Maps a new user namespace and opens it.
Result<UniqueFd> map_child(const InitRequest& request, pid_t pid, const std::string& text) {
  const NamespacePlan& n = request.plan.namespaces;
  if (text != "joined") TRY(write_id_maps(pid, n.uid_mappings, n.gid_mappings, request.may_set_groups));
  return sys::open_file("/proc/" + std::to_string(pid) + "/ns/user", O_RDONLY);
}

}  // namespace

Result<Spawned> spawn_init(InitRequest& request, Channel& parent_end, Channel& child_end) {
  const NamespacePlan& n = request.plan.namespaces;
  const bool staged = n.needs_stage();
  std::uint64_t flags = n.create & ~late;
  if (staged)
    flags = n.locked_mounts ? CLONE_NEWNS : 0;
  else if (n.create_user)
    flags |= CLONE_NEWUSER;
  // A joined mount namespace of a plain container is entered by setns, in the child.
  const pid_t pid = TRY(sys::clone_process(flags, request.join.unified.get()).during("clone the container's process"));
  if (pid == 0) {
    parent_end.close();
    staged ? staged_child(request, child_end) : direct_child(request, child_end);
  }
  child_end.close();
  Spawned out{sys::Process(pid), {}};
  if (n.has_user()) {
    const std::string how = TRY(parent_end.expect(Said::unmapped));
    if (request.attach) TRY(request.attach(pid));
    out.user_namespace = TRY(map_child(request, pid, how));
    TRY(parent_end.go());
  }
  if (staged) {
    const std::string text = TRY(parent_end.expect_from(pid, Said::pid));
    pid_t init = 0;
    std::from_chars(text.data(), text.data() + text.size(), init);
    sys::Process first(init);
    TRY(out.init.wait());
    out.init = std::move(first);
    TRY(parent_end.go());
  }
  if (n.has_user() && !n.locked_mounts) {
    TRY(parent_end.expect(Said::unmapped));
    std::vector<UniqueFd> clones;
    // Without privilege out here the child must make them, with what it has in its own mount namespace.
    if ((n.create & CLONE_NEWNS) != 0 && !request.rootless)
      clones = TRY(clone_sources(request.plan, out.user_namespace.get()));
    TRY(parent_end.go(clones));
  }
  return out;
}

}  // namespace caisson::runtime

#include "caisson/runtime/id_maps.h"

#include <unistd.h>

#include "caisson/runtime/clones.h"
#include "caisson/sys/file.h"
#include "caisson/sys/process.h"

namespace caisson::runtime {
namespace {

// The set-user-ID helpers, for who has ranges in /etc/subuid but no privilege.
Result<void> run_helper(const char* program, pid_t pid, const std::vector<oci::IdMapping>& mappings) {
  std::vector<std::string> args = {program, std::to_string(pid)};
  for (const oci::IdMapping& m : mappings) {
    args.push_back(std::to_string(m.container_id));
    args.push_back(std::to_string(m.host_id));
    args.push_back(std::to_string(m.size));
  }
  std::vector<char*> argv;
  for (std::string& arg : args) argv.push_back(arg.data());
  argv.push_back(nullptr);
  const pid_t child = TRY(sys::clone_process(0));
  if (child == 0) {
    ::execvp(program, argv.data());
    ::_exit(127);
  }
  sys::Process helper(child);
  const int status = TRY(helper.wait());
  if (status == 0) return ok();
  if (sys::shell_status(status) == 127)
    return Error::of(Kind::unsupported, std::string(program) + " is needed: install the package uidmap");
  return Error::of(Kind::denied, std::string(program) + " refused the id mappings: see /etc/subuid and /etc/subgid");
}

Result<void> write_map(const std::string& proc, pid_t pid, const char* file, const char* helper,
                       const std::vector<oci::IdMapping>& mappings) {
  auto written = sys::write_once(proc + file, map_text(mappings));
  if (written || !written.error().is(EPERM) || ::geteuid() == 0) return written;
  return run_helper(helper, pid, mappings);
}

}  // namespace

Result<void> write_id_maps(pid_t pid, const std::vector<oci::IdMapping>& uids, const std::vector<oci::IdMapping>& gids,
                           bool may_set_groups) {
  const std::string proc = "/proc/" + std::to_string(pid);
  if (!may_set_groups) TRY(sys::write_once(proc + "/setgroups", "deny").during("linux.gidMappings"));
  TRY(write_map(proc, pid, "/uid_map", "newuidmap", uids).during("linux.uidMappings"));
  return write_map(proc, pid, "/gid_map", "newgidmap", gids).during("linux.gidMappings");
}

}  // namespace caisson::runtime

#include "caisson/sys/map_namespace.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "caisson/sys/file.h"
#include "caisson/sys/process.h"
#include "caisson/sys/raw.h"

namespace caisson::sys {
namespace {

// Tells its number in /proc, which is not its pid when we are in a newer pid namespace than that /proc, and waits.
[[noreturn]] void hold(int tell) {
  char self[32];
  bool told = raw::call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0;
  const long length = raw::call(SYS_readlinkat, AT_FDCWD, "/proc/self", self, sizeof self);
  told = told && length > 0 && raw::call_retrying(SYS_write, tell, self, static_cast<unsigned long>(length)) == length;
  if (!told) raw::call(SYS_exit_group, 1);  // nobody is there to end us
  raw::call(SYS_close, tell);
  for (;;) raw::call(SYS_pause);
}

}  // namespace

Result<UniqueFd> make_map_namespace(const std::string& uid_map, const std::string& gid_map) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) return Error::os(errno, "pipe");
  const UniqueFd from(ends[0]);
  UniqueFd tell(ends[1]);
  const pid_t pid = TRY(clone_process(CLONE_NEWUSER).during("make a user namespace"));
  if (pid == 0) hold(tell.get());
  const Process child(pid);  // killed and reaped on the way out
  tell.reset();
  char self[32];
  const long length = raw::call_retrying(SYS_read, from.get(), self, sizeof self);
  if (length <= 0) return Error::of(Kind::os, "make id mappings: the process that holds them died");
  const std::string proc = "/proc/" + std::string(self, static_cast<std::size_t>(length));
  TRY(write_once(proc + "/uid_map", uid_map));
  TRY(write_once(proc + "/gid_map", gid_map));
  return open_file(proc + "/ns/user", O_RDONLY);
}

}  // namespace caisson::sys

#include "caisson/sys/map_namespace.h"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>

#include "caisson/sys/file.h"
#include "caisson/sys/process.h"
#include "caisson/sys/raw.h"

namespace caisson::sys {

Result<UniqueFd> make_map_namespace(const std::string& uid_map, const std::string& gid_map) {
  const pid_t pid = TRY(clone_process(CLONE_NEWUSER).during("make a user namespace"));
  if (pid == 0) {
    raw::call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    for (;;) raw::call(SYS_pause);
  }
  Process child(pid);  // killed and reaped on the way out
  const std::string proc = "/proc/" + std::to_string(pid);
  TRY(write_once(proc + "/uid_map", uid_map));
  TRY(write_once(proc + "/gid_map", gid_map));
  return open_file(proc + "/ns/user", O_RDONLY);
}

}  // namespace caisson::sys

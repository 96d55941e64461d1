// move_mount of a new proc or sysfs that is not mounted yet: the new mount API's end, the nest's view over it again.
// Layer: nest. Declared in handlers.h.
// SPDX-License-Identifier: Apache-2.0
//
// fsopen, fsconfig and fsmount stay the kernel's: it makes the file system with the caller's own namespaces and rights.
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mount.h>

#include "caisson/nest/arguments.h"
#include "caisson/nest/handlers/handlers.h"
#include "caisson/nest/handlers/view_mounts.h"
#include "caisson/nest/visit.h"
#include "caisson/sys/file.h"
#include "caisson/sys/raw.h"

namespace caisson::nest {
namespace {

using procview::Filesystem;
using seccomp::Answer;
using sys::UniqueFd;
using sys::raw::call;

constexpr std::uint64_t understood =
    MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS | MOVE_MOUNT_T_AUTOMOUNTS;

bool is_empty_text(const Caller& caller, std::uint64_t address) {
  if (address == 0) return true;
  auto text = caller.text(address, 1);
  return text && text->empty();
}

Result<UniqueFd> target_of(const Call& trapped) {
  const Caller& caller = trapped.caller;
  const std::uint64_t flags = trapped.argument(4);
  std::string path;
  if (trapped.argument(3) != 0) path = TRY(caller.text(trapped.argument(3)));
  if (path.empty()) {
    const int number = trapped.number(2);
    if ((flags & MOVE_MOUNT_T_EMPTY_PATH) == 0 || number < 0) return Error::os(ENOENT, "move_mount");
    return caller.open("fd/" + std::to_string(number), O_PATH);
  }
  const auto last = (flags & MOVE_MOUNT_T_SYMLINKS) != 0 ? Caller::Last::follow : Caller::Last::keep;
  return caller.resolve(trapped.number(2), path, last);
}

}  // namespace

Answer handle_move_mount(Call& trapped) {
  const Caller& caller = trapped.caller;
  const int number = trapped.number(0);
  if (trapped.nest.known.get() == nullptr || number < 0 || (trapped.argument(4) & ~understood) != 0)
    return Answer::native();
  // The one descriptor that everything is about, whatever the caller makes of its number from here on.
  auto from = caller.open("fd/" + std::to_string(number), O_PATH);
  if (!from) return Answer::native();
  auto magic = sys::filesystem_magic(from->get());
  if (!magic || (*magic != PROC_SUPER_MAGIC && *magic != SYSFS_MAGIC)) return Answer::native();
  if (!is_empty_text(caller, trapped.argument(1))) return Answer::native();
  auto mounts = caller.open("ns/mnt", O_RDONLY);
  auto target = target_of(trapped);
  if (!mounts || !target || !may_mount(trapped, mounts->get(), mounts->get())) return Answer::native();
  // What is mounted already moves with all that is on it, or a predecessor of ours has mounted it.
  const bool mounted = is_attached(from->get());
  if (mounted && !trapped.resumed()) return Answer::native();

  const Cover cover = Cover::prepare(trapped, *magic == PROC_SUPER_MAGIC ? Filesystem::proc : Filesystem::sysfs);
  if (!trapped.begin(0)) return Answer::native();
  auto visit = Visit::enter(mounts->get(), CLONE_NEWNS, trapped.nest);
  if (!visit) return Answer::native();
  if (!mounted) {
    const long r =
        call(SYS_move_mount, from->get(), "", target->get(), "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
    if (r < 0) return Answer::fail(static_cast<int>(-r));
  }
  cover.put_over(from->get());
  return Answer::success();
}

}  // namespace caisson::nest

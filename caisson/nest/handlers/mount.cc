// mount of a new proc or sysfs: the kernel's own, with the nest's view over it again.
// Layer: nest. Declared in handlers.h.
// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <sys/mount.h>

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

Result<std::string> optional_text(const Caller& caller, std::uint64_t address) {
  if (address == 0) return std::string();
  return caller.text(address);
}

// Of its view, of masks, or of both.
bool makes_views(const Supervised& nest) { return nest.known.get() != nullptr || nest.is_hardened(); }

Answer mount_view(Call& trapped, Filesystem kind) {
  const Caller& caller = trapped.caller;
  auto mounts = caller.open("ns/mnt", O_RDONLY);
  auto shown = caller.open(kind == Filesystem::proc ? "ns/pid" : "ns/net", O_RDONLY);
  if (!mounts || !shown || !may_mount(trapped, mounts->get(), shown->get())) return Answer::native();
  auto path = caller.text(trapped.argument(1));
  auto source = optional_text(caller, trapped.argument(0));
  auto data = optional_text(caller, trapped.argument(4));
  if (!source || !data) return Answer::native();
  if (!path) return Answer::fail(path.error().code());
  auto target = caller.resolve(AT_FDCWD, *path, Caller::Last::follow);
  if (!target) return Answer::native();

  const std::uint64_t before = mount_id(target->get());
  const bool mounted = trapped.resumed() && trapped.slot.marks[0] != before;
  UniqueFd filesystem;
  if (!mounted) {
    auto made = make_filesystem(trapped, kind, shown->get(), *source, *data, mount_attributes(trapped.argument(3)));
    if (!made) return Answer::native();  // an older kernel, or an option that it refuses: it says so itself
    filesystem = *std::move(made);
  }
  const Cover cover = Cover::prepare(trapped, kind);
  bool covered = trapped.nest.is_hardened();
  if (!mounted && trapped.nest.is_hardened()) {
    auto locked = trapped.nest.locked.lock(trapped.nest, filesystem.get(),
                                           [&](int base) { return cover.put_and_mask(trapped.nest, kind, base); });
    if (!locked) return Answer::native();  // which the kernel refuses
    filesystem = *std::move(locked);
  } else if (!mounted) {
    covered = cover.put_over_unseen(filesystem.get());
  }
  if (!trapped.begin(mounted ? trapped.slot.marks[0] : before)) return Answer::native();
  auto visit = Visit::enter(mounts->get(), CLONE_NEWNS, trapped.nest);
  if (!visit) return Answer::native();
  if (!mounted) {
    const long r = call(SYS_move_mount, filesystem.get(), "", target->get(), "",
                        MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
    if (r < 0) return Answer::fail(static_cast<int>(-r));
  }
  if (!covered) cover.put_over(mounted ? target->get() : filesystem.get());
  return Answer::success();
}

}  // namespace

// A mount with others on it is busy. These others are ours: they go with it.
Answer handle_umount(Call& trapped) {
  const Caller& caller = trapped.caller;
  if (!makes_views(trapped.nest)) return Answer::native();
  auto path = caller.text(trapped.argument(0));
  if (!path) return Answer::native();
  const bool keep = (trapped.argument(1) & UMOUNT_NOFOLLOW) != 0;
  auto target = caller.resolve(AT_FDCWD, *path, keep ? Caller::Last::keep : Caller::Last::follow);
  if (!target) return Answer::native();
  auto magic = sys::filesystem_magic(target->get());
  if (trapped.resumed() && mount_id(target->get()) != trapped.slot.marks[0]) return Answer::success();
  if (!magic || (*magic != PROC_SUPER_MAGIC && *magic != SYSFS_MAGIC)) return Answer::native();
  auto mounts = caller.open("ns/mnt", O_RDONLY);
  auto mountinfo = sys::read_file("/proc/" + std::to_string(caller.pid()) + "/mountinfo");
  if (!mounts || !mountinfo || !may_mount(trapped, mounts->get(), mounts->get())) return Answer::native();
  const Children children = children_of(*mountinfo, mount_id(target->get()));
  const int others = children.others + (trapped.nest.is_hardened() ? 0 : children.parts);
  if (children.view == 0 || others != 0) return Answer::native();
  if (!trapped.begin(mount_id(target->get()))) return Answer::native();
  auto visit = Visit::enter(mounts->get(), CLONE_NEWNS, trapped.nest);
  if (!visit || call(SYS_fchdir, target->get()) < 0) return Answer::native();
  const long r = call(SYS_umount2, ".", MNT_DETACH);
  return r == 0 ? Answer::success() : Answer::fail(static_cast<int>(-r));
}

Answer handle_mount(Call& trapped) {
  if (!makes_views(trapped.nest)) return Answer::native();
  constexpr std::size_t longest = 32;  // of the names that matter here
  auto type = trapped.caller.text(trapped.argument(2), longest);
  if (!type) return Answer::native();
  if (*type == "proc") return mount_view(trapped, Filesystem::proc);
  if (*type == "sysfs") return mount_view(trapped, Filesystem::sysfs);
  return Answer::native();
}

}  // namespace caisson::nest

// mount of a new proc or sysfs: the kernel's own, with the nest's view over it again.
// Layer: nest. Declared in handlers.h.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/sys/mount.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <algorithm>
#include <string_view>

#include "caisson/nest/handlers/handlers.h"
#include "caisson/nest/record.h"
#include "caisson/nest/visit.h"
#include "caisson/procview/procview.h"
#include "caisson/sys/file.h"
#include "caisson/sys/path.h"
#include "caisson/sys/raw.h"

namespace caisson::nest {
namespace {

using procview::Filesystem;
using seccomp::Answer;
using sys::UniqueFd;
using sys::raw::call;

// Which mount a path leads to: another number after a successful mount. source: statx(2), STATX_MNT_ID
std::uint64_t mount_id(int fd) {
  struct statx status{};
  return ::statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &status) == 0 ? status.stx_mnt_id : 0;
}

std::uint64_t attributes_of(std::uint64_t flags) {
  std::uint64_t out = 0;
  if ((flags & MS_RDONLY) != 0) out |= MOUNT_ATTR_RDONLY;
  if ((flags & MS_NOSUID) != 0) out |= MOUNT_ATTR_NOSUID;
  if ((flags & MS_NODEV) != 0) out |= MOUNT_ATTR_NODEV;
  if ((flags & MS_NOEXEC) != 0) out |= MOUNT_ATTR_NOEXEC;
  if ((flags & MS_NOATIME) != 0) out |= MOUNT_ATTR_NOATIME;
  if ((flags & MS_STRICTATIME) != 0) out |= MOUNT_ATTR_STRICTATIME;
  if ((flags & MS_NODIRATIME) != 0) out |= MOUNT_ATTR_NODIRATIME;
  return out;
}

// Root of its user namespace, which owns its mounts and what the file system shows: all else the kernel decides.
bool may_mount(const Call& trapped, int mounts, int shown) {
  auto credentials = trapped.caller.credentials();
  if (!credentials || !credentials->has(CAP_SYS_ADMIN)) return false;
  auto own = trapped.caller.user_namespace();
  auto of_mounts = owner_id(mounts);
  auto of_shown = owner_id(shown);
  return own && of_mounts && of_shown && *own == *of_mounts && *own == *of_shown;
}

std::vector<sys::FilesystemOption> options_of(std::string_view data) {
  std::vector<sys::FilesystemOption> out;
  while (!data.empty()) {
    const std::string_view word = data.substr(0, data.find(','));
    data.remove_prefix(std::min(word.size() + 1, data.size()));
    const std::size_t equals = word.find('=');
    if (word.empty()) continue;
    out.push_back({.key = std::string(word.substr(0, equals)),
                   .value = std::string(equals == std::string_view::npos ? "" : word.substr(equals + 1))});
  }
  return out;
}

// Not mounted anywhere yet, owned by the user namespace of what it shows.
Result<UniqueFd> make_filesystem(const Call& trapped, Filesystem kind, int shown, const std::string& source,
                                 std::string_view data) {
  std::vector<sys::FilesystemOption> options = options_of(data);
  if (!source.empty()) options.push_back({.key = "source", .value = source});
  const std::uint64_t attributes = attributes_of(trapped.argument(3));
  if (kind == Filesystem::proc) {
    // source: linux 6.17, Documentation/filesystems/proc.rst, pidns=
    options.push_back({.key = "pidns", .value = {}, .fd = shown});
    return sys::new_filesystem("proc", options.data(), options.size(), attributes);
  }
  const Visit visit = TRY(Visit::enter(shown, CLONE_NEWNET, trapped.nest));
  return sys::new_filesystem("sysfs", options.data(), options.size(), attributes);
}

// Over the nodes of the mount `base`, in whose namespace we are; what a predecessor has covered stays.
void cover(int base, const std::vector<UniqueFd>& copies, const std::vector<procview::Overmount>& nodes) {
  const std::uint64_t own = mount_id(base);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (!copies[i]) continue;
    auto target = sys::open_in_root(base, nodes[i].destination, O_PATH, sys::Links::refuse);
    if (!target || mount_id(target->get()) != own) continue;
    (void)sys::attach_mount(copies[i].get(), target->get());
  }
}

Result<std::string> optional_text(const Caller& caller, std::uint64_t address) {
  if (address == 0) return std::string();
  return caller.text(address);
}

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
    auto made = make_filesystem(trapped, kind, shown->get(), *source, *data);
    if (!made) return Answer::native();  // an older kernel, or an option that it refuses: it says so itself
    filesystem = *std::move(made);
  }
  const std::vector<procview::Overmount> nodes = procview::replayed(kind, sys::exists);
  std::vector<UniqueFd> copies;
  for (const procview::Overmount& node : nodes) {
    auto copy = sys::open_tree_clone(AT_FDCWD, trapped.nest.directory + "/" + view_name + "/" + node.source,
                                     sys::Recursive::no);
    copies.push_back(copy ? *std::move(copy) : UniqueFd());
  }
  if (!trapped.begin(mounted ? trapped.slot.marks[0] : before)) return Answer::native();
  auto visit = Visit::enter(mounts->get(), CLONE_NEWNS, trapped.nest);
  if (!visit) return Answer::native();
  if (!mounted) {
    const long r = call(SYS_move_mount, filesystem.get(), "", target->get(), "",
                        MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
    if (r < 0) return Answer::fail(static_cast<int>(-r));
  }
  cover(mounted ? target->get() : filesystem.get(), copies, nodes);
  return Answer::success();
}

// Mounts of the view on the caller's mount `id`, and others there. source: proc_pid_mountinfo(5)
struct Children {
  int view = 0;
  int others = 0;
};
Children children_of(std::string_view mountinfo, std::uint64_t id) {
  Children out;
  const std::string parent = " " + std::to_string(id) + " ";
  while (!mountinfo.empty()) {
    const std::string_view line = mountinfo.substr(0, mountinfo.find('\n'));
    mountinfo.remove_prefix(std::min(line.size() + 1, mountinfo.size()));
    const std::size_t first = line.find(' ');
    if (first == std::string_view::npos || line.substr(first, parent.size()) != parent) continue;
    ++(line.find(" - fuse ") == std::string_view::npos ? out.others : out.view);
  }
  return out;
}

}  // namespace

// A mount with others on it is busy. These others are ours: they go with it.
Answer handle_umount(Call& trapped) {
  const Caller& caller = trapped.caller;
  if (trapped.nest.known.get() == nullptr) return Answer::native();
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
  if (children.view == 0 || children.others != 0) return Answer::native();
  if (!trapped.begin(mount_id(target->get()))) return Answer::native();
  auto visit = Visit::enter(mounts->get(), CLONE_NEWNS, trapped.nest);
  if (!visit || call(SYS_fchdir, target->get()) < 0) return Answer::native();
  const long r = call(SYS_umount2, ".", MNT_DETACH);
  return r == 0 ? Answer::success() : Answer::fail(static_cast<int>(-r));
}

Answer handle_mount(Call& trapped) {
  if (trapped.nest.known.get() == nullptr) return Answer::native();
  constexpr std::size_t longest = 32;  // of the names that matter here
  auto type = trapped.caller.text(trapped.argument(2), longest);
  if (!type) return Answer::native();
  if (*type == "proc") return mount_view(trapped, Filesystem::proc);
  if (*type == "sysfs") return mount_view(trapped, Filesystem::sysfs);
  return Answer::native();
}

}  // namespace caisson::nest

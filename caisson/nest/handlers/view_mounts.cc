#include "caisson/nest/handlers/view_mounts.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <sys/stat.h>

#include <utility>

#include "caisson/nest/arguments.h"
#include "caisson/nest/record.h"
#include "caisson/sys/file.h"
#include "caisson/sys/mount.h"
#include "caisson/sys/path.h"
#include "caisson/sys/raw.h"

namespace caisson::nest {
namespace {

using procview::Filesystem;
using sys::UniqueFd;

// What this kernel has of them does not change.
const std::vector<procview::Overmount>& nodes_of(Filesystem kind) {
  static const std::vector<procview::Overmount> proc = procview::replayed(Filesystem::proc, sys::exists);
  static const std::vector<procview::Overmount> sysfs = procview::replayed(Filesystem::sysfs, sys::exists);
  return kind == Filesystem::proc ? proc : sysfs;
}

std::vector<UniqueFd> copies_for(const Supervised& nest, Filesystem kind) {
  std::vector<UniqueFd> out;
  const std::string root = kind == Filesystem::proc ? "/proc/" : "/sys/";
  for (const procview::Overmount& node : nodes_of(kind)) {
    if (!shows(nest.instructions.terms, root + node.destination)) {
      out.emplace_back();
      continue;
    }
    auto copy =
        sys::open_tree_clone(AT_FDCWD, nest.directory + "/" + view_name + "/" + node.source, sys::Recursive::no);
    out.push_back(copy ? *std::move(copy) : UniqueFd());
  }
  return out;
}

// For this thread's next call, made while nobody waits; of a kind that was asked for once.
struct Spare {
  std::vector<UniqueFd> copies;
  bool is_used = false;
};
Spare& spare_of(Filesystem kind) {
  thread_local Spare proc;
  thread_local Spare sysfs;
  return kind == Filesystem::proc ? proc : sysfs;
}

}  // namespace

std::uint64_t mount_id(int fd) {
  struct statx status{};
  return ::statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &status) == 0 ? status.stx_mnt_id : 0;
}

bool is_attached(int fd) {
  const long parent = sys::raw::call(SYS_openat, fd, "..", O_PATH | O_CLOEXEC);
  if (parent < 0) return false;
  const UniqueFd held(static_cast<int>(parent));
  return mount_id(held.get()) != mount_id(fd);
}

bool may_mount(const Call& trapped, int mounts, int shown) {
  if (!trapped.caller.has(CAP_SYS_ADMIN)) return false;
  auto own = trapped.caller.user_namespace();
  auto of_mounts = owner_id(mounts);
  // A runtime mounts a container's proc before it enters the container's user namespace.
  return own && of_mounts && *own == *of_mounts && (shown == mounts || is_owned_within(shown, *own));
}

Result<UniqueFd> make_filesystem(const Call& trapped, Filesystem kind, int shown, const std::string& source,
                                 std::string_view data, std::uint64_t attributes) {
  std::vector<sys::FilesystemOption> options = mount_options(data);
  if (!source.empty()) options.push_back({.key = "source", .value = source});
  if (kind == Filesystem::proc) {
    // source: linux 6.17, Documentation/filesystems/proc.rst, pidns=
    options.push_back({.key = "pidns", .value = {}, .fd = shown});
    auto made = sys::new_filesystem("proc", options.data(), options.size(), attributes);
    if (made || !made.error().is(EINVAL)) return made;
    options.pop_back();  // an older kernel: docs/adr/0010
    UniqueFd context;
    {
      const Visit visit = TRY(Visit::enter(shown, CLONE_NEWPID, trapped.nest));
      context = TRY(sys::open_filesystem_by_child("proc"));
    }
    return sys::new_filesystem(std::move(context), "proc", options.data(), options.size(), attributes);
  }
  const Visit visit = TRY(Visit::enter(shown, CLONE_NEWNET, trapped.nest));
  return sys::new_filesystem("sysfs", options.data(), options.size(), attributes);
}

Cover Cover::prepare(const Call& trapped, Filesystem kind) {
  Cover out(trapped.nest);
  out.nodes_ = &nodes_of(kind);
  if (kind == Filesystem::proc)
    if (auto network = trapped.caller.open("ns/net", O_RDONLY)) out.network_ = *std::move(network);
  Spare& spare = spare_of(kind);
  spare.is_used = true;
  out.copies_ = spare.copies.empty() ? copies_for(trapped.nest, kind) : std::exchange(spare.copies, {});
  return out;
}

namespace {

// Not there, or not in this instance of it: nothing to cover.
bool is_absent(const Error& error) { return error.is(ENOENT) || error.is(ENOTDIR) || error.is(ELOOP); }

// Each of `paths` that is in this file system, below its root.
Result<void> for_each_in(const std::vector<std::string>& paths, Filesystem kind, int base,
                         const std::function<Result<void>(int there)>& act) {
  const std::string_view root = kind == Filesystem::proc ? "/proc/" : "/sys/";
  for (const std::string& path : paths) {
    if (!path.starts_with(root)) continue;
    auto there = sys::open_in_root(base, path.substr(root.size()), O_PATH, sys::Links::refuse);
    if (!there && is_absent(there.error())) continue;
    if (!there) return std::move(there).error();
    TRY(act(there->get()));
  }
  return ok();
}

Result<void> attach_read_only(int tree, int there) {
  TRY(sys::set_mount_attributes(tree, {.set = MOUNT_ATTR_RDONLY}, sys::Recursive::yes));
  return sys::attach_mount(tree, there);
}

}  // namespace

Result<void> Cover::put_and_mask(const Supervised& nest, Filesystem kind, int base) const {
  put_over(base);
  const auto close = [](int there) -> Result<void> {
    const UniqueFd tree = TRY(sys::open_tree_clone(there, "", sys::Recursive::yes));
    return attach_read_only(tree.get(), there);
  };
  const auto mask = [&](int there) -> Result<void> {
    const struct stat status = TRY(sys::status_of(there));
    const auto empty = S_ISDIR(status.st_mode) ? LockedViews::Empty::directory : LockedViews::Empty::file;
    const UniqueFd tree = TRY(sys::open_tree_clone(AT_FDCWD, LockedViews::mask(nest, empty), sys::Recursive::no));
    return attach_read_only(tree.get(), there);
  };
  TRY(for_each_in(nest.instructions.read_only, kind, base, close));
  return for_each_in(nest.instructions.masked, kind, base, mask);
}

void prepare_covers(const Supervised& nest) {
  for (const Filesystem kind : {Filesystem::proc, Filesystem::sysfs})
    if (Spare& spare = spare_of(kind); spare.is_used && spare.copies.empty()) spare.copies = copies_for(nest, kind);
}

std::optional<Visit> Cover::enter_network() const {
  std::optional<Visit> out;
  if (network_)
    if (auto entered = Visit::enter(network_.get(), CLONE_NEWNET, *nest_)) out.emplace(*std::move(entered));
  return out;
}

bool Cover::put_over_unseen(int filesystem) const {
  const std::optional<Visit> visit = enter_network();
  for (std::size_t i = 0; i < nodes_->size(); ++i) {
    if (!copies_[i]) continue;
    auto done = sys::attach_mount(copies_[i].get(), filesystem, (*nodes_)[i].destination.c_str());
    if (!done && done.error().code() == EINVAL) return false;
  }
  return true;
}

void Cover::put_over(int base) const {
  const std::optional<Visit> visit = enter_network();
  const std::uint64_t own = mount_id(base);
  for (std::size_t i = 0; i < nodes_->size(); ++i) {
    if (!copies_[i]) continue;
    auto target = sys::open_in_root(base, (*nodes_)[i].destination, O_PATH, sys::Links::refuse);
    if (!target || mount_id(target->get()) != own) continue;
    (void)sys::attach_mount(copies_[i].get(), target->get());
  }
}

}  // namespace caisson::nest

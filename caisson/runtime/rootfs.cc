#include "caisson/runtime/rootfs.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "caisson/runtime/clones.h"
#include "caisson/sys/copy_tree.h"
#include "caisson/sys/file.h"
#include "caisson/sys/mount.h"
#include "caisson/sys/path.h"
#include "caisson/sys/raw.h"

namespace caisson::runtime {
namespace {

using sys::Recursive;
using sys::UniqueFd;
constexpr std::uint64_t proc_super_magic = 0x9fa0;
constexpr std::uint64_t sysfs_magic = 0x62656572;

Recursive recursive(bool yes) { return yes ? Recursive::yes : Recursive::no; }

Error failure(long result, std::string_view call) { return Error::os(static_cast<int>(-result), call); }

bool has_mode(const std::string& data) { return data.starts_with("mode=") || data.find(",mode=") != data.npos; }

// As runc: a tmpfs that says nothing of its mode looks like the directory it covers. Empty: there is none.
Result<std::string> mode_of(int root, const std::string& path) {
  const auto directory = sys::open_in_root(root, path, O_PATH | O_DIRECTORY);
  if (!directory && (directory.error().is(ENOENT) || directory.error().is(ENOTDIR))) return std::string();
  if (!directory) return directory.error();
  const struct stat st = TRY(sys::status_of(directory->get()));
  char text[12];
  const auto end = std::to_chars(text, text + sizeof text, st.st_mode & 07777, 8).ptr;
  return std::string(text, end);
}

// "mode=755,uid=5" without its uid= and gid=, which are the container's ids and not the mounter's.
std::string take_owner(const std::string& data, std::uint32_t& uid, std::uint32_t& gid) {
  std::string out;
  std::string_view left = data;
  while (!left.empty()) {
    const std::string_view word = left.substr(0, left.find(','));
    left.remove_prefix(std::min(word.size() + 1, left.size()));
    if (word.starts_with("uid="))
      std::from_chars(word.data() + 4, word.data() + word.size(), uid);
    else if (word.starts_with("gid="))
      std::from_chars(word.data() + 4, word.data() + word.size(), gid);
    else
      out.append(out.empty() ? "" : ",").append(word);
  }
  return out;
}

}  // namespace

Rootfs::~Rootfs() {
  for (UniqueFd* fd : {&root_, &empty_, &null_, &device_directory_}) spent_.add(std::move(*fd));
}

Result<void> Rootfs::mount_root() {
  const RootPlan& plan = request_.plan->root;
  // Whatever we do from here stays here, unless the config wants mounts to go both ways.
  const unsigned long before = plan.propagation != 0 ? plan.propagation : MS_SLAVE | MS_REC;
  TRY(sys::set_propagation("/", request_.outside ? MS_SLAVE | MS_REC : before));
  UniqueFd tree;
  if (!clones_.empty())
    tree = std::move(clones_[next_clone_++]);
  else
    tree = TRY(clone_root(plan, request_.user_namespace));
  // pivot_root refuses a shared root, and a shared parent would get the root's mounts.
  TRY(sys::set_mount_attributes(tree.get(), {.propagation = MS_PRIVATE}, Recursive::no));
  UniqueFd place = TRY(sys::open_file(plan.path, O_PATH | O_DIRECTORY));
  // Without MS_REC only "/" itself was changed above: the mount our root is in may be the host's, and shared.
  if ((before & MS_SHARED) != 0 || (before & MS_REC) == 0) TRY(make_parent_private(plan.path));
  TRY(sys::attach_mount(tree.get(), place.get()));
  spent_.add(std::move(place));
  root_ = std::move(tree);
  return ok();
}

Result<void> Rootfs::build() {
  TRY(mount_root().during("mount root " + request_.plan->root.path));
  for (const MountStep& step : request_.plan->mounts) {
    if (request_.outside && step.options.inside) continue;
    TRY(apply(step).during("error mounting " + to_text(step)));
  }
  for (const DeviceNode& device : request_.plan->devices)
    TRY(make_device(device).during("error creating device node " + device.path));
  if (request_.plan->default_links) TRY(make_links());
  if (request_.plan->process.terminal) TRY(make_console_place().during("/dev/console"));
  return ok();
}

// Where the terminal is mounted when /dev may be read-only already. terminal.cc looks at what it finds there.
Result<void> Rootfs::make_console_place() {
  const sys::ParentAndName at = TRY(sys::make_parent_in_root(root_.get(), "/dev/console", 0755));
  const long r = sys::raw::call(SYS_mknodat, at.parent.get(), at.name.c_str(), S_IFREG | 0600, 0);
  if (r < 0 && r != -EEXIST) return failure(r, "mknod");
  return ok();
}

Result<void> Rootfs::build_inside() {
  root_ = TRY(sys::open_file("/", O_PATH | O_DIRECTORY));
  for (const MountStep& step : request_.plan->mounts)
    if (step.options.inside) TRY(apply(step).during("error mounting " + to_text(step)));
  return ok();
}

Result<void> Rootfs::apply(const MountStep& step) {
  switch (step.kind) {
    case MountKind::bind:
      return bind(step);
    case MountKind::filesystem:
      return mount_filesystem(step);
    case MountKind::cgroup:
      return mount_cgroups(step);
    case MountKind::remount:
      return remount(step);
  }
  return Error::of(Kind::internal, "no such kind of mount");
}

// A link in the image may lead a harmless destination into /proc. CVE-2019-16884, CVE-2025-52881
static Result<void> refuse_hidden_proc(const MountStep& step, const UniqueFd& target) {
  if (step.target == "/proc" || step.target.starts_with("/proc/")) return ok();  // checked by oci::validate
  const std::uint64_t magic = TRY(sys::filesystem_magic(target.get()));
  if (magic != proc_super_magic) return ok();
  return Error::of(Kind::invalid, step.target + " leads into /proc, where nothing may be mounted");
}

Result<UniqueFd> Rootfs::make_target(const std::string& path, bool directory) {
  if (directory) return sys::make_directories_in_root(root_.get(), path, 0755);
  return sys::make_file_in_root(root_.get(), path, 0644);
}

Result<void> Rootfs::bind(const MountStep& step) {
  UniqueFd tree;
  if (!clones_.empty() && !step.options.inside)
    tree = std::move(clones_[next_clone_++]);
  else
    tree = TRY(clone_bind(step, *request_.plan, request_.user_namespace));
  if (step.options.view) return bind_view(step, std::move(tree));
  const struct stat source = TRY(sys::status_of(tree.get()));
  UniqueFd target = TRY(make_target(step.target, S_ISDIR(source.st_mode)));
  const struct stat found = TRY(sys::status_of(target.get()));
  if (S_ISDIR(source.st_mode) != S_ISDIR(found.st_mode))
    return Error::os(ENOTDIR, "a directory and a file cannot be mounted on each other");
  TRY(refuse_hidden_proc(step, target));
  if (step.target == "/proc") {
    const std::uint64_t magic = TRY(sys::filesystem_magic(tree.get()));
    if (magic != proc_super_magic)
      return Error::of(Kind::invalid, "/proc cannot be mounted because it is not of type proc");
  }
  TRY(finish(step, tree));
  TRY(sys::attach_mount(tree.get(), target.get()));
  spent_.add(std::move(tree));
  spent_.add(std::move(target));
  return ok();
}

// There are many, and its file system answers from a process: nothing is asked of it that the mount does not need.
Result<void> Rootfs::bind_view(const MountStep& step, UniqueFd tree) {
  auto target = sys::open_in_root(root_.get(), step.target, O_PATH, sys::Links::refuse);
  if (!target && target.error().is(ENOENT)) return ok();  // another kernel, or another network namespace
  if (!target) return std::move(target).error();
  TRY(refuse_hidden_proc(step, *target));
  TRY(finish(step, tree));
  TRY(sys::attach_mount(tree.get(), target->get()));
  spent_.add(std::move(tree));
  spent_.add(*std::move(target));
  return ok();
}

// Attributes and propagation, on a mount that is attached or not.
Result<void> Rootfs::finish(const MountStep& step, const UniqueFd& mount) {
  const MountAttributes flat = attributes_of(step.options);
  if (step.kind != MountKind::filesystem && (flat.set != 0 || flat.clear != 0))
    TRY(sys::set_mount_attributes(mount.get(), {.set = flat.set, .clear = flat.clear}, Recursive::no));
  if (step.options.has_attributes())
    TRY(sys::set_mount_attributes(mount.get(), {.set = step.options.attr_set, .clear = step.options.attr_clear},
                                  Recursive::yes));
  for (unsigned long p : step.options.propagation)
    TRY(sys::set_mount_attributes(mount.get(), {.propagation = p & ~static_cast<unsigned long>(MS_REC)},
                                  recursive((p & MS_REC) != 0)));
  return ok();
}

Result<void> Rootfs::own(int fd, std::uint32_t uid, std::uint32_t gid) {
  if (request_.outside) {
    uid = TRY(host_id(request_.plan->namespaces.uid_mappings, uid));
    gid = TRY(host_id(request_.plan->namespaces.gid_mappings, gid));
  }
  if (const long r = sys::raw::call(SYS_fchownat, fd, "", uid, gid, AT_EMPTY_PATH); r < 0) return failure(r, "chown");
  return ok();
}

Result<void> Rootfs::mount_filesystem(const MountStep& step) {
  const bool kernel_view = step.type == "proc" || step.type == "sysfs";
  // Through a link in the image, what looks like /proc would be somewhere else. CVE-2019-19921, CVE-2023-27561
  UniqueFd target;
  if (kernel_view) {
    auto opened = sys::open_in_root(root_.get(), step.target, O_PATH | O_DIRECTORY, sys::Links::refuse);
    if (!opened && opened.error().kind() == Kind::unsupported) return std::move(opened).error();
    if (!opened && !opened.error().is(ENOENT))
      return Error::of(Kind::invalid, step.target + " must be mounted on ordinary directory");
    if (opened) target = std::move(*opened);
  }
  std::string mode;
  if (step.type == "tmpfs" && !has_mode(step.options.data)) mode = TRY(mode_of(root_.get(), step.target));
  sys::Made made = sys::Made::no;
  if (!target) {
    sys::DirectoryInRoot directory = TRY(sys::make_directory_in_root(root_.get(), step.target, 0755));
    target = std::move(directory.fd);
    made = directory.made;
  }
  if (made == sys::Made::no) TRY(refuse_hidden_proc(step, target));
  UniqueFd covered;
  if (step.options.copy_up) covered = TRY(sys::open_in_root(root_.get(), step.target, O_RDONLY | O_DIRECTORY));
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  const bool owned = request_.outside && step.type == "tmpfs";
  std::string data = owned ? take_owner(step.options.data, uid, gid) : step.options.data;
  if (!mode.empty()) data += (data.empty() ? "mode=" : ",mode=") + mode;
  const std::string source = step.source.empty() ? step.type : step.source;
  TRY(sys::mount_filesystem(target.get(), step.type, source, step.options.flags, data));
  spent_.add(std::move(target));
  const bool more = covered || owned || step.options.has_attributes() || !step.options.propagation.empty();
  if (!more && !kernel_view) return ok();
  UniqueFd mounted =
      TRY(sys::open_in_root(root_.get(), step.target, covered ? O_RDONLY | O_DIRECTORY : O_PATH | O_DIRECTORY));
  if (kernel_view) {
    const std::uint64_t magic = TRY(sys::filesystem_magic(mounted.get()));
    if (magic != proc_super_magic && magic != sysfs_magic)
      return Error::of(Kind::invalid, "something else was mounted there");
  }
  if (owned) TRY(own(mounted.get(), uid, gid));
  if (covered) TRY(sys::copy_tree(covered.get(), mounted.get()).during("tmpcopyup"));
  TRY(finish(step, mounted));
  spent_.add(std::move(mounted));
  return ok();
}

Result<void> Rootfs::mount_hierarchy(const MountStep& step, int top, const CgroupMount& cgroup) {
  // `top` is a tmpfs of ours, with nothing in it that could mislead, or, without a name, the place itself.
  if (!cgroup.name.empty()) TRY(sys::make_directory_at(top, cgroup.name, 0755));
  constexpr unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  if (request_.own_cgroup_namespace) {
    const std::string where = cgroup.name.empty() ? "." : cgroup.name;
    const UniqueFd target = TRY(sys::open_at(top, where, O_PATH | O_DIRECTORY | O_NOFOLLOW));
    const char* type = cgroup.v2 ? "cgroup2" : "cgroup";
    TRY(sys::mount_filesystem(target.get(), type, "cgroup", flags | (step.options.flags & MS_RDONLY),
                              cgroup.v2 ? "" : cgroup.options));
  } else {
    UniqueFd tree =
        TRY(sys::open_tree_clone(AT_FDCWD, cgroup.directory, Recursive::no));  // as the host has it: see below
    TRY(sys::attach_mount(tree.get(), top, cgroup.name.c_str()));
    spent_.add(std::move(tree));
  }
  for (const std::string& link : cgroup.links)
    if (const long r = sys::raw::call(SYS_symlinkat, cgroup.name.c_str(), top, link.c_str()); r < 0 && r != -EEXIST)
      return failure(r, "symlink").during(link);
  return ok();
}

Result<void> Rootfs::mount_cgroups(const MountStep& step) {
  UniqueFd target = TRY(sys::make_directories_in_root(root_.get(), step.target, 0755));
  const bool v2_only = request_.cgroups.size() == 1 && request_.cgroups[0].name.empty();
  UniqueFd top;
  if (v2_only) {
    top = TRY(sys::open_in_root(root_.get(), step.target, O_PATH | O_DIRECTORY));
  } else {
    TRY(sys::mount_filesystem(target.get(), "tmpfs", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=755"));
    top = TRY(sys::open_in_root(root_.get(), step.target, O_PATH | O_DIRECTORY));
    if (request_.outside) TRY(own(top.get(), 0, 0));
  }
  for (const CgroupMount& cgroup : request_.cgroups) TRY(mount_hierarchy(step, top.get(), cgroup).during(cgroup.name));
  UniqueFd mounted;
  if (v2_only) {
    mounted = TRY(sys::open_in_root(root_.get(), step.target, O_PATH | O_DIRECTORY));
    spent_.add(std::move(top));
  } else {
    mounted = std::move(top);
  }
  const std::uint64_t read_only = (step.options.flags & MS_RDONLY) != 0 ? MOUNT_ATTR_RDONLY : 0;
  if (!request_.own_cgroup_namespace) {  // the clones, all at once
    constexpr std::uint64_t safe = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    TRY(sys::set_mount_attributes(mounted.get(), {.set = safe | read_only}, Recursive::yes));
  } else if (!v2_only && read_only != 0) {
    TRY(sys::set_mount_attributes(mounted.get(), {.set = read_only}, Recursive::no));
  }
  for (unsigned long p : step.options.propagation)
    TRY(sys::set_mount_attributes(mounted.get(), {.propagation = p & ~static_cast<unsigned long>(MS_REC)},
                                  recursive((p & MS_REC) != 0)));
  spent_.add(std::move(target));
  spent_.add(std::move(mounted));
  return ok();
}

Result<void> Rootfs::remount(const MountStep& step) {
  const UniqueFd mounted = TRY(sys::open_in_root(root_.get(), step.target, O_PATH));
  return finish(step, mounted);
}

// The host's own node, checked: a container must not get what merely has the name.
static Result<UniqueFd> clone_host_device(const DeviceNode& device) {
  const UniqueFd node = TRY(sys::open_file(device.path, O_PATH | O_NOFOLLOW));
  const struct stat st = TRY(sys::status_of(node.get()));
  if ((st.st_mode & S_IFMT) != device.type || st.st_rdev != makedev(device.major, device.minor))
    return Error::of(Kind::conflict, "the host's " + device.path + " is another device");
  return sys::open_tree_clone(AT_FDCWD, device.path, Recursive::no);
}

Result<void> Rootfs::bind_device(const DeviceNode& device) {
  const UniqueFd tree = TRY(clone_host_device(device));
  const UniqueFd target = TRY(sys::make_file_in_root(root_.get(), device.path, 0644));
  return sys::attach_mount(tree.get(), target.get());
}

Result<void> Rootfs::make_device(const DeviceNode& device) {
  if (request_.inside_user_namespace && device.type != S_IFIFO) return bind_device(device);  // mknod is not for those
  const std::size_t slash = device.path.rfind('/');
  const std::string name = device.path.substr(slash + 1);
  if (!device_directory_ || device_directory_path_ != device.path.substr(0, slash)) {
    sys::ParentAndName at = TRY(sys::make_parent_in_root(root_.get(), device.path, 0755));
    device_directory_ = std::move(at.parent);
    device_directory_path_ = device.path.substr(0, slash);
  }
  const int directory = device_directory_.get();
  const dev_t number = device.type == S_IFIFO ? 0 : makedev(device.major, device.minor);
  const long r = sys::raw::call(SYS_mknodat, directory, name.c_str(), device.type | device.mode, number);
  if (r == -EPERM && device.type != S_IFIFO) return bind_device(device);  // we are in a user namespace ourselves
  if (r < 0 && r != -EEXIST) return failure(r, "mknod");
  if (r == 0 && device.uid == 0 && device.gid == 0 && !request_.outside) return ok();
  const UniqueFd node = TRY(sys::open_in_root(directory, name, O_PATH | O_NOFOLLOW, sys::Links::refuse));
  const struct stat st = TRY(sys::status_of(node.get()));
  if (r == -EEXIST) {
    if ((st.st_mode & S_IFMT) == device.type && st.st_rdev == number) return ok();
    return Error::of(Kind::conflict, "something else is there");
  }
  return own(node.get(), device.uid, device.gid);
}

// An image may have its own; what cannot be removed because of what is mounted there is what was asked for.
static Result<void> remove_ptmx(int dev) {
  const long r = sys::raw::call(SYS_unlinkat, dev, "ptmx", 0);
  if (r < 0 && r != -ENOENT && r != -EBUSY && r != -EROFS) return failure(r, "remove /dev/ptmx");
  return ok();
}

Result<void> Rootfs::make_links() {
  static constexpr const char* links[][2] = {{"/proc/self/fd", "fd"},
                                             {"/proc/self/fd/0", "stdin"},
                                             {"/proc/self/fd/1", "stdout"},
                                             {"/proc/self/fd/2", "stderr"},
                                             {"pts/ptmx", "ptmx"}};
  auto dev = sys::open_in_root(root_.get(), "/dev", O_PATH | O_DIRECTORY);
  if (!dev && dev.error().is(ENOENT)) return ok();  // no device was made there either
  if (!dev) return std::move(dev).error();
  for (const auto& link : links) {
    if (std::string_view(link[1]) == "ptmx") TRY(remove_ptmx(dev->get()));
    const long r = sys::raw::call(SYS_symlinkat, link[0], dev->get(), link[1]);
    if (r < 0 && r != -EEXIST) return failure(r, "symlink").during(std::string("/dev/") + link[1]);
  }
  return ok();
}

// Later the root cannot be written. What fails here is told when the process enters its directory.
void Rootfs::make_working_directory() {
  const std::string& cwd = request_.plan->process.cwd;
  if (!request_.plan->root.readonly || cwd == "/" || sys::open_in_root(root_.get(), cwd, O_PATH)) return;
  (void)sys::make_directories_in_root(root_.get(), cwd, 0755);
}

Result<void> Rootfs::restrict() {
  make_working_directory();
  for (const MountStep& step : request_.plan->mounts) {
    if (!step.read_only_last || (request_.outside && step.options.inside)) continue;
    const UniqueFd mounted = TRY(sys::open_in_root(root_.get(), step.target, O_PATH));
    TRY(sys::set_mount_attributes(mounted.get(), {.set = MOUNT_ATTR_RDONLY}, Recursive::no)
            .during("make read-only " + step.target));
  }
  for (const std::string& path : request_.plan->readonly_paths)
    TRY(make_read_only(path).during("make read-only " + path));
  for (const std::string& path : request_.plan->masked_paths) TRY(mask(path).during("mask " + path));
  if (request_.plan->root.readonly)
    TRY(sys::set_mount_attributes(root_.get(), {.set = MOUNT_ATTR_RDONLY}, Recursive::no)
            .during("make the root read-only"));
  return ok();
}

Result<void> Rootfs::make_read_only(const std::string& path) {
  auto there = sys::open_in_root(root_.get(), path, O_PATH);
  if (!there && (there.error().is(ENOENT) || there.error().is(ENOTDIR))) return ok();
  if (!there) return std::move(there).error();
  UniqueFd tree = TRY(sys::open_tree_clone(there->get(), "", Recursive::yes));
  TRY(sys::set_mount_attributes(tree.get(), {.set = MOUNT_ATTR_RDONLY}, Recursive::yes));
  TRY(sys::attach_mount(tree.get(), there->get()));
  spent_.add(std::move(tree));
  spent_.add(std::move(*there));
  return ok();
}

Result<UniqueFd> Rootfs::mask_directory() {
  if (empty_) return sys::open_tree_clone(empty_.get(), "", Recursive::no);
  static const sys::FilesystemOption options[] = {{"mode", "755", -1}, {"nr_inodes", "1", -1}};
  return sys::new_filesystem("tmpfs", options, 2,
                             MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
}

Result<void> Rootfs::mask(const std::string& path) {
  auto there = sys::open_in_root(root_.get(), path, O_PATH);
  if (!there && (there.error().is(ENOENT) || there.error().is(ENOTDIR))) return ok();
  if (!there) return std::move(there).error();
  const struct stat st = TRY(sys::status_of(there->get()));
  if (S_ISDIR(st.st_mode)) {
    UniqueFd tree = TRY(mask_directory());
    TRY(sys::attach_mount(tree.get(), there->get()));
    spent_.add(std::move(*there));
    spent_.add(std::exchange(empty_, std::move(tree)));
    return ok();
  }
  // The host's /dev/null, not the container's: that may be a link to anything. CVE-2025-31133
  UniqueFd null;
  if (null_)
    null = TRY(sys::open_tree_clone(null_.get(), "", Recursive::no));
  else
    null = TRY(clone_host_device({"/dev/null", S_IFCHR, 1, 3}));
  TRY(sys::attach_mount(null.get(), there->get()));
  spent_.add(std::move(*there));
  spent_.add(std::exchange(null_, std::move(null)));
  return ok();
}

namespace {

// Without pivot_root the host's mounts stay in this namespace, out of sight. A whole proc or sysfs among them would let
// the kernel give the container another one without our masks. source: mount_too_revealing() in fs/namespace.c; runc
Result<void> hide_kernel_views(const std::string& root) {
  const std::string text = TRY(sys::read_file("/proc/self/mountinfo"));
  std::string_view left = text;
  while (!left.empty()) {
    const std::string_view line = left.substr(0, left.find('\n'));
    left.remove_prefix(std::min(line.size() + 1, left.size()));
    std::string_view fields[5];
    std::size_t at = 0;
    for (std::string_view& field : fields) {
      const std::size_t end = std::min(line.find(' ', at), line.size());
      field = line.substr(at, end - at);
      at = std::min(end + 1, line.size());
    }
    const bool view = line.find(" - proc ", at) != line.npos || line.find(" - sysfs ", at) != line.npos;
    const std::string point(fields[4]);
    if (!view || fields[3] != "/" || point == root || point.starts_with(root + "/")) continue;
    TRY(sys::set_propagation(point, MS_SLAVE | MS_REC).during(point));
    if (sys::detach_mount(point)) continue;
    const UniqueFd there = TRY(sys::open_file(point, O_PATH | O_DIRECTORY));  // locked: covered instead
    TRY(sys::mount_filesystem(there.get(), "tmpfs", "tmpfs", MS_RDONLY, "").during(point));
  }
  return ok();
}

}  // namespace

Result<void> Rootfs::enter(Enter how) {
  if (how == Enter::move) TRY(hide_kernel_views(request_.plan->root.path).during("--no-pivot"));
  switch (how) {
    case Enter::pivot:
      return sys::pivot_to(root_.get());
    case Enter::move:
      return sys::move_root_to(root_.get());
    case Enter::chroot: {
      const UniqueFd root = TRY(sys::open_file(request_.plan->root.path, O_PATH | O_DIRECTORY));
      if (const long r = sys::raw::call(SYS_fchdir, root.get()); r < 0) return failure(r, "fchdir");
      if (const long r = sys::raw::call(SYS_chroot, "."); r < 0) return failure(r, "chroot");
      return ok();
    }
  }
  return Error::of(Kind::internal, "no such way to enter a root");
}

}  // namespace caisson::runtime

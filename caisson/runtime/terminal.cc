#include "caisson/runtime/terminal.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "caisson/sys/file.h"
#include "caisson/sys/mount.h"
#include "caisson/sys/path.h"
#include "caisson/sys/unix_socket.h"

namespace caisson::runtime {
namespace {

using sys::UniqueFd;
constexpr std::uint64_t devpts_magic = 0x1cd1;

Error failure(std::string_view what) { return Error::os(errno, what); }

}  // namespace

Result<Terminal> Terminal::open() {
  UniqueFd master = TRY(sys::open_file("/dev/ptmx", O_RDWR | O_NOCTTY));
  const struct stat st = TRY(sys::status_of(master.get()));
  const std::uint64_t magic = TRY(sys::filesystem_magic(master.get()));
  if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(5, 2) || magic != devpts_magic)
    return Error::of(Kind::invalid, "/dev/ptmx is not of the container's devpts");
  int unlocked = 0;
  if (::ioctl(master.get(), TIOCSPTLCK, &unlocked) < 0) return failure("unlock");
  // The slave by way of the master: its name may have been replaced.
  UniqueFd slave(::ioctl(master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!slave) return failure("open the terminal");
  return Terminal(std::move(master), std::move(slave));
}

Result<void> Terminal::resize(const oci::ConsoleSize& size) const {
  const winsize window{.ws_row = static_cast<unsigned short>(size.height),
                       .ws_col = static_cast<unsigned short>(size.width),
                       .ws_xpixel = 0,
                       .ws_ypixel = 0};
  if (::ioctl(master_.get(), TIOCSWINSZ, &window) < 0) return failure("set the window size");
  return ok();
}

Result<void> Terminal::bind_to_console() const {
  const UniqueFd root = TRY(sys::open_file("/", O_PATH | O_DIRECTORY));
  const sys::ParentAndName at = TRY(sys::make_parent_in_root(root.get(), "/dev/console", 0755));
  if (::mknodat(at.parent.get(), "console", S_IFREG | 0600, 0) < 0 && errno != EEXIST) return failure("/dev/console");
  const UniqueFd target = TRY(sys::open_in_root(at.parent.get(), "console", O_PATH | O_NOFOLLOW, sys::Links::refuse));
  const UniqueFd tree = TRY(sys::open_tree_clone(slave_.get(), "", sys::Recursive::no));
  return sys::attach_mount(tree.get(), target.get()).during("/dev/console");
}

Result<void> Terminal::send_master(int socket) const {
  if (socket < 0) return Error::of(Kind::invalid, "a terminal needs --console-socket");
  const int fds[] = {master_.get()};
  return sys::send_with_descriptors(socket, "/dev/ptmx", fds, 1);
}

Result<void> Terminal::become_stdio(std::uint32_t uid) const {
  if (::fchown(slave_.get(), uid, static_cast<gid_t>(-1)) < 0 && errno != EPERM && errno != EINVAL && errno != EROFS)
    return failure("chown the terminal");
  if (::ioctl(slave_.get(), TIOCSCTTY, 0) < 0) return failure("make it the controlling terminal");
  for (int fd = 0; fd < 3; ++fd)
    if (::dup2(slave_.get(), fd) < 0) return failure("dup2");
  return ok();
}

}  // namespace caisson::runtime

#include "caisson/sys/namespace.h"

#include <linux/nsfs.h>
#include <sched.h>
#include <sys/utsname.h>

#include <charconv>

#include "caisson/sys/file.h"
#include "caisson/sys/raw.h"

namespace caisson::sys {
namespace {

Result<UniqueFd> related(int fd, unsigned long request, std::string_view what) {
  const long r = raw::call(SYS_ioctl, fd, request);
  if (r < 0) return Error::os(static_cast<int>(-r), what);
  return UniqueFd(static_cast<int>(r));  // close-on-exec: nsfs opens it so
}

}  // namespace

std::uint64_t namespace_of_link(std::string_view link) {
  const std::size_t open = link.find('[');
  if (open == link.npos || !link.ends_with(']')) return 0;
  const std::string_view digits = link.substr(open + 1, link.size() - open - 2);
  std::uint64_t out = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
  return error == std::errc() && end == digits.data() + digits.size() ? out : 0;
}

Result<std::uint64_t> namespace_inode(int fd) {
  const struct stat status = TRY(status_of(fd));
  return static_cast<std::uint64_t>(status.st_ino);
}

Result<UniqueFd> parent_namespace(int fd) { return related(fd, NS_GET_PARENT, "NS_GET_PARENT"); }
Result<UniqueFd> owning_user_namespace(int fd) { return related(fd, NS_GET_USERNS, "NS_GET_USERNS"); }

Result<std::string> host_name_in(int uts, int home) {
  if (const long r = raw::call(SYS_setns, uts, CLONE_NEWUTS); r < 0) return Error::os(static_cast<int>(-r), "setns");
  struct utsname name = {};
  const long r = raw::call(SYS_uname, &name);
  (void)raw::call(SYS_setns, home, CLONE_NEWUTS);
  if (r < 0) return Error::os(static_cast<int>(-r), "uname");
  return std::string(name.nodename);
}

}  // namespace caisson::sys

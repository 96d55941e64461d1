// The xattr calls: trusted.overlay.* of the nest's own files, for its root, where the grant trusted-xattr is given.
// Layer: nest. Declared in handlers.h.
// SPDX-License-Identifier: Apache-2.0
//
// Overlay layers that were made on a host carry these attributes. All other names are the kernel's own business.
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/limits.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>

#include "caisson/nest/arguments.h"
#include "caisson/nest/handlers/handlers.h"

namespace caisson::nest {
namespace {

using seccomp::Answer;
using sys::UniqueFd;

// The file that argument 0 means, if the caller may have its trusted attributes: the nest's file, and its root.
Result<UniqueFd> own_file(const Call& trapped, Named named) {
  const Caller& caller = trapped.caller;
  const std::uint64_t user = TRY(caller.user_namespace());
  if (!caller.has(CAP_SYS_ADMIN) || user != trapped.nest.user_namespace) return Error::os(EPERM, "xattr");
  UniqueFd file;
  if (named == Named::by_descriptor) {
    if (trapped.number(0) < 0) return Error::os(EBADF, "xattr");
    file = TRY(caller.open("fd/" + std::to_string(trapped.number(0)), O_PATH));
  } else {
    const std::string path = TRY(caller.text(trapped.argument(0)));
    file = TRY(caller.resolve(AT_FDCWD, path, named == Named::link ? Caller::Last::keep : Caller::Last::follow));
  }
  struct stat status{};
  if (::fstat(file.get(), &status) < 0 || !trapped.nest.owns(status.st_uid)) return Error::os(EPERM, "xattr");
  return file;
}

// A path of ours for a file that is only held.
std::string path_of(const UniqueFd& file) { return "/proc/self/fd/" + std::to_string(file.get()); }

Result<std::string> overlay_name(const Call& trapped) {
  std::string name = TRY(trapped.caller.text(trapped.argument(1), XATTR_NAME_MAX + 1));
  if (!is_overlay_attribute(name)) return Error::os(EPERM, "xattr");
  return name;
}

// What was read, into the caller's buffer; a size of 0 only asks how much it is.
Answer give(const Call& trapped, const std::string& data, std::uint64_t address, std::uint64_t size) {
  if (size == 0) return Answer::success(static_cast<std::int64_t>(data.size()));
  if (data.size() > size) return Answer::fail(ERANGE);
  auto memory = trapped.caller.open("mem", O_RDWR);
  if (!memory || !trapped.begin(0)) return Answer::native();
  const ssize_t written = ::pwrite(memory->get(), data.data(), data.size(), static_cast<off_t>(address));
  if (written != static_cast<ssize_t>(data.size())) return Answer::fail(EFAULT);
  return Answer::success(written);
}

}  // namespace

template <Named named>
Answer handle_setxattr(Call& trapped) {
  auto name = overlay_name(trapped);
  const std::uint64_t size = trapped.argument(3);
  if (!name || size > XATTR_SIZE_MAX) return Answer::native();
  auto file = own_file(trapped, named);
  if (!file) return Answer::native();
  std::string value(size, '\0');
  if (size > 0) {
    auto got = seccomp::read_memory(trapped.caller.pid(), trapped.argument(2), value.data(), size);
    if (!got || *got != size) return Answer::fail(EFAULT);
  }
  const bool resumed = trapped.resumed();
  if (!trapped.begin(0)) return Answer::native();
  if (::setxattr(path_of(*file).c_str(), name->c_str(), value.data(), size, trapped.number(4)) == 0)
    return Answer::success();
  return resumed && errno == EEXIST ? Answer::success() : Answer::fail(errno);
}

template <Named named>
Answer handle_getxattr(Call& trapped) {
  auto name = overlay_name(trapped);
  if (!name) return Answer::native();
  auto file = own_file(trapped, named);
  if (!file) return Answer::native();
  std::string value(XATTR_SIZE_MAX, '\0');
  const ssize_t length = ::getxattr(path_of(*file).c_str(), name->c_str(), value.data(), value.size());
  if (length < 0) return Answer::fail(errno);
  value.resize(static_cast<std::size_t>(length));
  return give(trapped, value, trapped.argument(2), trapped.argument(3));
}

template <Named named>
Answer handle_removexattr(Call& trapped) {
  auto name = overlay_name(trapped);
  if (!name) return Answer::native();
  auto file = own_file(trapped, named);
  if (!file) return Answer::native();
  const bool resumed = trapped.resumed();
  if (!trapped.begin(0)) return Answer::native();
  if (::removexattr(path_of(*file).c_str(), name->c_str()) == 0) return Answer::success();
  return resumed && errno == ENODATA ? Answer::success() : Answer::fail(errno);
}

template <Named named>
Answer handle_listxattr(Call& trapped) {
  auto file = own_file(trapped, named);
  if (!file) return Answer::native();
  std::string names(XATTR_LIST_MAX, '\0');
  const ssize_t length = ::listxattr(path_of(*file).c_str(), names.data(), names.size());
  if (length < 0) return Answer::native();
  names.resize(static_cast<std::size_t>(length));
  return give(trapped, visible_attributes(names), trapped.argument(1), trapped.argument(2));
}

template Answer handle_setxattr<Named::by_path>(Call&);
template Answer handle_setxattr<Named::link>(Call&);
template Answer handle_setxattr<Named::by_descriptor>(Call&);
template Answer handle_getxattr<Named::by_path>(Call&);
template Answer handle_getxattr<Named::link>(Call&);
template Answer handle_getxattr<Named::by_descriptor>(Call&);
template Answer handle_removexattr<Named::by_path>(Call&);
template Answer handle_removexattr<Named::link>(Call&);
template Answer handle_removexattr<Named::by_descriptor>(Call&);
template Answer handle_listxattr<Named::by_path>(Call&);
template Answer handle_listxattr<Named::link>(Call&);
template Answer handle_listxattr<Named::by_descriptor>(Call&);

}  // namespace caisson::nest

#include "caisson/runtime/seal.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "caisson/sys/file.h"
#include "caisson/sys/mount.h"
#include "caisson/sys/raw.h"

namespace caisson::runtime {
namespace {

using sys::UniqueFd;
constexpr unsigned seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

bool is_sealed(const UniqueFd& self) {
  struct statvfs fs{};
  if (::fstatvfs(self.get(), &fs) == 0 && (fs.f_flag & ST_RDONLY) != 0) return true;
  const int have = ::fcntl(self.get(), F_GET_SEALS);
  return have >= 0 && (static_cast<unsigned>(have) & seals) == seals;
}

Result<UniqueFd> read_only_clone(const UniqueFd& self) {
  UniqueFd tree = TRY(sys::open_tree_clone(self.get(), "", sys::Recursive::no));
  TRY(sys::set_mount_attributes(tree.get(), {.set = MOUNT_ATTR_RDONLY}, sys::Recursive::no));
  return tree;
}

Result<UniqueFd> sealed_copy(const UniqueFd& self) {
  UniqueFd copy(::memfd_create("caisson-runtime", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!copy) return Error::os(errno, "memfd_create");
  for (;;) {
    const long n = sys::raw::call_retrying(SYS_sendfile, copy.get(), self.get(), nullptr, 1 << 30);
    if (n < 0) return Error::os(static_cast<int>(-n), "copy the executable");
    if (n == 0) break;
  }
  if (::fcntl(copy.get(), F_ADD_SEALS, seals) < 0) return Error::os(errno, "seal the copy");
  return copy;
}

}  // namespace

Result<void> seal_executable(char** argv) {
  const UniqueFd self = TRY(sys::open_file("/proc/self/exe", O_RDONLY));
  if (is_sealed(self)) return ok();
  auto safe = read_only_clone(self);
  if (!safe) safe = sealed_copy(self);
  if (!safe) return std::move(safe).error();
  // By this name whatever it was called by: `caisson runtime create` has "runtime" there.
  static char name[] = "caisson-runtime";
  argv[0] = name;
  const long r = sys::raw::call(SYS_execveat, safe->get(), "", argv, environ, AT_EMPTY_PATH);
  return Error::os(static_cast<int>(-r), "execveat").during("run the sealed executable");
}

}  // namespace caisson::runtime

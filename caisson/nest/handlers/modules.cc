// init_module, finit_module: a module that the host's kernel has counts as loaded. None is ever loaded.
// Layer: nest. Declared in handlers.h.
// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <climits>

#include "caisson/nest/arguments.h"
#include "caisson/nest/handlers/handlers.h"
#include "caisson/sys/file.h"
#include "caisson/sys/raw.h"

namespace caisson::nest {
namespace {

using seccomp::Answer;

constexpr std::size_t largest_image = 8U << 20;

// Loaded, or built in. source: the kernel's Documentation/kbuild, modules.builtin
bool host_has(const std::string& name) {
  if (name.empty()) return false;
  if (sys::exists("/sys/module/" + name)) return true;
  struct utsname kernel{};
  if (::uname(&kernel) < 0) return false;
  auto builtin = sys::read_file("/lib/modules/" + std::string(kernel.release) + "/modules.builtin");
  return builtin && lists_module(*builtin, name);
}

// All else is the kernel's to refuse: it loads nothing for a root that is not the host's.
Answer as_loaded(const Call& trapped, const std::string& name) {
  if (!trapped.caller.has(CAP_SYS_MODULE) || !host_has(name)) return Answer::native();
  return trapped.caller.is_waiting() ? Answer::success() : Answer::native();
}

}  // namespace

Answer handle_finit_module(Call& trapped) {
  const int number = trapped.number(0);
  char path[PATH_MAX];
  const std::string link = "/proc/" + std::to_string(trapped.caller.pid()) + "/fd/" + std::to_string(number);
  const ssize_t length = number < 0 ? -1 : ::readlink(link.c_str(), path, sizeof path);
  if (length < 0) return Answer::native();
  return as_loaded(trapped, module_of_path({path, static_cast<std::size_t>(length)}));
}

Answer handle_init_module(Call& trapped) {
  const std::uint64_t size = trapped.argument(1);
  if (size > largest_image) return Answer::native();
  std::string image(size, '\0');
  auto got = seccomp::read_memory(trapped.caller.pid(), trapped.argument(0), image.data(), image.size());
  if (!got) return Answer::native();
  image.resize(*got);
  return as_loaded(trapped, module_of_image(image));
}

}  // namespace caisson::nest

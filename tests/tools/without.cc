// Runs a command on a kernel that lacks some system calls: they give ENOSYS to it and to all that it starts.
// Layer: tests. Used by tests/runtime/without_test.py and by hand; needs CAP_SYS_ADMIN.
// SPDX-License-Identifier: Apache-2.0
//
//   without CALL[,CALL...] -- COMMAND [ARGUMENT...]
//
// Names are those of libseccomp. Exit status: that of the command; 125 when this program fails, 127 when it cannot
// execute.
#include <seccomp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

namespace {

int fail(const std::string& what, int code) {
  std::fprintf(stderr, "without: %s: %s\n", what.c_str(), std::strerror(code));
  return 125;
}

// No no_new_privs: the command must see what it always sees. The caller is root.
int take_away(const std::string& names) {
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
  if (filter == nullptr) return fail("seccomp_init", ENOMEM);
  if (const int r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0); r < 0) return fail("seccomp_attr_set", -r);
  for (std::size_t at = 0; at <= names.size();) {
    const std::size_t end = std::min(names.find(',', at), names.size());
    const std::string name = names.substr(at, end - at);
    at = end + 1;
    const int number = seccomp_syscall_resolve_name(name.c_str());
    if (number < 0) return fail(name + ": no such system call", EINVAL);
    if (const int r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), number, 0); r < 0) return fail(name, -r);
  }
  if (const int r = seccomp_load(filter); r < 0) return fail("seccomp_load", -r);
  seccomp_release(filter);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4 || std::strcmp(argv[2], "--") != 0) {
    std::fprintf(stderr, "usage: without CALL[,CALL...] -- COMMAND [ARGUMENT...]\n");
    return 125;
  }
  if (const int r = take_away(argv[1]); r != 0) return r;
  execvp(argv[3], argv + 3);
  fail(argv[3], errno);
  return 127;
}

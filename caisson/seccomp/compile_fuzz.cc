// Fuzz: no profile makes a program that the kernel's checker would refuse.
// Layer: seccomp tests. ./dev fuzz runs it.
// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "caisson/seccomp/compile.h"
#include "caisson/seccomp/interpreter.h"

namespace caisson::seccomp {
namespace {

class Bytes {
 public:
  Bytes(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
  std::uint8_t next() { return at_ < size_ ? data_[at_++] : 0; }
  bool done() const { return at_ >= size_; }

 private:
  const std::uint8_t* data_;
  std::size_t size_;
  std::size_t at_ = 0;
};

template <std::size_t n>
std::string pick(const char* const (&names)[n], std::uint8_t byte) {
  return names[byte % n];
}

constexpr const char* actions[] = {"SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO",  "SCMP_ACT_KILL", "SCMP_ACT_LOG",
                                   "SCMP_ACT_TRACE", "SCMP_ACT_NOTIFY", "nonsense"};
constexpr const char* operators[] = {"SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE",        "SCMP_CMP_EQ",
                                     "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ", "nonsense"};
constexpr const char* calls[] = {"read", "bind",  "semop",  "ioctl",    "clone3", "socketcall",
                                 "ipc",  "mseal", "accept", "nonsense", ""};
constexpr const char* machines[] = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_ARM", "nonsense"};

oci::Seccomp profile_from(Bytes bytes) {
  oci::Seccomp out;
  out.default_action = pick(actions, bytes.next());
  out.listener_path = "/agent";
  for (unsigned i = bytes.next() % 4; i > 0; --i) out.architectures.push_back(pick(machines, bytes.next()));
  while (!bytes.done()) {
    oci::SyscallRule rule;
    rule.action = pick(actions, bytes.next());
    for (unsigned i = bytes.next() % 4; i > 0; --i) rule.names.push_back(pick(calls, bytes.next()));
    for (unsigned i = bytes.next() % 4; i > 0; --i) {
      const std::uint32_t index = bytes.next() % 7;
      const std::uint64_t value = static_cast<std::uint64_t>(bytes.next()) << (bytes.next() % 57);
      rule.args.push_back({index, value, bytes.next(), pick(operators, bytes.next())});
    }
    out.syscalls.push_back(std::move(rule));
  }
  return out;
}

}  // namespace
}  // namespace caisson::seccomp

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace seccomp = caisson::seccomp;
  auto program = seccomp::compile(seccomp::profile_from({data, size}));
  if (!program) return 0;
  for (std::uint32_t arch : {0xc000003eU, 0x40000003U, 0xc00000b7U}) {
    for (int number : {0, 3, 16, 65, 102, 117, 435, 462, 1000, 0x40000000, 0x40000200, -1}) {
      seccomp_data call{};
      call.arch = arch;
      call.nr = number;
      call.args[0] = size;
      if (!seccomp::run_filter(program->filter, call)) std::abort();
    }
  }
  return 0;
}

#include "caisson/seccomp/syscall_table.h"

#include <linux/audit.h>
#include <seccomp.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace caisson::seccomp {
namespace {

#if defined(__x86_64__)
constexpr Abi abis[] = {
    {"SCMP_ARCH_X86_64", SCMP_ARCH_X86_64, AUDIT_ARCH_X86_64, Width::wide},
    {"SCMP_ARCH_X86", SCMP_ARCH_X86, AUDIT_ARCH_I386, Width::narrow},
    {"SCMP_ARCH_X32", SCMP_ARCH_X32, AUDIT_ARCH_X86_64, Width::narrow},
};
#elif defined(__aarch64__)
constexpr Abi abis[] = {
    {"SCMP_ARCH_AARCH64", SCMP_ARCH_AARCH64, AUDIT_ARCH_AARCH64, Width::wide},
    {"SCMP_ARCH_ARM", SCMP_ARCH_ARM, AUDIT_ARCH_ARM, Width::narrow},
};
#else
#error "add this machine's ABIs to the table"
#endif

constexpr std::string_view architectures[] = {
    "SCMP_ARCH_NATIVE",      "SCMP_ARCH_X86",         "SCMP_ARCH_X86_64", "SCMP_ARCH_X32",       "SCMP_ARCH_ARM",
    "SCMP_ARCH_AARCH64",     "SCMP_ARCH_MIPS",        "SCMP_ARCH_MIPS64", "SCMP_ARCH_MIPS64N32", "SCMP_ARCH_MIPSEL",
    "SCMP_ARCH_MIPSEL64",    "SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PPC",    "SCMP_ARCH_PPC64",     "SCMP_ARCH_PPC64LE",
    "SCMP_ARCH_S390",        "SCMP_ARCH_S390X",       "SCMP_ARCH_PARISC", "SCMP_ARCH_PARISC64",  "SCMP_ARCH_RISCV64",
    "SCMP_ARCH_LOONGARCH64", "SCMP_ARCH_M68K",        "SCMP_ARCH_SH",     "SCMP_ARCH_SHEB",
};

struct Numbered {
  std::string_view name;
  int number;
};

// Calls newer than the libseccomp of Debian 12. Since 5.1 a call has one number everywhere.
// source: linux/scripts/syscall.tbl
constexpr Numbered newer[] = {
    {"cachestat", 451},         {"fchmodat2", 452},         {"map_shadow_stack", 453}, {"futex_wake", 454},
    {"futex_wait", 455},        {"futex_requeue", 456},     {"statmount", 457},        {"listmount", 458},
    {"lsm_get_self_attr", 459}, {"lsm_set_self_attr", 460}, {"lsm_list_modules", 461}, {"mseal", 462},
    {"setxattrat", 463},        {"getxattrat", 464},        {"listxattrat", 465},      {"removexattrat", 466},
    {"open_tree_attr", 467},    {"file_getattr", 468},      {"file_setattr", 469},
};
constexpr int x32_bit = 0x40000000;  // __X32_SYSCALL_BIT of <asm/unistd.h>

struct Multiplexed {
  std::string_view name;
  int own;  // -1: reached through the multiplexer only
  int multiplexer;
  std::uint32_t selector;
};

constexpr int socketcall = 102;
constexpr int ipc = 117;
// source: linux/arch/x86/entry/syscalls/syscall_32.tbl, include/uapi/linux/net.h, include/uapi/linux/ipc.h
constexpr Multiplexed multiplexed[] = {
    {"socket", 359, socketcall, 1},
    {"bind", 361, socketcall, 2},
    {"connect", 362, socketcall, 3},
    {"listen", 363, socketcall, 4},
    {"accept", -1, socketcall, 5},
    {"getsockname", 367, socketcall, 6},
    {"getpeername", 368, socketcall, 7},
    {"socketpair", 360, socketcall, 8},
    {"send", -1, socketcall, 9},
    {"recv", -1, socketcall, 10},
    {"sendto", 369, socketcall, 11},
    {"recvfrom", 371, socketcall, 12},
    {"shutdown", 373, socketcall, 13},
    {"setsockopt", 366, socketcall, 14},
    {"getsockopt", 365, socketcall, 15},
    {"sendmsg", 370, socketcall, 16},
    {"recvmsg", 372, socketcall, 17},
    {"accept4", 364, socketcall, 18},
    {"recvmmsg", 337, socketcall, 19},
    {"sendmmsg", 345, socketcall, 20},
    {"semop", -1, ipc, 1},
    {"semget", 393, ipc, 2},
    {"semctl", 394, ipc, 3},
    {"semtimedop", -1, ipc, 4},
    {"msgsnd", 400, ipc, 11},
    {"msgrcv", 401, ipc, 12},
    {"msgget", 399, ipc, 13},
    {"msgctl", 402, ipc, 14},
    {"shmat", 397, ipc, 21},
    {"shmdt", 398, ipc, 22},
    {"shmget", 395, ipc, 23},
    {"shmctl", 396, ipc, 24},
};

}  // namespace

std::span<const Abi> machine_abis() { return abis; }

bool is_architecture(const std::string& name) {
  return std::ranges::find(architectures, name) != std::end(architectures);
}

std::optional<Entry> find_call(const Abi& abi, const std::string& name) {
  if (abi.token == SCMP_ARCH_X86) {
    const auto* found = std::ranges::find(multiplexed, name, &Multiplexed::name);
    if (found != std::end(multiplexed)) return Entry{found->own, found->multiplexer, found->selector};
  }
  // Negative: libseccomp's mark for a call that this ABI does not have.
  if (const int number = seccomp_syscall_resolve_name_arch(abi.token, name.c_str()); number >= 0) return Entry{number};
  const auto* found = std::ranges::find(newer, name, &Numbered::name);
  if (found == std::end(newer)) return std::nullopt;
  return Entry{abi.token == SCMP_ARCH_X32 ? found->number | x32_bit : found->number};
}

}  // namespace caisson::seccomp

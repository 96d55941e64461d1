// Names that config.json and the command line use for the kernel's numbers: one table each, both ways.
// Layer: oci (pure). Used by runtime, seccomp, nest and the `features` document.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/oci/kernel_names.h"

#include <linux/capability.h>
#include <linux/mempolicy.h>
#include <linux/sched.h>
#include <sys/personality.h>
#include <sys/resource.h>

#include <charconv>
#include <csignal>

namespace caisson::oci {
namespace {

constexpr Name kCapabilities[] = {
    {"CAP_CHOWN", CAP_CHOWN},
    {"CAP_DAC_OVERRIDE", CAP_DAC_OVERRIDE},
    {"CAP_DAC_READ_SEARCH", CAP_DAC_READ_SEARCH},
    {"CAP_FOWNER", CAP_FOWNER},
    {"CAP_FSETID", CAP_FSETID},
    {"CAP_KILL", CAP_KILL},
    {"CAP_SETGID", CAP_SETGID},
    {"CAP_SETUID", CAP_SETUID},
    {"CAP_SETPCAP", CAP_SETPCAP},
    {"CAP_LINUX_IMMUTABLE", CAP_LINUX_IMMUTABLE},
    {"CAP_NET_BIND_SERVICE", CAP_NET_BIND_SERVICE},
    {"CAP_NET_BROADCAST", CAP_NET_BROADCAST},
    {"CAP_NET_ADMIN", CAP_NET_ADMIN},
    {"CAP_NET_RAW", CAP_NET_RAW},
    {"CAP_IPC_LOCK", CAP_IPC_LOCK},
    {"CAP_IPC_OWNER", CAP_IPC_OWNER},
    {"CAP_SYS_MODULE", CAP_SYS_MODULE},
    {"CAP_SYS_RAWIO", CAP_SYS_RAWIO},
    {"CAP_SYS_CHROOT", CAP_SYS_CHROOT},
    {"CAP_SYS_PTRACE", CAP_SYS_PTRACE},
    {"CAP_SYS_PACCT", CAP_SYS_PACCT},
    {"CAP_SYS_ADMIN", CAP_SYS_ADMIN},
    {"CAP_SYS_BOOT", CAP_SYS_BOOT},
    {"CAP_SYS_NICE", CAP_SYS_NICE},
    {"CAP_SYS_RESOURCE", CAP_SYS_RESOURCE},
    {"CAP_SYS_TIME", CAP_SYS_TIME},
    {"CAP_SYS_TTY_CONFIG", CAP_SYS_TTY_CONFIG},
    {"CAP_MKNOD", CAP_MKNOD},
    {"CAP_LEASE", CAP_LEASE},
    {"CAP_AUDIT_WRITE", CAP_AUDIT_WRITE},
    {"CAP_AUDIT_CONTROL", CAP_AUDIT_CONTROL},
    {"CAP_SETFCAP", CAP_SETFCAP},
    {"CAP_MAC_OVERRIDE", CAP_MAC_OVERRIDE},
    {"CAP_MAC_ADMIN", CAP_MAC_ADMIN},
    {"CAP_SYSLOG", CAP_SYSLOG},
    {"CAP_WAKE_ALARM", CAP_WAKE_ALARM},
    {"CAP_BLOCK_SUSPEND", CAP_BLOCK_SUSPEND},
    {"CAP_AUDIT_READ", CAP_AUDIT_READ},
    {"CAP_PERFMON", CAP_PERFMON},
    {"CAP_BPF", CAP_BPF},
    {"CAP_CHECKPOINT_RESTORE", CAP_CHECKPOINT_RESTORE},
};

constexpr Name kRlimits[] = {
    {"RLIMIT_CPU", RLIMIT_CPU},           {"RLIMIT_FSIZE", RLIMIT_FSIZE},
    {"RLIMIT_DATA", RLIMIT_DATA},         {"RLIMIT_STACK", RLIMIT_STACK},
    {"RLIMIT_CORE", RLIMIT_CORE},         {"RLIMIT_RSS", RLIMIT_RSS},
    {"RLIMIT_NPROC", RLIMIT_NPROC},       {"RLIMIT_NOFILE", RLIMIT_NOFILE},
    {"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},   {"RLIMIT_AS", RLIMIT_AS},
    {"RLIMIT_LOCKS", RLIMIT_LOCKS},       {"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
    {"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE}, {"RLIMIT_NICE", RLIMIT_NICE},
    {"RLIMIT_RTPRIO", RLIMIT_RTPRIO},     {"RLIMIT_RTTIME", RLIMIT_RTTIME},
};

// In the order of enum NamespaceType, which name_of and clone_flag rely on.
constexpr Name kNamespaces[] = {
    {"mount", CLONE_NEWNS}, {"pid", CLONE_NEWPID},   {"network", CLONE_NEWNET},   {"uts", CLONE_NEWUTS},
    {"ipc", CLONE_NEWIPC},  {"user", CLONE_NEWUSER}, {"cgroup", CLONE_NEWCGROUP}, {"time", CLONE_NEWTIME},
};

constexpr std::uint64_t kSchedIso = 4;  // SCHED_ISO: reserved in the kernel, never implemented
constexpr Name kSchedulerPolicies[] = {
    {"SCHED_OTHER", SCHED_NORMAL},      {"SCHED_FIFO", SCHED_FIFO}, {"SCHED_RR", SCHED_RR},
    {"SCHED_BATCH", SCHED_BATCH},       {"SCHED_ISO", kSchedIso},   {"SCHED_IDLE", SCHED_IDLE},
    {"SCHED_DEADLINE", SCHED_DEADLINE},
};
constexpr Name kSchedulerFlags[] = {
    {"SCHED_FLAG_RESET_ON_FORK", SCHED_FLAG_RESET_ON_FORK},   {"SCHED_FLAG_RECLAIM", SCHED_FLAG_RECLAIM},
    {"SCHED_FLAG_DL_OVERRUN", SCHED_FLAG_DL_OVERRUN},         {"SCHED_FLAG_KEEP_POLICY", SCHED_FLAG_KEEP_POLICY},
    {"SCHED_FLAG_KEEP_PARAMS", SCHED_FLAG_KEEP_PARAMS},       {"SCHED_FLAG_UTIL_CLAMP_MIN", SCHED_FLAG_UTIL_CLAMP_MIN},
    {"SCHED_FLAG_UTIL_CLAMP_MAX", SCHED_FLAG_UTIL_CLAMP_MAX},
};
// The enum of linux/ioprio.h, which C++ cannot include (it has a parameter called `class`).
constexpr Name kIoClasses[] = {{"IOPRIO_CLASS_RT", 1}, {"IOPRIO_CLASS_BE", 2}, {"IOPRIO_CLASS_IDLE", 3}};
constexpr Name kPersonalities[] = {{"LINUX", PER_LINUX}, {"LINUX32", PER_LINUX32}};

constexpr std::uint64_t kWeightedInterleave = 6;  // MPOL_WEIGHTED_INTERLEAVE, Linux 6.9
constexpr Name kMemoryPolicies[] = {
    {"MPOL_DEFAULT", MPOL_DEFAULT},
    {"MPOL_PREFERRED", MPOL_PREFERRED},
    {"MPOL_BIND", MPOL_BIND},
    {"MPOL_INTERLEAVE", MPOL_INTERLEAVE},
    {"MPOL_LOCAL", MPOL_LOCAL},
    {"MPOL_PREFERRED_MANY", MPOL_PREFERRED_MANY},
    {"MPOL_WEIGHTED_INTERLEAVE", kWeightedInterleave},
};
constexpr Name kMemoryPolicyFlags[] = {
    {"MPOL_F_STATIC_NODES", MPOL_F_STATIC_NODES},
    {"MPOL_F_RELATIVE_NODES", MPOL_F_RELATIVE_NODES},
    {"MPOL_F_NUMA_BALANCING", MPOL_F_NUMA_BALANCING},
};

constexpr Name kSignals[] = {
    {"HUP", SIGHUP},   {"INT", SIGINT},       {"QUIT", SIGQUIT},     {"ILL", SIGILL},   {"TRAP", SIGTRAP},
    {"ABRT", SIGABRT}, {"IOT", SIGIOT},       {"BUS", SIGBUS},       {"FPE", SIGFPE},   {"KILL", SIGKILL},
    {"USR1", SIGUSR1}, {"SEGV", SIGSEGV},     {"USR2", SIGUSR2},     {"PIPE", SIGPIPE}, {"ALRM", SIGALRM},
    {"TERM", SIGTERM}, {"STKFLT", SIGSTKFLT}, {"CHLD", SIGCHLD},     {"CLD", SIGCHLD},  {"CONT", SIGCONT},
    {"STOP", SIGSTOP}, {"TSTP", SIGTSTP},     {"TTIN", SIGTTIN},     {"TTOU", SIGTTOU}, {"URG", SIGURG},
    {"XCPU", SIGXCPU}, {"XFSZ", SIGXFSZ},     {"VTALRM", SIGVTALRM}, {"PROF", SIGPROF}, {"WINCH", SIGWINCH},
    {"IO", SIGIO},     {"POLL", SIGPOLL},     {"PWR", SIGPWR},       {"SYS", SIGSYS},
};
constexpr int kRtMin = 34;  // as glibc and every engine count them; the kernel's 32 and 33 belong to the C library
constexpr int kRtMax = 64;

constexpr std::string_view kSeccompActions[] = {
    "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO",  "SCMP_ACT_KILL",  "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD",
    "SCMP_ACT_LOG",   "SCMP_ACT_NOTIFY", "SCMP_ACT_TRACE", "SCMP_ACT_TRAP",
};
constexpr std::string_view kSeccompOperators[] = {
    "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_LE", "SCMP_CMP_LT", "SCMP_CMP_MASKED_EQ", "SCMP_CMP_NE",
};
constexpr std::string_view kSeccompArchitectures[] = {
    "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM",      "SCMP_ARCH_MIPS",        "SCMP_ARCH_MIPS64", "SCMP_ARCH_MIPS64N32",
    "SCMP_ARCH_MIPSEL",  "SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PPC",    "SCMP_ARCH_PPC64",
    "SCMP_ARCH_PPC64LE", "SCMP_ARCH_RISCV64",  "SCMP_ARCH_S390",        "SCMP_ARCH_S390X",  "SCMP_ARCH_X32",
    "SCMP_ARCH_X86",     "SCMP_ARCH_X86_64",
};
constexpr std::string_view kSeccompFlags[] = {
    "SECCOMP_FILTER_FLAG_LOG",
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
    "SECCOMP_FILTER_FLAG_TSYNC",
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
};

// Upper case without locale; nothing that is longer than the longest name can be one.
struct Upper {
  explicit Upper(std::string_view text) : size(text.size() <= sizeof(chars) ? text.size() : 0) {
    for (std::size_t i = 0; i < size; ++i) {
      char c = text[i];
      chars[i] = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    }
  }
  std::string_view view() const { return {chars, size}; }
  char chars[32];
  std::size_t size;
};

// All of `text` as a decimal number.
std::optional<int> decimal(std::string_view text) {
  int number = 0;
  auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return number;
}

std::optional<int> as_int(std::optional<std::uint64_t> number) {
  if (!number) return std::nullopt;
  return static_cast<int>(*number);
}

// "RTMIN", "RTMIN+2", "RTMAX-1".
std::optional<int> realtime_signal(std::string_view name) {
  bool from_min = name.starts_with("RTMIN");
  if (!from_min && !name.starts_with("RTMAX")) return std::nullopt;
  name.remove_prefix(5);
  if (name.empty()) return from_min ? kRtMin : kRtMax;
  if (name.size() < 2 || name[0] != (from_min ? '+' : '-')) return std::nullopt;
  std::optional<int> offset = decimal(name.substr(1));
  if (!offset || *offset < 0 || *offset > kRtMax - kRtMin) return std::nullopt;
  return from_min ? kRtMin + *offset : kRtMax - *offset;
}

}  // namespace

std::span<const Name> capabilities() { return kCapabilities; }
std::span<const Name> rlimits() { return kRlimits; }
std::span<const Name> namespaces() { return kNamespaces; }
std::span<const Name> scheduler_policies() { return kSchedulerPolicies; }
std::span<const Name> scheduler_flags() { return kSchedulerFlags; }
std::span<const Name> io_classes() { return kIoClasses; }
std::span<const Name> personalities() { return kPersonalities; }
std::span<const Name> memory_policies() { return kMemoryPolicies; }
std::span<const Name> memory_policy_flags() { return kMemoryPolicyFlags; }
std::span<const std::string_view> seccomp_actions() { return kSeccompActions; }
std::span<const std::string_view> seccomp_operators() { return kSeccompOperators; }
std::span<const std::string_view> seccomp_architectures() { return kSeccompArchitectures; }
std::span<const std::string_view> seccomp_flags() { return kSeccompFlags; }

std::optional<std::uint64_t> number_of(std::span<const Name> table, std::string_view text) {
  for (const Name& name : table) {
    if (name.text == text) return name.number;
  }
  return std::nullopt;
}

std::string_view text_of(std::span<const Name> table, std::uint64_t number) {
  for (const Name& name : table) {
    if (name.number == number) return name.text;
  }
  return {};
}

std::optional<int> capability(std::string_view name) {
  Upper upper(name);
  std::string_view text = upper.view();
  if (text.starts_with("CAP_")) text.remove_prefix(4);
  for (const Name& row : kCapabilities) {
    if (row.text.substr(4) == text) return static_cast<int>(row.number);
  }
  return std::nullopt;
}

std::optional<int> rlimit(std::string_view name) { return as_int(number_of(kRlimits, name)); }

std::string_view name_of(NamespaceType type) { return kNamespaces[static_cast<std::size_t>(type)].text; }

std::optional<NamespaceType> namespace_type(std::string_view name) {
  for (std::size_t i = 0; i < std::size(kNamespaces); ++i) {
    if (kNamespaces[i].text == name) return static_cast<NamespaceType>(i);
  }
  return std::nullopt;
}

std::uint64_t clone_flag(NamespaceType type) { return kNamespaces[static_cast<std::size_t>(type)].number; }

std::string_view proc_ns_name(NamespaceType type) {
  switch (type) {
    case NamespaceType::mount:
      return "mnt";
    case NamespaceType::network:
      return "net";
    default:
      return name_of(type);
  }
}

std::optional<int> signal_number(std::string_view name) {
  if (std::optional<int> number = decimal(name)) {
    if (*number < 0 || *number > kRtMax) return std::nullopt;
    return number;
  }
  Upper upper(name);
  std::string_view text = upper.view();
  if (text.starts_with("SIG")) text.remove_prefix(3);
  if (std::optional<std::uint64_t> number = number_of(kSignals, text)) return static_cast<int>(*number);
  return realtime_signal(text);
}

}  // namespace caisson::oci

// Laws of the compiled filters, proved by running them in an interpreter.
// Layer: seccomp tests.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/seccomp/compile.h"

#include <gtest/gtest.h>
#include <linux/audit.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <csignal>
#include <ctime>
#include <map>

#include "caisson/seccomp/docker_profile.h"
#include "caisson/seccomp/interpreter.h"

namespace caisson::seccomp {
namespace {

constexpr std::uint32_t allowed = SECCOMP_RET_ALLOW;
constexpr std::uint32_t x32 = 0x40000000;
std::uint32_t refused(int error) { return SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error); }

using Args = std::vector<std::uint64_t>;

std::uint32_t verdict(const Program& program, std::uint32_t arch, std::uint32_t number, const Args& args = {}) {
  seccomp_data data{};
  data.arch = arch;
  data.nr = static_cast<int>(number);
  for (std::size_t i = 0; i < args.size(); ++i) data.args[i] = args[i];
  return run_filter(program.filter, data).value_or(0xdeadbeef);
}

std::uint32_t native(const Program& program, long number, const Args& args = {}) {
  return verdict(program, AUDIT_ARCH_X86_64, static_cast<std::uint32_t>(number), args);
}

Program compiled(const oci::Seccomp& profile) {
  auto program = compile(profile);
  EXPECT_TRUE(program) << (program ? "" : program.error().message());
  return program ? *std::move(program) : Program{};
}

std::string error_of(const oci::Seccomp& profile) {
  auto program = compile(profile);
  return program ? "no error" : program.error().message();
}

oci::Seccomp one_rule(oci::SyscallRule rule) {
  oci::Seccomp out;
  out.default_action = "SCMP_ACT_ALLOW";
  out.syscalls.push_back(std::move(rule));
  return out;
}

TEST(DockerProfile, AllowsWhatProgramsNeedAndRefusesTheRest) {
  const Program p = compiled(docker_profile({}));
  for (long call : {SYS_read, SYS_write, SYS_execve, SYS_openat, SYS_futex, SYS_ptrace})
    EXPECT_EQ(native(p, call), allowed) << call;
  for (long call : {SYS_mount, SYS_bpf, SYS_keyctl, SYS_reboot, SYS_unshare, SYS_setns, SYS_userfaultfd,
                    SYS_io_uring_setup, SYS_init_module, SYS_perf_event_open})
    EXPECT_EQ(native(p, call), refused(EPERM)) << call;
}

TEST(DockerProfile, RefusesCloneWithNamespacesAndHidesClone3) {
  const Program p = compiled(docker_profile({}));
  EXPECT_EQ(native(p, SYS_clone, {SIGCHLD}), allowed);
  EXPECT_EQ(native(p, SYS_clone, {CLONE_NEWUSER | SIGCHLD}), refused(EPERM));
  EXPECT_EQ(native(p, SYS_clone3), refused(ENOSYS));
}

TEST(DockerProfile, OpensUpWithCapabilities) {
  const Program p = compiled(docker_profile({"CAP_SYS_ADMIN"}));
  EXPECT_EQ(native(p, SYS_mount), allowed);
  EXPECT_EQ(native(p, SYS_clone, {CLONE_NEWUSER}), allowed);
  EXPECT_EQ(native(p, SYS_reboot), refused(EPERM));
}

TEST(DockerProfile, SaysNoSuchCallForCallsNewerThanItKnows) {
  const Program p = compiled(docker_profile({}));
  EXPECT_EQ(native(p, 1000), refused(ENOSYS));
  EXPECT_EQ(verdict(p, AUDIT_ARCH_I386, 1000), refused(ENOSYS));
  EXPECT_EQ(native(p, x32 + 1000), refused(ENOSYS));
}

TEST(DockerProfile, GuardsThe32BitEntriesToo) {
  const Program p = compiled(docker_profile({}));
  EXPECT_EQ(verdict(p, AUDIT_ARCH_I386, 3), allowed);          // read
  EXPECT_EQ(verdict(p, AUDIT_ARCH_I386, 21), refused(EPERM));  // mount
  EXPECT_EQ(verdict(p, AUDIT_ARCH_I386, 102, {1}), allowed);   // socketcall
  EXPECT_EQ(native(p, x32 + 0), allowed);                      // read
  EXPECT_EQ(native(p, x32 + 165), refused(EPERM));             // mount
  EXPECT_EQ(verdict(p, AUDIT_ARCH_AARCH64, 63), SECCOMP_RET_KILL_THREAD);
}

TEST(DockerProfile, ChecksTheAddressFamilyOfSocket) {
  const Program p = compiled(docker_profile({}));
  EXPECT_EQ(native(p, SYS_socket, {AF_INET}), allowed);
  EXPECT_EQ(native(p, SYS_socket, {39}), allowed);
  EXPECT_EQ(native(p, SYS_socket, {AF_ALG}), refused(EPERM));
  EXPECT_EQ(native(p, SYS_socket, {AF_VSOCK}), refused(EPERM));
}

// libseccomp builds its own filter from the same rules; every verdict must be the same.
void expect_same_as_libseccomp(const oci::Seccomp& profile) {
  const Program ours = compiled(profile);
  scmp_filter_ctx context = seccomp_init(SCMP_ACT_ERRNO(EPERM));
  seccomp_arch_add(context, SCMP_ARCH_X86);
  seccomp_arch_add(context, SCMP_ARCH_X32);
  const std::map<std::string, scmp_compare> operators{{"SCMP_CMP_EQ", SCMP_CMP_EQ},
                                                      {"SCMP_CMP_LT", SCMP_CMP_LT},
                                                      {"SCMP_CMP_GT", SCMP_CMP_GT},
                                                      {"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ}};
  for (const oci::SyscallRule& rule : profile.syscalls) {
    const std::uint32_t action =
        rule.action == "SCMP_ACT_ALLOW" ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(rule.errno_ret.value_or(EPERM));
    std::vector<scmp_arg_cmp> args;
    for (const oci::SyscallArg& a : rule.args) args.push_back({a.index, operators.at(a.op), a.value, a.value_two});
    for (const std::string& name : rule.names)
      if (const int number = seccomp_syscall_resolve_name(name.c_str()); number != __NR_SCMP_ERROR)
        seccomp_rule_add_array(context, action, number, static_cast<unsigned>(args.size()), args.data());
  }
  const sys::UniqueFd memory(static_cast<int>(::syscall(SYS_memfd_create, "filter", 1U)));
  ASSERT_EQ(seccomp_export_bpf(context, memory.get()), 0);
  seccomp_release(context);
  ::lseek(memory.get(), 0, SEEK_SET);
  auto bytes = sys::read_all(memory.get());
  ASSERT_TRUE(bytes);
  Program theirs;
  theirs.filter.resize(bytes->size() / sizeof(sock_filter));
  std::memcpy(theirs.filter.data(), bytes->data(), bytes->size());

  const std::uint64_t values[] = {0, 1, 8, 37, 38, 39, 40, 41, 131072, CLONE_NEWUSER, 0xffffffff, 0x100000000, ~0ULL};
  for (std::uint32_t number = 0; number <= 450; ++number) {
    for (std::uint64_t value : values) {
      const Args args{value, value};
      EXPECT_EQ(native(ours, number, args), native(theirs, number, args)) << number << " " << value;
      if (value > 0xffffffff) continue;
      EXPECT_EQ(native(ours, number + x32, args), native(theirs, number + x32, args))
          << "x32 " << number << " " << value;
      EXPECT_EQ(verdict(ours, AUDIT_ARCH_I386, number, args), verdict(theirs, AUDIT_ARCH_I386, number, args))
          << "x86 " << number << " " << value;
    }
  }
  EXPECT_LT(ours.filter.size(), theirs.filter.size());
}

TEST(DockerProfile, GivesTheVerdictsOfLibseccompsOwnFilter) {
  expect_same_as_libseccomp(docker_profile({}));
  expect_same_as_libseccomp(docker_profile({"CAP_SYS_ADMIN", "CAP_SYS_CHROOT"}));
}

TEST(DockerProfile, CompilesInUnderFourMilliseconds) {
  const oci::Seccomp profile = docker_profile({});
  double best = 1e9;
  for (int i = 0; i < 5; ++i) {
    timespec from{};
    timespec to{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
    const Program p = compiled(profile);
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
    best = std::min(best, static_cast<double>(to.tv_sec - from.tv_sec) * 1e3 +
                              static_cast<double>(to.tv_nsec - from.tv_nsec) / 1e6);
  }
#if defined(__SANITIZE_ADDRESS__)
  EXPECT_LT(best, 40);
#else
  EXPECT_LT(best, 4);
#endif
  RecordProperty("milliseconds", std::to_string(best));
}

TEST(Compile, ComparesWithEveryOperatorOverAll64Bits) {
  struct Case {
    const char* op;
    std::uint64_t value, two;
    std::vector<std::uint64_t> yes, no;
  };
  const std::uint64_t big = 0x500000003;
  for (const Case& c :
       {Case{"SCMP_CMP_EQ", big, 0, {big}, {3, big + 1, 0x600000003}},
        Case{"SCMP_CMP_NE", big, 0, {3, big + 1, 0x600000003}, {big}},
        Case{"SCMP_CMP_GT", big, 0, {big + 1, 0x600000000}, {big, big - 1, 0x4ffffffff}},
        Case{"SCMP_CMP_GE", big, 0, {big, big + 1, 0x600000000}, {big - 1, 0x4ffffffff}},
        Case{"SCMP_CMP_LT", big, 0, {big - 1, 0x4ffffffff, 0}, {big, big + 1, 0x600000000}},
        Case{"SCMP_CMP_LE", big, 0, {big, big - 1, 0x4ffffffff}, {big + 1, 0x600000000}},
        Case{"SCMP_CMP_MASKED_EQ", 0xf0000000f, 0x500000003, {big, big + 0x10}, {3, big + 1, 0x600000003}}}) {
    const Program p = compiled(one_rule({{"getpid"}, "SCMP_ACT_ERRNO", 7, {{0, c.value, c.two, c.op}}}));
    for (std::uint64_t value : c.yes) EXPECT_EQ(native(p, SYS_getpid, {value}), refused(7)) << c.op << " " << value;
    for (std::uint64_t value : c.no) EXPECT_EQ(native(p, SYS_getpid, {value}), allowed) << c.op << " " << value;
  }
}

TEST(Compile, AllConditionsOfARuleMustHold) {
  const Program p =
      compiled(one_rule({{"ioctl"}, "SCMP_ACT_ERRNO", 7, {{0, 1, 0, "SCMP_CMP_EQ"}, {1, 2, 0, "SCMP_CMP_EQ"}}}));
  EXPECT_EQ(native(p, SYS_ioctl, {1, 2}), refused(7));
  EXPECT_EQ(native(p, SYS_ioctl, {1, 3}), allowed);
  EXPECT_EQ(native(p, SYS_ioctl, {0, 2}), allowed);
}

TEST(Compile, TwoConditionsOnOneArgumentAreTwoRules) {
  const Program p =
      compiled(one_rule({{"ioctl"}, "SCMP_ACT_ERRNO", 7, {{0, 1, 0, "SCMP_CMP_EQ"}, {0, 2, 0, "SCMP_CMP_EQ"}}}));
  EXPECT_EQ(native(p, SYS_ioctl, {1}), refused(7));
  EXPECT_EQ(native(p, SYS_ioctl, {2}), refused(7));
  EXPECT_EQ(native(p, SYS_ioctl, {3}), allowed);
}

TEST(Compile, ARuleWithoutConditionsOutweighsThoseWith) {
  oci::Seccomp profile = one_rule({{"ioctl"}, "SCMP_ACT_ERRNO", 7, {{0, 1, 0, "SCMP_CMP_EQ"}}});
  profile.syscalls.push_back({{"ioctl"}, "SCMP_ACT_ERRNO", 9, {}});
  EXPECT_EQ(native(compiled(profile), SYS_ioctl, {1}), refused(9));
}

TEST(Compile, GivesEveryActionItsKernelValue) {
  const std::pair<const char*, std::uint32_t> cases[] = {
      {"SCMP_ACT_KILL", SECCOMP_RET_KILL_THREAD},          {"SCMP_ACT_KILL_THREAD", SECCOMP_RET_KILL_THREAD},
      {"SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS}, {"SCMP_ACT_TRAP", SECCOMP_RET_TRAP},
      {"SCMP_ACT_TRACE", SECCOMP_RET_TRACE | EPERM},       {"SCMP_ACT_LOG", SECCOMP_RET_LOG},
      {"SCMP_ACT_ERRNO", SECCOMP_RET_ERRNO | EPERM},
  };
  for (const auto& [name, value] : cases)
    EXPECT_EQ(native(compiled(one_rule({{"getpid"}, name, {}, {}})), SYS_getpid), value) << name;
}

TEST(Compile, SkipsNamesThatNoKernelHas) {
  const Program p = compiled(one_rule({{"no_such_call", "getpid"}, "SCMP_ACT_ERRNO", {}, {}}));
  EXPECT_EQ(native(p, SYS_getpid), refused(EPERM));
  EXPECT_EQ(native(p, SYS_getppid), allowed);
}

TEST(Compile, KnowsCallsNewerThanLibseccomp) {
  const Program p = compiled(one_rule({{"mseal", "file_setattr"}, "SCMP_ACT_ERRNO", {}, {}}));
  EXPECT_EQ(native(p, 462), refused(EPERM));
  EXPECT_EQ(native(p, 469), refused(EPERM));
}

TEST(Compile, ADefaultThatLetsThroughNeedsNoEnosys) {
  EXPECT_EQ(native(compiled(one_rule({{"getpid"}, "SCMP_ACT_ERRNO", {}, {}})), 5000), allowed);
}

TEST(Compile, KillsX32WhenTheProfileDoesNotListIt) {
  const Program p = compiled(one_rule({{"getpid"}, "SCMP_ACT_ERRNO", {}, {}}));
  EXPECT_EQ(native(p, x32 + 39), SECCOMP_RET_KILL_THREAD);
  EXPECT_EQ(verdict(p, AUDIT_ARCH_I386, 20), SECCOMP_RET_KILL_THREAD);
  EXPECT_EQ(native(p, 0xffffffff), allowed);  // -1: a tracer skipped the call
}

TEST(Compile, ReachesSocketcallWhenTheCallHasNoConditions) {
  oci::Seccomp profile = one_rule({{"bind"}, "SCMP_ACT_ERRNO", 7, {}});
  profile.architectures = {"SCMP_ARCH_X86"};
  const Program p = compiled(profile);
  EXPECT_EQ(verdict(p, AUDIT_ARCH_I386, 361), refused(7));
  EXPECT_EQ(verdict(p, AUDIT_ARCH_I386, 102, {2}), refused(7));
  EXPECT_EQ(verdict(p, AUDIT_ARCH_I386, 102, {1}), allowed);
}

TEST(Compile, FarJumpsArriveInLongPrograms) {
  oci::Seccomp profile = one_rule({{"getpid"}, "SCMP_ACT_ERRNO", 7, {}});
  for (unsigned i = 0; i < 300; ++i)
    profile.syscalls.push_back(
        {{"ioctl"}, "SCMP_ACT_ERRNO", 100 + i, {{0, i, 0, "SCMP_CMP_EQ"}, {1, 1, 0, "SCMP_CMP_EQ"}}});
  const Program p = compiled(profile);
  EXPECT_EQ(native(p, SYS_getpid), refused(7));
  EXPECT_EQ(native(p, SYS_ioctl, {299, 1}), refused(399));
  EXPECT_EQ(native(p, SYS_ioctl, {0, 1}), refused(100));
  EXPECT_EQ(native(p, SYS_ioctl, {300, 1}), allowed);
  EXPECT_EQ(native(p, SYS_close), allowed);
}

TEST(Compile, FlagsBecomeTheKernels) {
  oci::Seccomp profile = one_rule({{"getpid"}, "SCMP_ACT_ERRNO", {}, {}});
  profile.flags = {"SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
                   "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"};
  EXPECT_EQ(compiled(profile).flags, 7U);
  profile.syscalls[0] = {{"getpid"}, "SCMP_ACT_NOTIFY", {}, {}};
  profile.listener_path = "/run/agent";
  const Program p = compiled(profile);
  EXPECT_TRUE(p.notify);
  EXPECT_EQ(p.flags, 63U);
  EXPECT_EQ(native(p, SYS_getpid), SECCOMP_RET_USER_NOTIF);
}

TEST(Compile, RefusesWhatItDoesNotKnowByName) {
  oci::Seccomp profile = one_rule({{"getpid"}, "SCMP_ACT_NONSENSE", {}, {}});
  EXPECT_EQ(error_of(profile), "syscalls[0]: string SCMP_ACT_NONSENSE is not a valid action for seccomp");
  profile = one_rule({{"getpid"}, "SCMP_ACT_ERRNO", {}, {{0, 1, 0, "SCMP_CMP_WHAT"}}});
  EXPECT_EQ(error_of(profile), "syscalls[0]: string SCMP_CMP_WHAT is not a valid operator for seccomp");
  profile = one_rule({{"getpid"}, "SCMP_ACT_ERRNO", {}, {{6, 1, 0, "SCMP_CMP_EQ"}}});
  EXPECT_EQ(error_of(profile), "syscalls[0]: a system call has six arguments, there is no index 6");
  profile = one_rule({{"getpid"}, "SCMP_ACT_ERRNO", 4096, {}});
  EXPECT_EQ(error_of(profile), "syscalls[0]: errnoRet 4096 is above 4095");
  profile = one_rule({{"getpid"}, "SCMP_ACT_ERRNO", {}, {}});
  profile.flags = {"SECCOMP_FILTER_FLAG_WHAT"};
  EXPECT_EQ(error_of(profile), "flags: seccomp flag SECCOMP_FILTER_FLAG_WHAT is not known");
  profile.flags = {};
  profile.architectures = {"SCMP_ARCH_PDP11"};
  EXPECT_EQ(error_of(profile), "architectures: string SCMP_ARCH_PDP11 is not a valid arch for seccomp");
}

TEST(Compile, RefusesNotifyWhereItWouldHang) {
  oci::Seccomp profile = one_rule({{"getpid"}, "SCMP_ACT_NOTIFY", {}, {}});
  EXPECT_EQ(error_of(profile), "seccomp listenerPath is not set");
  profile.listener_path = "/run/agent";
  profile.syscalls[0].names = {"write"};
  EXPECT_EQ(error_of(profile), "SCMP_ACT_NOTIFY cannot be used for the write syscall");
  profile.default_action = "SCMP_ACT_NOTIFY";
  EXPECT_EQ(error_of(profile), "SCMP_ACT_NOTIFY cannot be used as default action");
}

}  // namespace
}  // namespace caisson::seccomp

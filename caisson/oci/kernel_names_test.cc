#include "caisson/oci/kernel_names.h"

#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/resource.h>

#include <csignal>

namespace caisson::oci {
namespace {

TEST(KernelNames, CapabilitiesAreTheKernelsInOrderWithoutAGap) {
  ASSERT_EQ(capabilities().size(), static_cast<std::size_t>(CAP_LAST_CAP) + 1);
  for (std::size_t i = 0; i < capabilities().size(); ++i) EXPECT_EQ(capabilities()[i].number, i);
  EXPECT_EQ(capability("CAP_SYS_ADMIN"), CAP_SYS_ADMIN);
  EXPECT_EQ(capability("cap_sys_admin"), CAP_SYS_ADMIN);
  EXPECT_EQ(capability("sys_admin"), CAP_SYS_ADMIN);
  EXPECT_EQ(capability("CAP_TEST"), std::nullopt);
  EXPECT_EQ(capability(""), std::nullopt);
  EXPECT_EQ(capability(std::string(1000, 'A')), std::nullopt);
}

TEST(KernelNames, RlimitsAreTheKernelsInOrder) {
  ASSERT_EQ(rlimits().size(), static_cast<std::size_t>(RLIM_NLIMITS));
  for (std::size_t i = 0; i < rlimits().size(); ++i) EXPECT_EQ(rlimits()[i].number, i);
  EXPECT_EQ(rlimit("RLIMIT_NOFILE"), RLIMIT_NOFILE);
  EXPECT_EQ(rlimit("NOFILE"), std::nullopt);
}

TEST(KernelNames, NamespacesGoBothWays) {
  for (const Name& row : namespaces()) {
    std::optional<NamespaceType> type = namespace_type(row.text);
    ASSERT_TRUE(type) << row.text;
    EXPECT_EQ(name_of(*type), row.text);
    EXPECT_EQ(clone_flag(*type), row.number);
  }
  EXPECT_EQ(clone_flag(NamespaceType::network), static_cast<std::uint64_t>(CLONE_NEWNET));
  EXPECT_EQ(proc_ns_name(NamespaceType::network), "net");
  EXPECT_EQ(proc_ns_name(NamespaceType::mount), "mnt");
  EXPECT_EQ(proc_ns_name(NamespaceType::user), "user");
  EXPECT_EQ(namespace_type("net"), std::nullopt);
}

TEST(KernelNames, SignalsAreAcceptedAsPeopleWriteThem) {
  EXPECT_EQ(signal_number("KILL"), SIGKILL);
  EXPECT_EQ(signal_number("SIGKILL"), SIGKILL);
  EXPECT_EQ(signal_number("sigterm"), SIGTERM);
  EXPECT_EQ(signal_number("9"), 9);
  EXPECT_EQ(signal_number("0"), 0);
  EXPECT_EQ(signal_number("64"), 64);
  EXPECT_EQ(signal_number("RTMIN"), 34);
  EXPECT_EQ(signal_number("SIGRTMIN+1"), 35);
  EXPECT_EQ(signal_number("rtmax-1"), 63);
  for (const char* bad : {"", "65", "-1", "9x", "SIG", "SIGFOO", "RTMIN+31", "RTMIN-1", "RTMAX+1", "RTMIN+", "RTMIN+-1",
                          " 9", "99999999999999999999"}) {
    EXPECT_EQ(signal_number(bad), std::nullopt) << bad;
  }
}

TEST(KernelNames, TablesGoBothWays) {
  EXPECT_EQ(number_of(scheduler_policies(), "SCHED_DEADLINE"), 6U);
  EXPECT_EQ(number_of(scheduler_flags(), "SCHED_FLAG_RESET_ON_FORK"), 1U);
  EXPECT_EQ(number_of(io_classes(), "IOPRIO_CLASS_IDLE"), 3U);
  EXPECT_EQ(number_of(personalities(), "LINUX32"), 8U);
  EXPECT_EQ(number_of(memory_policies(), "MPOL_BIND"), 2U);
  EXPECT_EQ(text_of(io_classes(), 1), "IOPRIO_CLASS_RT");
  EXPECT_EQ(text_of(io_classes(), 99), "");
}

}  // namespace
}  // namespace caisson::oci

// The table of trapped calls: its filter leaves nothing of a call undecided, its decoder knows every entry, its guide
// is the table. Layer: nest. CAISSON_UPDATE_GOLDEN=1 writes the guide's table anew. SPDX-License-Identifier: Apache-2.0
#include "caisson/nest/trapped.h"

#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/seccomp.h>

#include <cstdlib>
#include <fstream>
#include <random>
#include <set>
#include <sstream>

#include "caisson/seccomp/compile.h"
#include "caisson/seccomp/interpreter.h"
#include "caisson/seccomp/syscall_table.h"

namespace caisson::nest {
namespace {

std::string guide_path() {
  const char* source = ::getenv("CAISSON_SOURCE");
  return std::string(source == nullptr ? "." : source) + "/docs/guide/trapped-calls.md";
}

std::string slurp(const std::string& path) {
  std::stringstream out;
  out << std::ifstream(path).rdbuf();
  return out.str();
}

TEST(Trapped, TheGuideIsTheTable) {
  const std::string begin = "<!-- table -->\n";
  const std::string end = "<!-- end of table -->";
  std::string guide = slurp(guide_path());
  const std::size_t from = guide.find(begin);
  const std::size_t to = guide.find(end);
  ASSERT_NE(from, std::string::npos);
  ASSERT_NE(to, std::string::npos);
  const std::size_t start = from + begin.size();
  if (::getenv("CAISSON_UPDATE_GOLDEN") != nullptr) {
    guide.replace(start, to - start, trapped_text());
    std::ofstream(guide_path()) << guide;
    return;
  }
  EXPECT_EQ(guide.substr(start, to - start), trapped_text());
}

TEST(Trapped, EveryCallIsInTheTableOnce) {
  std::set<std::string> seen;
  for (const TrappedCall& row : trapped_calls()) EXPECT_TRUE(seen.insert(row.name).second) << row.name;
}

TEST(Trapped, EveryCallHasAnEntryOnEveryAbiThatHasIt) {
  for (const TrappedCall& row : trapped_calls()) {
    bool found = false;
    for (const seccomp::Abi& abi : seccomp::machine_abis()) found |= seccomp::find_call(abi, row.name).has_value();
    EXPECT_TRUE(found) << row.name;
  }
}

// Whatever the arguments: trapped or let through, never the profile's own denial.
TEST(Trapped, ARowDecidesEveryCallOfItsName) {
  oci::Seccomp profile;
  profile.default_action = "SCMP_ACT_ERRNO";
  for (const seccomp::Abi& abi : seccomp::machine_abis()) profile.architectures.emplace_back(abi.name);
  profile.listener_path = "/run/listener";
  for (const TrappedCall& row : trapped_calls())
    for (oci::SyscallRule& rule : rules_of(row)) profile.syscalls.push_back(std::move(rule));
  auto program = seccomp::compile(profile);
  ASSERT_TRUE(program) << program.error().message();
  std::mt19937_64 random(1);
  for (const seccomp::Abi& abi : seccomp::machine_abis()) {
    for (const TrappedCall& row : trapped_calls()) {
      const auto entry = seccomp::find_call(abi, row.name);
      if (!entry || entry->number < 0) continue;
      constexpr int tries = 500;
      for (int i = 0; i < tries; ++i) {
        seccomp_data data{};
        data.arch = abi.audit;
        data.nr = static_cast<int>(entry->number);
        for (auto& argument : data.args) {
          argument = random() >> random() % 64;
          if (abi.width == seccomp::Width::narrow) argument &= 0xffffffffU;
        }
        // mknod looks at the type's bits of a mode, of which seven values mean something; the kernel refuses the rest.
        const bool is_mknod = row.when == When::device_node || row.when == When::device_node_at;
        if (is_mknod)
          data.args[row.when == When::device_node ? 1 : 2] = (random() % 2 == 0 ? 0020000U : 0060000U) | 0644U;
        const auto verdict = seccomp::run_filter(program->filter, data);
        ASSERT_TRUE(verdict);
        EXPECT_TRUE(*verdict == SECCOMP_RET_USER_NOTIF || *verdict == SECCOMP_RET_ALLOW)
            << abi.name << " " << row.name << " " << *verdict;
      }
    }
  }
}

}  // namespace
}  // namespace caisson::nest

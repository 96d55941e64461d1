// Laws of device rules: the lines for v1, and the v2 program run by a small interpreter that checks what the kernel's
// verifier checks.
// Layer: cgroup, test.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/cgroup/devices.h"

#include <gtest/gtest.h>

#include <array>

#include "caisson/sys/bpf.h"

namespace caisson::cgroup {
namespace {

using Rules = std::vector<oci::DeviceRule>;

constexpr unsigned make_node = BPF_DEVCG_ACC_MKNOD, read = BPF_DEVCG_ACC_READ, write = BPF_DEVCG_ACC_WRITE;
constexpr unsigned block = BPF_DEVCG_DEV_BLOCK, character = BPF_DEVCG_DEV_CHAR;

oci::DeviceRule allow(const char* type, std::optional<std::int64_t> major, std::optional<std::int64_t> minor,
                      const char* access) {
  return {true, type, major, minor, access};
}
oci::DeviceRule deny(const char* type, std::optional<std::int64_t> major, std::optional<std::int64_t> minor,
                     const char* access) {
  return {false, type, major, minor, access};
}
const oci::DeviceRule deny_all = deny("a", std::nullopt, std::nullopt, "rwm");
const oci::DeviceRule allow_all = allow("a", std::nullopt, std::nullopt, "rwm");

// -1: the program did something that the verifier refuses.
int run(const std::vector<bpf_insn>& program, unsigned type, unsigned access, unsigned major, unsigned minor) {
  const std::array<std::uint32_t, 3> context = {access << 16 | type, major, minor};
  std::array<std::optional<std::uint64_t>, 11> r;  // empty: not initialised
  r[1] = 0;                                        // the context, until overwritten
  bool r1_is_context = true;
  for (std::size_t at = 0; at < program.size(); ++at) {
    const bpf_insn& i = program[at];
    std::optional<std::uint64_t>& to = r[i.dst_reg];
    auto fits32 = [](std::uint64_t value) { return value & 0xffffffffU; };
    if (i.code == (BPF_LDX | BPF_MEM | BPF_W)) {
      if (i.src_reg != 1 || !r1_is_context || i.off < 0 || i.off > 8 || i.off % 4 != 0) return -1;
      to = context[static_cast<std::size_t>(i.off) / 4];
    } else if (BPF_CLASS(i.code) == BPF_ALU) {
      const bool from_register = BPF_SRC(i.code) == BPF_X;
      if (from_register && (!r[i.src_reg] || (i.src_reg == 1 && r1_is_context))) return -1;
      const std::uint64_t value = from_register ? *r[i.src_reg] : static_cast<std::uint32_t>(i.imm);
      const int operation = BPF_OP(i.code);
      if (operation != BPF_MOV && (!to || (i.dst_reg == 1 && r1_is_context))) return -1;
      if (operation == BPF_MOV)
        to = fits32(value);
      else if (operation == BPF_AND)
        to = fits32(*to & value);
      else if (operation == BPF_RSH && value < 32)
        to = fits32(*to) >> value;
      else
        return -1;
      if (i.dst_reg == 1) r1_is_context = false;
    } else if (i.code == (BPF_JMP | BPF_EXIT)) {
      return r[0] && *r[0] <= 1 ? static_cast<int>(*r[0]) : -1;
    } else if (BPF_CLASS(i.code) == BPF_JMP && BPF_SRC(i.code) == BPF_K && i.off >= 0) {
      if (!to || (i.dst_reg == 1 && r1_is_context)) return -1;
      const bool equal = *to == static_cast<std::uint64_t>(static_cast<std::int64_t>(i.imm));
      if (BPF_OP(i.code) != BPF_JEQ && BPF_OP(i.code) != BPF_JNE) return -1;
      if (equal == (BPF_OP(i.code) == BPF_JEQ)) at += static_cast<std::size_t>(i.off);
    } else {
      return -1;
    }
  }
  return -1;  // ran off the end
}

int verdict(const Rules& rules, unsigned type, unsigned access, unsigned major, unsigned minor) {
  auto program = plan_device_program(rules);
  return program ? run(*program, type, access, major, minor) : -2;
}

std::string lines(const Rules& rules) {
  auto planned = plan_device_lines(rules);
  if (!planned) return "error: " + planned.error().message();
  std::string out;
  for (const DeviceLine& line : *planned)
    out += (out.empty() ? "" : ", ") + std::string(line.allow ? "+" : "-") + line.text;
  return out;
}

TEST(Devices, V1LinesKeepTheOrderOfTheRules) {
  EXPECT_EQ(lines({deny_all, allow("c", std::nullopt, std::nullopt, "m"), allow("c", 1, 3, "rwm"),
                   allow("b", 8, -1, "r"), deny("c", 1, 3, "w")}),
            "-a *:* rwm, +c *:* m, +c 1:3 rwm, +b 8:* r, -c 1:3 w");
}

TEST(Devices, EmptyTypeAndAccessMeanAll) { EXPECT_EQ(lines({{false, "", {}, {}, ""}}), "-a *:* rwm"); }

TEST(Devices, TheSameRuleTwiceInARowIsOneLine) { EXPECT_EQ(lines({deny_all, deny_all}), lines({deny_all})); }

TEST(Devices, ARuleForBothTypesWithANumberIsNotEverything) {
  EXPECT_EQ(lines({deny_all, allow("a", 7, -1, "rw")}), "-a *:* rwm, +b 7:* rw, +c 7:* rw");
}

TEST(Devices, ARuleTheV1KernelWouldIgnoreIsAnError) {
  EXPECT_NE(lines({deny_all, allow("c", 1, -1, "rwm"), deny("c", 1, 3, "w")}).find("cannot punch hole"),
            std::string::npos);
  EXPECT_NE(lines({allow_all, deny("c", 1, 3, "w"), allow("c", -1, -1, "rw")}).find("cannot punch hole"),
            std::string::npos);
}

TEST(Devices, BadRulesAreRefused) {
  for (const oci::DeviceRule& rule : {allow("x", 1, 1, "r"), allow("c", -2, 1, "r"), allow("c", 1, 1LL << 40, "r"),
                                      allow("c", 1, 1, "rx"), allow("p", 1, 1, "r")}) {
    EXPECT_FALSE(plan_device_lines({rule}));
    EXPECT_FALSE(plan_device_program({rule}));
  }
}

TEST(Devices, WhatNoRuleNamesIsRefused) {
  EXPECT_EQ(verdict({}, character, read, 1, 3), 0);
  EXPECT_EQ(verdict({allow("c", 1, 3, "r")}, character, read, 1, 5), 0);
}

TEST(Devices, TheUsualList) {
  const Rules rules = {deny_all, allow("c", {}, {}, "m"), allow("b", {}, {}, "m"), allow("c", 1, 3, "rwm"),
                       allow("c", 136, -1, "rw")};
  EXPECT_EQ(verdict(rules, character, read | write, 1, 3), 1);
  EXPECT_EQ(verdict(rules, character, read | write, 136, 77), 1);
  EXPECT_EQ(verdict(rules, character, make_node, 10, 200), 1);
  EXPECT_EQ(verdict(rules, block, make_node, 8, 0), 1);
  EXPECT_EQ(verdict(rules, block, read, 8, 0), 0);
  EXPECT_EQ(verdict(rules, block, read, 1, 3), 0);
  EXPECT_EQ(verdict(rules, character, read | make_node, 10, 200), 0);
}

TEST(Devices, AccessGrantedInPiecesIsGrantedWhole) {
  EXPECT_EQ(verdict({deny_all, allow("c", 1, 3, "r"), allow("c", -1, 3, "w")}, character, read | write, 1, 3), 1);
}

TEST(Devices, OneRefusedBitRefusesTheWhole) {
  const Rules rules = {allow_all, deny("c", 1, 3, "w")};
  EXPECT_EQ(verdict(rules, character, read | write, 1, 3), 0);
  EXPECT_EQ(verdict(rules, character, read, 1, 3), 1);
  EXPECT_EQ(verdict(rules, character, write, 1, 4), 1);
}

TEST(Devices, TheLastRuleWins) {
  EXPECT_EQ(verdict({deny_all, allow("c", 1, -1, "rwm"), deny("c", 1, 3, "w")}, character, write, 1, 3), 0);
  EXPECT_EQ(verdict({allow("c", 1, 3, "r"), deny_all}, character, read, 1, 3), 0);
  EXPECT_EQ(verdict({deny_all, allow_all}, block, read | write | make_node, 8, 0), 1);
}

// Against a direct reading of the rules, for every request.
TEST(Devices, TheProgramIsTheRules) {
  const Rules rules = {allow("b", 8, {}, "r"), deny("a", 7, 1, "m"),  allow("a", 7, {}, "rm"), deny("c", {}, 1, "r"),
                       allow("c", 1, 1, "rw"), deny("b", 8, 2, "rw"), allow("a", {}, 2, "w")};
  auto program = plan_device_program(rules);
  ASSERT_TRUE(program);
  for (unsigned type : {block, character})
    for (unsigned access = 1; access < 8; ++access)
      for (unsigned major : {1U, 7U, 8U, 9U})
        for (unsigned minor : {0U, 1U, 2U}) {
          bool expected = true;
          for (unsigned bit : {make_node, read, write}) {
            if ((access & bit) == 0) continue;
            bool granted = false;
            for (const oci::DeviceRule& rule : rules) {
              const char letter = bit == make_node ? 'm' : bit == read ? 'r' : 'w';
              const bool matches = (rule.type == "a" || (rule.type == "b") == (type == block)) &&
                                   rule.major.value_or(major) == major && rule.minor.value_or(minor) == minor &&
                                   rule.access.find(letter) != std::string::npos;
              if (matches) granted = rule.allow;
            }
            expected = expected && granted;
          }
          EXPECT_EQ(run(*program, type, access, major, minor), expected ? 1 : 0)
              << type << " " << access << " " << major << ":" << minor;
        }
}

TEST(Devices, TheKernelsVerifierTakesTheProgram) {
  const Rules rules = {deny_all, allow("c", {}, {}, "m"), deny("b", 8, 0, "w"), allow("c", 1, 3, "rwm")};
  auto loaded = sys::load_device_program(*plan_device_program(rules));
  if (!loaded && (loaded.error().is(EPERM) || loaded.error().is(ENOSYS) || loaded.error().is(EINVAL)))
    GTEST_SKIP() << "needs root and a kernel with CONFIG_CGROUP_BPF: " << loaded.error().message();
  EXPECT_TRUE(loaded) << loaded.error().message();
}

}  // namespace
}  // namespace caisson::cgroup

#include "caisson/nest/shared_settings.h"

#include <fcntl.h>

#include <cstddef>
#include <cstring>

#include "caisson/sys/bpf.h"
#include "caisson/sys/file.h"

namespace caisson::nest {
namespace {

constexpr int words = 3;  // of a name, with its end
constexpr int buffer = 32;

bpf_insn instruction(int code, int to, int from, int offset, int value) {
  return {.code = static_cast<std::uint8_t>(code),
          .dst_reg = static_cast<std::uint8_t>(to & 15),
          .src_reg = static_cast<std::uint8_t>(from & 15),
          .off = static_cast<std::int16_t>(offset),
          .imm = value};
}

void append_return(std::vector<bpf_insn>& out, bool allow) {
  out.push_back(instruction(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, allow ? 1 : 0));
  out.push_back(instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
}

}  // namespace

std::vector<bpf_insn> plan_sysctl_program(std::string_view name) {
  char text[words * 8] = {};
  name.copy(text, sizeof text - 1);
  std::vector<bpf_insn> out = {
      // Reads are nobody's business.
      instruction(BPF_LDX | BPF_MEM | BPF_W, BPF_REG_2, BPF_REG_1, offsetof(bpf_sysctl, write), 0),
      instruction(BPF_JMP | BPF_JNE | BPF_K, BPF_REG_2, 0, 2, 0),
  };
  append_return(out, true);
  for (int at = -buffer; at < 0; at += 8) out.push_back(instruction(BPF_ST | BPF_MEM | BPF_DW, BPF_REG_10, 0, at, 0));
  out.push_back(instruction(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_2, BPF_REG_10, 0, 0));
  out.push_back(instruction(BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_2, 0, 0, -buffer));
  out.push_back(instruction(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_3, 0, 0, buffer));
  out.push_back(instruction(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_4, 0, 0, BPF_F_SYSCTL_BASE_NAME));
  out.push_back(instruction(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_sysctl_get_name));
  for (int i = 0; i < words; ++i) {
    std::uint32_t halves[2];
    std::memcpy(halves, text + i * 8, sizeof halves);
    out.push_back(instruction(BPF_LDX | BPF_MEM | BPF_DW, BPF_REG_1, BPF_REG_10, i * 8 - buffer, 0));
    out.push_back(instruction(BPF_LD | BPF_DW | BPF_IMM, BPF_REG_2, 0, 0, static_cast<int>(halves[0])));
    out.push_back(instruction(0, 0, 0, 0, static_cast<int>(halves[1])));
    out.push_back(instruction(BPF_JMP | BPF_JEQ | BPF_X, BPF_REG_1, BPF_REG_2, 2, 0));
    append_return(out, true);
  }
  append_return(out, false);
  return out;
}

Result<void> protect_shared_settings(const cgroup::Placement& placement) {
  const cgroup::Directory* v2 = placement.unified();
  if (v2 == nullptr) return Error::of(Kind::unsupported, "no v2 cgroup: settings of all networks stay writable");
  const sys::UniqueFd group = TRY(sys::open_file(v2->absolute(), O_RDONLY | O_DIRECTORY));
  static_assert(std::size(shared_settings) == 1, "attach_sysctl_program attaches one");
  return sys::attach_sysctl_program(group.get(), plan_sysctl_program(shared_settings[0]));
}

}  // namespace caisson::nest

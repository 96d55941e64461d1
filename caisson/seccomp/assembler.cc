#include "caisson/seccomp/assembler.h"

namespace caisson::seccomp {
namespace {

constexpr std::size_t farthest = 255;   // sock_filter::jt and jf have 8 bits
constexpr std::size_t shareable = 160;  // leaves room for the code that is still to come between

}  // namespace

Assembler::Label Assembler::push(sock_filter instruction) {
  reversed_.push_back(instruction);
  return reversed_.size() - 1;
}

Assembler::Label Assembler::ret(std::uint32_t verdict) {
  for (Return& known : returns_) {
    if (known.verdict != verdict) continue;
    if (distance(known.at) > shareable) known.at = push(BPF_STMT(BPF_RET | BPF_K, verdict));
    return known.at;
  }
  returns_.push_back({verdict, push(BPF_STMT(BPF_RET | BPF_K, verdict))});
  return returns_.back().at;
}

// A label within reach of the next instruction but one: a jump to `target` if need be.
Assembler::Label Assembler::near(Label target) {
  return distance(target) < farthest ? target
                                     : push(BPF_STMT(BPF_JMP | BPF_JA, static_cast<std::uint32_t>(distance(target))));
}

Assembler::Label Assembler::branch(std::uint16_t operation, std::uint32_t k, Label yes, Label no) {
  yes = near(yes);
  no = near(no);
  return push(BPF_JUMP(static_cast<std::uint16_t>(BPF_JMP | BPF_K | operation), k,
                       static_cast<std::uint8_t>(distance(yes)), static_cast<std::uint8_t>(distance(no))));
}

Assembler::Label Assembler::then(std::uint16_t code, std::uint32_t k, Label next) {
  if (distance(next) != 0) push(BPF_STMT(BPF_JMP | BPF_JA, static_cast<std::uint32_t>(distance(next))));
  return push(BPF_STMT(code, k));
}

}  // namespace caisson::seccomp

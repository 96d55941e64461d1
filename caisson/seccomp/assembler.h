// Assembler: writes a classic BPF program from its end to its beginning.
// Layer: seccomp (pure). Used by compile.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <vector>

namespace caisson::seccomp {

// Every jump of classic BPF goes forward. Writing backwards, the place a jump goes to is always there already, so
// one pass is enough, equal returns are shared, and a jump that is too far for its 8 bits is seen when it is made.
class Assembler {
 public:
  using Label = std::size_t;  // an instruction, counted from the end

  Label ret(std::uint32_t verdict);  // shared with an earlier one that is near
  Label branch(std::uint16_t operation, std::uint32_t k, Label yes, Label no);
  Label then(std::uint16_t code, std::uint32_t k, Label next);  // one instruction, and on to `next`
  Label load(std::uint32_t offset, Label next) { return then(BPF_LD | BPF_W | BPF_ABS, offset, next); }

  std::vector<sock_filter> finish() const { return {reversed_.rbegin(), reversed_.rend()}; }

 private:
  struct Return {
    std::uint32_t verdict;
    Label at;
  };
  std::size_t distance(Label target) const { return reversed_.size() - target - 1; }
  Label push(sock_filter instruction);
  Label near(Label target);

  std::vector<sock_filter> reversed_;
  std::vector<Return> returns_;
};

}  // namespace caisson::seccomp

// The numbers of a system call's name under each ABI of this machine.
// Layer: seccomp (pure). Used by compile.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace caisson::seccomp {

enum class Width : bool { narrow, wide };  // are arguments compared as 32 or as 64 bits

struct Abi {
  const char* name;     // "SCMP_ARCH_X86_64"
  std::uint32_t token;  // libseccomp's
  std::uint32_t audit;  // seccomp_data::arch
  Width width;
};

// The ABIs this machine's kernel can run; the native one first.
std::span<const Abi> machine_abis();

// Is this the name of an architecture at all, be it another machine's? ("SCMP_ARCH_S390X")
bool is_architecture(const std::string& name);

// Where a call enters the kernel. 32-bit x86 has two ways to socket(2) and its like: the number of its own, and
// socketcall(2) or ipc(2), whose first argument says which call is meant.
struct Entry {
  std::int64_t number = -1;       // -1: none
  std::int64_t multiplexer = -1;  // the number of socketcall or ipc; -1: none
  std::uint32_t selector = 0;     // its first argument
};

// Empty when the ABI has no such call.
std::optional<Entry> find_call(const Abi& abi, const std::string& name);

}  // namespace caisson::seccomp

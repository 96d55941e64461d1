// Names that config.json and the command line use for the kernel's numbers: one table each, both ways.
// Layer: oci (pure). Used by runtime, seccomp, nest and the `features` document.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "caisson/oci/linux.h"

namespace caisson::oci {

struct Name {
  std::string_view text;
  std::uint64_t number;
};

// The tables, in the kernel's order. nullopt from a look-up: the name is not in the table.
std::span<const Name> capabilities();        // "CAP_CHOWN" .. "CAP_CHECKPOINT_RESTORE"
std::span<const Name> rlimits();             // "RLIMIT_CPU" .. "RLIMIT_RTTIME"
std::span<const Name> namespaces();          // "mount" -> CLONE_NEWNS ..
std::span<const Name> scheduler_policies();  // "SCHED_OTHER" ..
std::span<const Name> scheduler_flags();     // "SCHED_FLAG_RESET_ON_FORK" ..
std::span<const Name> io_classes();          // "IOPRIO_CLASS_RT" ..
std::span<const Name> personalities();       // "LINUX", "LINUX32"
std::span<const Name> memory_policies();     // "MPOL_DEFAULT" ..
std::span<const Name> memory_policy_flags();

// What this project's seccomp library accepts, as `features` lists it.
std::span<const std::string_view> seccomp_actions();
std::span<const std::string_view> seccomp_operators();
std::span<const std::string_view> seccomp_architectures();
std::span<const std::string_view> seccomp_flags();

std::optional<std::uint64_t> number_of(std::span<const Name> table, std::string_view text);
std::string_view text_of(std::span<const Name> table, std::uint64_t number);  // empty: no such number

// "CAP_KILL", "cap_kill" and "kill" are the same.
std::optional<int> capability(std::string_view name);
std::optional<int> rlimit(std::string_view name);

std::string_view name_of(NamespaceType type);  // "network"
std::optional<NamespaceType> namespace_type(std::string_view name);
std::uint64_t clone_flag(NamespaceType type);       // CLONE_NEWNET
std::string_view proc_ns_name(NamespaceType type);  // "net": the file below /proc/PID/ns

// "KILL", "SIGKILL", "kill", "9", "RTMIN", "SIGRTMIN+1", "RTMAX-2"; "0" asks whether it lives.
std::optional<int> signal_number(std::string_view name);

}  // namespace caisson::oci

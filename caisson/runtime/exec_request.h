// What `exec` runs: from --process, or from the command line upon the container's own process.
// Layer: runtime (reads files, changes nothing). Used by command_exec.cc.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "caisson/base/result.h"
#include "caisson/oci/spec.h"
#include "caisson/runtime/flags.h"

namespace caisson::runtime {

//   spec    the container's stored config: its process is what the command line changes
//   errors  invalid: an id that is not a number from 0 to 4294967294, an unknown capability, no command
//   source  runc exec; CVE-2026-30892 (`-u 1` must not be root), CVE-2022-29162 (nothing inheritable)
Result<oci::Process> exec_process(const Arguments& arguments, const oci::Spec& spec);

// "UID[:GID]" -> user. errors: invalid
Result<void> parse_user(const std::string& text, oci::User& user);

}  // namespace caisson::runtime

// Terms: what a nest is given and how it is closed, chosen by annotations and flags; and how its supervisor is told.
// Layer: nest (pure). Used by create.cc and exec.cc, by the plan, and by supervised.cc.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "caisson/base/result.h"
#include "caisson/nest/grants.h"

namespace caisson::nest {

// What covers parts of /proc and /sys, and who makes new ones inside (DESIGN D2).
enum class Profile : unsigned char {
  compat,    // the view; new ones are the kernel's own, with the view over them again
  hardened,  // the view and masks, locked; new ones come from the supervisor alone, masked and locked too
  minimal,   // nothing: the kernel's own
};
std::string_view name_of(Profile profile);

inline constexpr char grants_annotation[] = "io.caisson.grants";
inline constexpr char profile_annotation[] = "io.caisson.profile";

struct Terms {
  GrantSet grants = GrantSet::by_default();
  Profile profile = Profile::compat;
  bool operator==(const Terms&) const = default;
};

// Whether the nest sees its own at `path` of /proc or /sys, where its view has something (procview's table).
bool shows(const Terms& terms, std::string_view path);

// Of the command line, which the engine's administrator writes.
struct TermFlags {
  std::optional<std::string> grants;
  std::optional<std::string> profile;
};

// An annotation is the container's wish. Beside a flag it can only ask for less: fewer grants, or `hardened`.
//   errors  invalid: naming the annotation or flag, and the word
Result<Terms> choose_terms(const std::map<std::string, std::string>& annotations, const TermFlags& flags);

// What the supervisor is told with the listener's descriptor (linux.seccomp.listenerMetadata).
struct Instructions {
  Terms terms;
  std::vector<std::string> masked;     // paths below /proc and /sys, for each new one of profile `hardened`
  std::vector<std::string> read_only;  // the same
  bool operator==(const Instructions&) const = default;
};
std::string to_text(const Instructions& instructions);
// What is not understood is as if it were not there: below another runtime, a nest has the default terms.
Instructions parse_instructions(std::string_view text);

}  // namespace caisson::nest

// What `--version` says, in the form that engines take apart.
// Layer: runtime. Used by main.cc and command_features.cc.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace caisson::runtime {

std::string_view version();  // "0.1.0"
std::string_view commit();   // "unknown" when it was not built from a repository

// "NAME version V\ncommit: C\nspec: S\n": moby takes the word before and the last word of the line with "version", and
// the rest of "commit:"; go-runc wants lines that begin with "commit: " and "spec: ".
std::string version_text();

}  // namespace caisson::runtime

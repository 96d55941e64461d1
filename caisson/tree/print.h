// A forest as text for people and as JSON for programs.
// Layer: tree (pure). Used by main.cc.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "caisson/tree/forest.h"

namespace caisson::tree {

enum class Lines : bool { ascii, utf8 };

struct Look {
  Lines lines = Lines::utf8;
  std::size_t width = 100;  // columns; longer lines are cut
  bool outermost = false;   // the processes that are in no container, too
  bool privileged = true;   // else what was guessed is said to be
};

std::string print_text(const Forest& forest, const Facts& facts, const Look& look);

// The schema is in caisson-tree(1); members are only ever added.
std::string print_json(const Forest& forest, const Facts& facts, const Look& look);

// What the user may not see, a sentence a line; empty: all is seen.
std::vector<std::string> limits_of(const Forest& forest, const Facts& facts, const Look& look);

// "4711/35/1" and "165536/?".
std::string print_pids(const Process& process);
std::string print_uids(const Process& process, const Facts& facts);

// Words with blanks between; what a terminal could take for a command is "?".
std::string print_command(const Process& process);

}  // namespace caisson::tree

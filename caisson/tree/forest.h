// Forest: containers inside containers, made of facts. A container is what a pid namespace has in it.
// Layer: tree (pure). Used by main.cc and the printers.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "caisson/base/result.h"
#include "caisson/tree/facts.h"

namespace caisson::tree {

struct Container {
  std::size_t level = 0;
  std::string id;       // as its engine has it; empty: nobody says
  std::string runtime;  // caisson-nest, caisson-runtime, docker, podman, ...; empty: not known
  std::string profile;  // of a nest
  std::string grants;   // of a nest
  std::string host_name;
  std::string cgroup;
  Namespace pid_namespace = 0;            // 0: may not be seen
  Namespace user_namespace = 0;           // the same
  bool shown = true;                      // false: only the way to what was asked for
  std::vector<const Process*> processes;  // by pid, the first process first
  std::vector<Container> containers;      // by their first process
  const Process* init = nullptr;          // nullptr: not among what we see
};

struct Forest {
  Container root;           // what we are in ourselves
  std::size_t guessed = 0;  // processes whose namespaces may not be seen: put where parents and cgroups say
};

// It points into `facts`.
Forest grow(const Facts& facts);

// Leaves the container that has this ID (or its unique beginning), host name or process, what is in it, and the way
// there.
//   errors  not_found: naming what there is; invalid: it is the beginning of several
Result<void> select(Forest& forest, const std::string& word);

// One a user namespace from ours to the process' own; absent: it cannot be said.
std::vector<std::optional<uid_t>> uids_of(const Process& process, const Facts& facts);

// What people call it: the ID (12 digits of a long one), host name, or "pid namespace N".
std::string title_of(const Container& container);

}  // namespace caisson::tree

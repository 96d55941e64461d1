// What is bound over a nest's /proc and /sys: the table's rows, as mounts.
// Layer: procview. Pure.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/procview/procview.h"
#include "caisson/procview/table.h"

namespace caisson::procview {

std::vector<Overmount> overmounts(const Exists& exists, PidMax pid_max) {
  std::vector<Overmount> out;
  for (const Row& row : table()) {
    if (row.over == Over::below || (row.over == Over::until_pidns && pid_max == PidMax::namespaced)) continue;
    std::string path = "/" + std::string(row.path);
    if (!exists(path)) continue;
    out.push_back({std::move(path), std::string(row.path), row.over == Over::directory, row.over == Over::if_there});
  }
  return out;
}

std::vector<Overmount> replayed(Filesystem filesystem, const Exists& exists) {
  const std::string_view root = filesystem == Filesystem::proc ? "proc/" : "sys/";
  std::vector<Overmount> out;
  for (const Row& row : table()) {
    if (row.replay == Replay::no || !row.path.starts_with(root) || !exists("/" + std::string(row.path))) continue;
    out.push_back({std::string(row.path.substr(root.size())), std::string(row.path), row.over == Over::directory,
                   row.over == Over::if_there});
  }
  return out;
}

}  // namespace caisson::procview

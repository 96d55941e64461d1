// Values: what is written to a stored node, taken as the kernel takes it, and kept in a file a node.
// Layer: procview. Used by server.cc.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "caisson/base/result.h"
#include "caisson/procview/table.h"
#include "caisson/sys/unique_fd.h"

namespace caisson::procview {

// Pure. The text that the node shows after `written` was written over `present` (its text before).
//   errors  os EINVAL: not what the rule takes, with the kernel's reading of numbers (spaces, 0x, a sign)
//   source  linux kernel/sysctl.c, do_proc_dointvec(), proc_doulongvec_minmax(), proc_dostring()
Result<std::string> accept_value(const Rule& rule, std::string_view written, std::string_view present);

// One small file a node in a directory; written beside and renamed, so a reader sees the old or the new.
class ValueStore {
 public:
  static Result<ValueStore> open(const std::string& directory);

  std::optional<std::string> read(const std::string& name) const;  // nothing: never written
  Result<void> write(const std::string& name, std::string_view text) const;
  void remove(const std::string& name) const;
  int directory() const { return directory_.get(); }

  void remove_leftovers() const;  // of writers that were killed

 private:
  explicit ValueStore(sys::UniqueFd directory) : directory_(std::move(directory)) {}
  sys::UniqueFd directory_;
};

}  // namespace caisson::procview

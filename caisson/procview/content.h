// Content: what a node shows, whether it is there, what is below a directory.
// Layer: procview. Used by server.cc.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "caisson/base/result.h"
#include "caisson/procview/gather.h"
#include "caisson/procview/render.h"
#include "caisson/procview/tree.h"
#include "caisson/procview/values.h"

namespace caisson::procview {

class Contents {
 public:
  Contents(const Nest& nest, const ValueStore& values) : gather_(nest), values_(values) {}

  // Whether the host has it, and the nest is to see it.
  bool is_there(const Node& node);

  // The whole text. `asking`: the host pid of the reader.
  //   errors  os: as a read of the kernel's own file
  Result<std::string> text(const Node& node, pid_t asking);
  Result<std::string> link_target(const Node& node);

  // Takes what is written to a stored node. The host is never written to.
  //   errors  os EINVAL, EACCES
  Result<void> write(const Node& node, std::string_view data);

  struct Child {
    std::string name;
    Node node;
  };
  std::vector<Child> children(const Node& directory);

  const Tree& tree() const { return tree_; }
  Gather& gather() { return gather_; }

 private:
  Result<std::string> host_text(const Node& node);
  Result<std::string> stored_text(const Node& node);
  Result<std::string> view(const Node& node, pid_t asking);
  bool is_online(unsigned cpu);

  Tree tree_;
  Gather gather_;
  const ValueStore& values_;
  std::optional<VmstatForm> vmstat_;
};

}  // namespace caisson::procview

// What an engine's overlay root file system is made of, read from mountinfo. Pure.
// Layer: nest. Used by gather.cc; the runtime mounts the same layers again, idmapped.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "caisson/base/result.h"

namespace caisson::nest {

struct Overlay {
  std::vector<std::string> lower;  // top first
  std::string upper;               // empty: read-only
  std::string work;
  std::vector<std::string> options;  // those that change what the layers mean: "metacopy=on", "userxattr" ...
  bool operator==(const Overlay&) const = default;
};

// One line of /proc/self/mountinfo. source: proc_pid_mountinfo(5)
struct MountLine {
  std::string root;
  std::string point;
  std::string type;
  std::string source;
  std::string super_options;  // still escaped: the file system's own text
};
std::optional<MountLine> parse_mount_line(std::string_view line);

// The mount that shows `path`: the last of those with the longest mount point.
std::optional<MountLine> mount_of(std::string_view mountinfo, std::string_view path);

// "\040" -> " ", as seq_file escapes.
std::string unescape_octal(std::string_view text);

// The layers in the super options. Relative ones are as they are: see Overlay's users.
//   errors  unsupported: data-only layers
Result<Overlay> parse_overlay(std::string_view super_options);

}  // namespace caisson::nest

// Names that engines give their containers, read from cgroup paths.
// Layer: tree (pure). Used by forest.cc.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace caisson::tree {

struct EngineName {
  std::string engine;  // docker, podman, cri-o, containerd, lxc, systemd-nspawn, buildkit; empty: none is known
  std::string id;
};

// The innermost container that the path names.
EngineName name_of_cgroup(std::string_view path);

// The last directory of the path that is a name at all: "/a/runc-web.scope/init.scope" is "web"; "": none.
std::string directory_of_cgroup(std::string_view path);

}  // namespace caisson::tree

// Facts: everything the plan needs to know of this machine, asked once and handed down.
// Layer: nest. Filled by gather.cc; plain data, so that tests can say any machine.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "caisson/nest/overlay.h"
#include "caisson/nest/terms.h"
#include "caisson/oci/linux.h"
#include "caisson/procview/procview.h"

namespace caisson::nest {

enum class Idmapping : unsigned char { no, top, recursive };  // what the kernel accepted when it was tried
enum class SourceKind : unsigned char { missing, directory, file, device, other };

struct Source {  // of one bind mount
  SourceKind kind = SourceKind::missing;
  Idmapping idmapping = Idmapping::no;
};

struct RootFacts {
  std::string path;        // absolute, links resolved
  std::string filesystem;  // "ext4", "overlay" ... of the mount that holds it
  bool is_mount = false;   // it is the root of that mount
  std::optional<Overlay> overlay;
  bool can_idmap = false;
};

struct Facts {
  Terms terms;
  std::vector<oci::Device> granted;  // of grants on request: the host's numbers
  std::string bundle;                // absolute
  RootFacts root;
  int last_capability = 40;  // /proc/sys/kernel/cap_last_cap
  std::map<std::string, std::uint64_t> hard_limits;
  bool may_raise_limits = false;  // CAP_SYS_RESOURCE
  std::int32_t oom_score_adj = 0;
  std::map<std::string, Source> sources;  // by the bind mount's source as config.json has it
  std::vector<std::string>
      absent_devices;                  // of the nodes a nest has beyond a plain container's, those not on this host
  std::string docker_data_root;        // of the image's /etc/docker/daemon.json, or empty
  std::vector<std::string> preloaded;  // data roots in which the image has something
  std::string data_directory;          // where data roots are made; empty: there is no suitable file system
  bool data_can_idmap = false;
  std::uint32_t first_id = 0;                   // of the nest's 65,536 host ids
  std::string view;                             // where its view of /proc and /sys is mounted; empty: it has none
  std::vector<procview::Overmount> overmounts;  // of that view, those that this kernel's /proc and /sys have
  std::uint32_t root_uid = 0, root_gid = 0;     // the nest's root, as the host knows it
  std::string listener;  // the socket that takes the trapped calls' descriptor; empty: no call is trapped
  std::string program;   // this executable, for the release hook
  std::vector<std::string> release_arguments;  // argv of the release hook
  std::vector<std::string> release_environment;
};

constexpr std::uint32_t ids_per_nest = 65536;

}  // namespace caisson::nest

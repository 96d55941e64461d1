// Facts: what the kernel and our records say about processes and their namespaces. Plain data.
// Layer: tree. Filled by gather.cc and records.cc, read by forest.cc.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace caisson::tree {

// An inode number; 0: the kernel does not let us see it.
using Namespace = std::uint64_t;

struct Process {
  std::vector<pid_t> pids;  // one a level, ours first
  uid_t uid = 0;            // effective, as we see it
  pid_t parent = 0;         // as we see it; 0: none, or outside
  std::string name;
  std::vector<std::string> command;  // of 4 kB; empty: a kernel thread or a zombie
  std::string cgroup;                // of the first process of a pid namespace
  std::string parent_cgroup;         // the same, of its parent
  Namespace pid_namespace = 0;
  Namespace user_namespace = 0;

  bool is_init() const { return pids.back() == 1; }
  std::size_t level() const { return pids.size() - 1; }
};

struct Extent {
  std::uint32_t inside = 0;
  std::uint32_t ours = 0;
  std::uint32_t size = 0;
};

struct UserNamespace {
  Namespace parent = 0;                         // 0: not known
  std::optional<std::vector<Extent>> map = {};  // absent: none of its processes can be asked
};

// A container that has a record of ours.
struct Known {
  std::string id;
  std::string runtime;  // caisson-runtime or caisson-nest
  std::string profile;  // of a nest
  std::string grants;   // of a nest
};

struct Facts {
  Namespace own_pid_namespace = 0;
  Namespace own_user_namespace = 0;
  std::string host_name;
  bool is_host = false;       // no pid namespace is above ours
  bool hides_others = false;  // this /proc has hidepid
  std::vector<Process> processes;
  std::map<Namespace, Namespace> pid_parents;
  std::map<Namespace, UserNamespace> user_namespaces;
  std::map<pid_t, Known> known;             // by the first process
  std::map<pid_t, std::string> host_names;  // by the first process
};

// ---- the kernel's texts. source: proc(5)

// pids, uid, parent and name. False: not understood.
bool parse_status(std::string_view text, Process& out);
// "0 100000 65536\n".
std::vector<Extent> parse_id_map(std::string_view text);
// The most telling of /proc/PID/cgroup's paths: the longest.
std::string parse_cgroup(std::string_view text);
std::vector<std::string> parse_command(std::string_view text);

}  // namespace caisson::tree

// Gather: reads what the renderers need: the host's texts, the nest's cgroup files, its tasks. Keeps files open.
// Layer: procview. Used by content.cc.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "caisson/procview/numbers.h"
#include "caisson/procview/procview.h"
#include "caisson/sys/unique_fd.h"

namespace caisson::procview {

class Gather {
 public:
  explicit Gather(const Nest& nest);

  // A text of the host, "" when it is not there. Files of fixed number stay open: a read is then one call.
  const std::string& host(const std::string& path);

  // The kernel asks every CPU for its frequency: its text may be up to a second old, the rest of it does not change.
  const std::string& cpuinfo();

  Memory memory();  // but for oom_kills
  std::uint64_t oom_kills();
  CpuUse cpu_use();
  std::vector<unsigned> cpus();   // that it may use: cpuset, quota
  std::vector<unsigned> nodes();  // memory nodes that it may use
  Disks disks();
  Age age();
  // `asking` is not counted: it waits for this answer.
  const Loads& loads(pid_t asking);

  // "/sys/fs/cgroup/unified/X/memory.pressure"; "" where the nest has no v2 cgroup.
  std::string pressure_file(std::string_view resource) const;

  const Nest& nest() const { return nest_; }

 private:
  // One hierarchy: the nest's directory and those above it, innermost first.
  struct Place {
    cgroup::Version version = cgroup::Version::v1;
    std::vector<std::string> levels;
    explicit operator bool() const { return !levels.empty(); }
    const std::string& own() const { return levels.front(); }
  };
  Place place(std::string_view controller) const;
  std::optional<unsigned> quota();
  void count_tasks(pid_t asking);

  const Nest& nest_;
  Place memory_, cpu_, cpuacct_, cpuset_, io_, pids_, unified_;
  std::uint64_t boot_ticks_ = 0;  // of the nest, since the machine's
  struct File {
    sys::UniqueFd fd;
    std::string text;
  };
  std::map<std::string, File> files_;
  std::size_t opened_ = 0;
  double cpuinfo_at_ = -1;
  Loads loads_;
  double loads_at_ = -1;         // the nest's age when they were last counted
  std::uint64_t loads_cpu_ = 0;  // nanoseconds of CPU time then
};

}  // namespace caisson::procview

// CRIU, as a program: its command line for a container that is frozen to files, and for one that comes back.
// Layer: runtime. Used by command_checkpoint.cc and creation.cc.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "caisson/base/result.h"
#include "caisson/runtime/flags.h"
#include "caisson/runtime/plan.h"
#include "caisson/runtime/rootfs.h"

namespace caisson::runtime {

// A mount whose source lies outside of the container: CRIU keeps only that it is there.
struct ExternalMount {
  std::string point;   // inside
  std::string source;  // outside, where it comes from again
};
// Pure. Masks over files are told only for those in `masked`: others hide a directory, with a file system of their own.
std::vector<ExternalMount> external_mounts(const Plan& plan, const std::vector<CgroupMount>& cgroups,
                                           const std::vector<std::string>& masked);
// Of the masked paths, those that /proc/PID/mountinfo shows to be covered by /dev/null. Pure.
std::vector<std::string> masked_files(const Plan& plan, std::string_view mountinfo);

// What 0, 1 and 2 of a process are: "pipe:[7]" as the kernel names them, "file[2a:7]" (mount and inode) for a file that
// is not in the container; "" for all else, which is kept with the process.
Result<std::vector<std::string>> outer_descriptors(pid_t pid);

struct CriuImages {
  std::string images, work;  // directories
};
// --image-path and --work-path, made if they are missing. errors: os
Result<CriuImages> criu_images(const Arguments& arguments);

// Options that both commands have, and runc's names for them. errors: invalid
Result<std::vector<std::string>> common_options(const Arguments& arguments, const CriuImages& images);

struct CriuDump {
  const Plan* plan = nullptr;
  pid_t pid = 0;
  std::vector<ExternalMount> mounts;
  std::vector<std::string> descriptors;
  std::string frozen;  // the cgroup in which the processes are frozen already; CRIU thaws and freezes it again
};
//   errors  not_found: there is no criu; os: with the last error in its log
Result<void> criu_dump(const Arguments& arguments, const CriuImages& images, const CriuDump& dump);

struct CriuRestore {
  const Plan* plan = nullptr;
  std::vector<ExternalMount> mounts;
  std::vector<CgroupMount> cgroups;
  std::string directory;  // for the root's mount point and the pid file
  std::vector<std::string> descriptors;
};
// The pid of the first process, which is reparented to the nearest subreaper.
Result<pid_t> criu_restore(const Arguments& arguments, const CriuImages& images, const CriuRestore& restore);

// What the external mounts are mounted on, in a root that may be a fresh one. Where another mount comes first CRIU
// makes it.
Result<void> make_mount_points(const Plan& plan);

// runc's descriptors.json.
std::string print_descriptors(const std::vector<std::string>& descriptors);
Result<std::vector<std::string>> parse_descriptors(std::string_view text);

}  // namespace caisson::runtime

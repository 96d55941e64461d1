// What the arguments of trapped calls mean: total functions from what a caller wrote, whatever it is, to values.
// Layer: nest (pure). Used by the handlers and by Caller; arguments_fuzz.cc gives them everything else.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "caisson/sys/mount.h"

namespace caisson::nest {

// MS_* of mount(2) as MOUNT_ATTR_* of fsmount(2); what is no attribute of a mount is left out.
std::uint64_t mount_attributes(std::uint64_t flags);

// "ro,hidepid=2": a word without "=" is a flag. Empty words are left out.
std::vector<sys::FilesystemOption> mount_options(std::string_view data);

// mknod's device number. source: new_decode_dev() in linux/kdev_t.h
dev_t device_of(std::uint64_t argument);

// "/proc/self/fd/5/x" is descriptor 5 and "x". number -1: another path.
struct OwnDescriptor {
  int number = -1;
  std::string rest;
};
OwnDescriptor own_descriptor(std::string_view path);

// The directory's path and the name in it of what is to be made. code EEXIST, ENOENT as mknod(2); 0: fine.
struct EntryPath {
  int code = 0;
  std::string parent;
  std::string name;
};
EntryPath entry_path(std::string_view path);

// Ids as the host knows them. source: proc(5), /proc/PID/status
struct Credentials {
  uid_t fsuid = 0;
  gid_t fsgid = 0;
  mode_t umask = 0;
  std::uint64_t effective = 0;  // capabilities, in the caller's own user namespace
  pid_t process = 0;            // the thread group's number

  bool has(unsigned capability) const { return (effective >> capability & 1U) != 0; }
};
Credentials parse_credentials(std::string_view status);

// struct rlimit of setrlimit: two numbers of 64 bits, or of a 32-bit program's 32, of which the largest is "no limit".
struct Limit {
  std::uint64_t soft = 0;
  std::uint64_t hard = 0;
};
Limit parse_limit(std::span<const std::uint8_t> bytes);

// setpriority's, as the kernel bounds it.
int nice_of(int argument);

// ---- extended attributes

bool is_overlay_attribute(std::string_view name);  // "trusted.overlay.opaque"
// Of names, each with a zero byte at its end: without trusted.* that are not overlay's.
std::string visible_attributes(std::string_view names);

// ---- kernel modules, by the names that the kernel has them under: "_" for "-"; "": none

// "/lib/modules/6.1/kernel/net/br-netfilter.ko.xz" is "br_netfilter".
std::string module_of_path(std::string_view path);
// An ELF file's .modinfo says "name=". source: linux include/linux/moduleparam.h
std::string module_of_image(std::string_view image);
// Whether a list of paths, one a line, has this module.
bool lists_module(std::string_view paths, std::string_view name);

// ---- /proc/PID/mountinfo. source: proc_pid_mountinfo(5)

// Mounts of the view on the mount `id`, and others there.
struct Children {
  int view = 0;   // of its view, and masks of ours
  int parts = 0;  // of the same kind: read-only parts of itself
  int others = 0;
};
Children children_of(std::string_view mountinfo, std::uint64_t id);

}  // namespace caisson::nest

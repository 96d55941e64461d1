// Files, whole: open, read, write, create beside and rename, list, lock.
// Layer: sys. Used by everything that reads /proc, cgroup files, state and configuration.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "caisson/base/result.h"
#include "caisson/sys/unique_fd.h"

namespace caisson::sys {

// openat(2) with O_CLOEXEC. `dir` is borrowed: a directory descriptor or AT_FDCWD.
Result<UniqueFd> open_at(int dir, const std::string& path, int flags, mode_t mode = 0);
inline Result<UniqueFd> open_file(const std::string& path, int flags, mode_t mode = 0) {
  return open_at(AT_FDCWD, path, flags, mode);
}

// Reads to the end. Works for /proc and cgroup files, which have size 0.
//   errors  invalid: more than `limit` bytes
Result<std::string> read_all(int fd, std::size_t limit = 64 << 20);
Result<std::string> read_file_at(int dir, const std::string& path, std::size_t limit = 64 << 20);
inline Result<std::string> read_file(const std::string& path, std::size_t limit = 64 << 20) {
  return read_file_at(AT_FDCWD, path, limit);
}

// What the first read(2) gives, up to 4 kB: the whole of a file that the kernel makes as one short record (a cgroup's
// value), and the start of any other.
Result<std::string> read_start_at(int dir, const std::string& path);

// Writes every byte; a short write is continued.
Result<void> write_all(int fd, std::string_view text);

// One write(2) of the whole text to a file that exists: what /proc, /sys and cgroup files need.
Result<void> write_once_at(int dir, const std::string& path, std::string_view text);
inline Result<void> write_once(const std::string& path, std::string_view text) {
  return write_once_at(AT_FDCWD, path, text);
}

// Writes "NAME.tmp.PID" beside and renames: a reader sees the old text or the new, never half.
// Not synced to disk: for state under /run.
Result<void> replace_file_at(int dir, const std::string& name, std::string_view text, mode_t mode);
Result<void> replace_file(const std::string& path, std::string_view text, mode_t mode);

// The same where nobody cleans up after a writer that was killed: nothing is beside at any moment. A file that was
// there is away for a moment. On a file system without O_TMPFILE: as replace_file().
Result<void> place_file(const std::string& path, std::string_view text, mode_t mode);

Result<void> make_directory_at(int dir, const std::string& path, mode_t mode);  // os EEXIST when there
Result<void> make_directories(const std::string& path, mode_t mode);            // mkdir -p, on the host's own paths

bool exists(const std::string& path);
// The machine lacks something (memory, descriptors, a working disk): it says nothing about the file that was asked for.
bool is_shortage(const Error& error);
// For what is destroyed when something else is gone: an error that says nothing about it is not absence.
bool is_absent(const std::string& path);  // follows links; false on any error
Result<struct stat> status_of(int fd);
Result<std::string> read_link_at(int dir, const std::string& path);

struct DirectoryEntry {
  std::string name;
  unsigned char type;  // DT_*
};
// Without "." and "..". `dir` is borrowed, its offset is not used.
Result<std::vector<DirectoryEntry>> list_directory_at(int dir, const std::string& path);
inline Result<std::vector<DirectoryEntry>> list_directory(const std::string& path) {
  return list_directory_at(AT_FDCWD, path);
}

// rm -r below a directory descriptor; never follows a link, never crosses into another mount.
// A path that is not there is success.
Result<void> remove_tree_at(int dir, const std::string& path);

Result<std::uint64_t> filesystem_magic(int fd);  // fstatfs f_type

// flock(2), exclusive. Held as long as the descriptor (and its copies) live.
enum class Wait : bool { no, yes };
//   errors  conflict: somebody holds it and wait is no
Result<UniqueFd> lock_file(const std::string& path, Wait wait);

}  // namespace caisson::sys

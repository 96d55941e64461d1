// What a nest sees in /proc and /sys where the kernel has no namespace: mounts to make, and the server behind them.
// Layer: procview. Used by nest: its plan (overmounts), its shim (connect) and its supervisor (serve, Sysinfo).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/sysinfo.h>
#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "caisson/base/result.h"
#include "caisson/cgroup/placement.h"
#include "caisson/sys/unique_fd.h"

namespace caisson::procview {

// ---- what is to be mounted where. Pure: derived from the one table (table.h).

struct Overmount {
  std::string destination;  // "/proc/meminfo" in the nest; of replayed(), below the new mount: "meminfo"
  std::string source;       // below the root of our file system: "proc/meminfo"
  bool directory = false;
  // Whether it is there depends on the nest's own network namespace and the kernel: to be skipped where the nest's own
  // proc does not have the destination. All others exist in every proc and sysfs of the host.
  bool if_there = false;
};

// Absolute path on the host -> is there.
using Exists = std::function<bool(const std::string& path)>;

// Whether the kernel gives each pid namespace its own kernel.pid_max (6.14): then it stays the kernel's.
enum class PidMax : bool { global, namespaced };

// What is bound over a nest's own /proc and /sys at its start.
std::vector<Overmount> overmounts(const Exists& exists, PidMax pid_max);

// The part that is bound again over each new proc or sysfs that is mounted inside.
enum class Filesystem : bool { proc, sysfs };
std::vector<Overmount> replayed(Filesystem filesystem, const Exists& exists);

// ---- serving

struct Nest {
  cgroup::Placement placement;  // its cgroup; limits above it count too, up to the mount points
  pid_t init = 0;               // host pid of its first process: its start is the nest's boot; 0: not yet, boot is now
  uid_t root_uid = 0;           // the host ids of the nest's root: owner of all files
  gid_t root_gid = 0;
  std::string values;                      // directory of stored values, one small file a node; made if missing
  std::string id;                          // product_uuid ends with its last twelve hexadecimal digits
  std::vector<std::string> block_devices;  // "8:0": what /proc/partitions shows
};

struct Connection {
  sys::UniqueFd fuse;   // the connection: for serve(), now and later. Whoever inherits it in the nest deadlocks its end
  sys::UniqueFd mount;  // the root of our file system, not attached anywhere
};

// Opens /dev/fuse and makes the mount, owned by the host's user namespace, for all users, checked by the kernel
// (default_permissions). Nothing below the root can be looked up before somebody serves.
//   errors  as of the calls; unsupported: no FUSE in this kernel
Result<Connection> connect();

// Aborts the connection: every request fails with ENOTCONN, now and later; nobody waits any more.
//   errors  os: fusectl is not mounted on /sys/fs/fuse/connections
Result<void> abort_connection(const Connection& connection);

enum class Resend : bool {
  no,
  yes,  // the one who served before died: requests that it had read are to be sent again (Linux 6.9)
};

// The nest as it becomes known while somebody serves already: its mounts are made before it has a process.
class Known {
 public:
  // Once; what it points to lives as long as the server.
  void set(const Nest& nest) { nest_.store(&nest); }
  const Nest* get() const { return nest_.load(); }

 private:
  std::atomic<const Nest*> nest_{nullptr};
};

// Where a watchdog looks; both may be null.
struct Progress {
  std::atomic<std::uint64_t>* busy_since = nullptr;  // CLOCK_MONOTONIC in ms while a request is in hand, else 0
  std::atomic<std::uint64_t>* taken = nullptr;       // requests so far
};

// Memory that outlives the server, zero at first. A request is received straight into it and stays there until it is
// answered: a successor finds what a killed server had in hand, also where the kernel does not send it again.
inline constexpr std::size_t inbox_size = 3 * 4096;
struct Inbox {
  char* bytes = nullptr;                           // null: none; at a page's start
  std::atomic<std::uint32_t>* attempts = nullptr;  // servers that have died with what is in it
};

// Serves until the connection ends. Keeps nothing between requests that a successor needs: the process may be killed
// at any moment. May run in several processes on the same connection.
//   before      what is known from the start: values, root_uid, root_gid, id
//   known       null: `before` is all there is. Else a read waits up to two seconds for it
//   inbox       one for each who serves; whoever goes on with it answers what is in it
//   errors  unsupported: `resend` asked for and this kernel (before 6.9) cannot: what the dead had not in an inbox is
//   lost
//           os: the descriptor, or the directory of values
Result<void> serve(int fuse, const Nest& before, const Known* known, Resend resend, Progress progress = {},
                   Inbox inbox = {});

// sysinfo(2) with the numbers of the nest's meminfo, uptime and loadavg. For any thread; keeps the files open that it
// reads.
class Sysinfo {
 public:
  Sysinfo();
  ~Sysinfo();
  Result<struct sysinfo> ask(const Nest& nest);  // the same one each time

 private:
  std::mutex mutex_;
  std::unique_ptr<class Gather> gather_;
};

}  // namespace caisson::procview

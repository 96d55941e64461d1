// What is kept of each container between commands: ROOT/ID/{config.json,state.json,start.fifo}.
// Layer: runtime. Used by every command; the only code that knows the directory's layout.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "caisson/base/result.h"
#include "caisson/oci/spec.h"
#include "caisson/oci/state.h"
#include "caisson/sys/unique_fd.h"

namespace caisson::runtime {

inline constexpr char start_fifo_name[] = "start.fifo";  // there from before the pid is saved until `start`

struct ContainerState {
  std::string oci_version;
  std::string id;
  pid_t pid = 0;                 // 0 until init is made
  std::uint64_t start_time = 0;  // of pid, clock ticks since boot (sys::process_stat)
  std::string created;           // RFC 3339, UTC
  std::string bundle;            // absolute
  std::string rootfs;            // absolute
  std::string owner;             // user name
  std::map<std::string, std::string> annotations;
  std::string cgroup;  // cgroup::Placement as text
  std::string rdt;     // RdtGroup as text
  bool systemd_cgroup = false;
  std::string systemd_unit;       // with the systemd driver: "runc-ID.scope"
  bool systemd_user = false;      // its unit is the user's own systemd's
  bool own_pid_namespace = true;  // false: killing init does not kill the rest
};

// state.json. Paths come back byte for byte.
std::string print_state_file(const ContainerState& state);
Result<ContainerState> parse_state_file(std::string_view text);

enum class Status : unsigned char { creating, created, running, paused, stopped };
std::string_view name_of(Status status);

// The state of the runtime-spec, without what only the state command adds. pid is 0 when it is stopped.
oci::State oci_state(const ContainerState& state, Status status);
std::string print_oci_state(const ContainerState& state, Status status);  // one line: what hooks read

enum class Lock : bool { no, yes };

// One container's directory, opened. Holding the lock (from create(), or open() with Lock::yes) makes
// its owner the only one who creates, starts or deletes this container. The lock is the descriptor's:
// a child that keeps fd() open across clone holds it too, so close_range() first.
class Record {
 public:
  Record(Record&& other) noexcept = default;
  Record& operator=(Record&&) = delete;
  Record(const Record&) = delete;
  Record& operator=(const Record&) = delete;
  ~Record();  // removes a directory from create() that was not kept

  int fd() const { return fd_.get(); }  // borrowed: the directory
  const std::string& id() const { return id_; }
  const std::string& path() const { return path_; }

  ContainerState fresh_state() const;  // id, created (now), owner
  Result<void> save(const ContainerState& state) const;
  //   errors  not_found: `container ID does not exist`; invalid: state.json is damaged
  Result<ContainerState> load() const;

  Result<void> save_config(std::string_view text) const;
  Result<std::string> config_text() const;
  Result<oci::Spec> config() const;

  Result<bool> has_start_fifo() const;
  bool try_lock() const;
  //   errors  conflict: another command works on it for longer than that
  Result<void> lock(std::chrono::milliseconds limit) const;

  void keep() { made_ = false; }  // the container exists from here on
  void unlock() { fd_.reset(); }  // nothing but id() and path() may be used after it

 private:
  friend class StateStore;
  Record(sys::UniqueFd fd, std::string id, std::string path, bool made)
      : fd_(std::move(fd)), id_(std::move(id)), path_(std::move(path)), made_(made) {}
  sys::UniqueFd fd_;
  std::string id_;
  std::string path_;
  bool made_;
};

// What ROOT says a container's pid is doing. Frozen or not is the cgroup's to say: created and running
// may be paused too (commands.h, current_status).
Result<Status> status_of(const Record& record, const ContainerState& state);

class StateStore {
 public:
  explicit StateStore(std::string root) : root_(std::move(root)) {}
  const std::string& root() const { return root_; }

  // A new directory, locked, gone again with the Record unless keep() is called. What a creator that was
  // killed left behind is replaced.
  //   errors  invalid: `invalid container ID format`; conflict: `container with given ID already exists`
  Result<Record> create(const std::string& id) const;

  // Lock::yes waits until no other command creates, starts or deletes it.
  //   errors  not_found: `container ID does not exist`
  Result<Record> open(const std::string& id, Lock lock = Lock::no) const;

  // Forgets the container: all but state.json first, so that a remove that is cut short can be repeated.
  // The record must hold the lock, or (damaged state) be the directory that has the name now.
  Result<void> remove(Record record) const;

  Result<std::vector<std::string>> ids() const;  // sorted; empty when ROOT is not there; sweeps too

  // Takes away the nameless directories of creators that were killed; best effort.
  void sweep() const { (void)ids(); }

 private:
  std::string path_of(const std::string& id) const { return root_ + "/" + id; }
  Result<Record> open_directory(const std::string& id) const;
  Result<Record> make_beside(const std::string& id) const;
  std::string root_;
};

}  // namespace caisson::runtime

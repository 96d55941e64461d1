// What is on disk about nests: who holds which directory, and which data belongs to whom. Crash-safe: everything is
// made under one lock, and whatever a crash leaves is found and finished by the next command.
// Layer: nest. Used by create.cc, exec.cc and release.cc.
// SPDX-License-Identifier: Apache-2.0
//
// STATE/KEY/             0700; kept while the container's root file system exists and the nest has data (DESIGN D6)
//   record.json          id, identity of the root, first host id
//   root                 a link to the root's identity: when it dangles, the container is gone for good
//   live                 a link to HASH/ID while there is a container
//   data/var-lib-docker  a data root, id-mapped into the nest
// RUN/HASH/ID/           0700; a nest between create and delete. HASH stands for the runtime's --root
//   config.json          the bundle the runtime is given
//   nest.json            key, creator's pid and start time, claims, overlay work directory
//   shim.sock            where its shim listens (shim/shim.h)
//   view/, values/       its /proc and /sys (procview), and what was written there
//   supervisor.log       what a supervisor had to say before it ended
// RUN/HASH/@root         a link to the runtime's --root: whose ID is not in there, and whose creator ended, is over
// RUN/claims/DEV-INODE   a link to HASH/ID: the one nest that may have this directory for its engine's data
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "caisson/base/result.h"
#include "caisson/sys/unique_fd.h"

namespace caisson::nest {

struct Places {
  std::string state = "/var/lib/caisson/nests";
  std::string run = "/run/caisson/nest";
  std::string runtime = "/proc/self/exe";  // asked for a container's state, as `caisson-runtime`
};

// A container as its engine knows it.
struct Name {
  std::string runtime_root;
  std::string id;
};

// What stays after `delete`.
struct Record {
  std::string key;
  std::string id;
  std::string identity;      // the root: an overlay's upper directory, or the root directory
  std::uint64_t device = 0;  // st_dev of the identity's file system: an unmounted disk is not a deleted container
  std::uint32_t first_id = 0;
};

// What goes with `delete`.
struct Live {
  Name name;
  std::string key;
  std::int64_t creator = 0;  // pid
  std::uint64_t creator_start = 0;
  std::vector<std::string> claims;  // names in RUN/claims
  std::string work;                 // an overlay work directory of ours, or empty
};

std::string run_directory(const Places& places, const Name& name);
inline constexpr char view_name[] = "view";      // below it: where the view of /proc and /sys is mounted
inline constexpr char values_name[] = "values";  // what was written to it; belongs to the nest's root

// "web1-0f3a...": the ID and a hash of the root's identity, so that an ID used again never meets another's data.
std::string key_of(std::string_view id, std::string_view identity);

class Store {
 public:
  // Makes the directories and takes the lock, which is held until the Store is gone.
  static Result<Store> open(const Places& places);

  const Places& places() const { return places_; }
  std::string directory(const std::string& key) const { return places_.state + "/" + key; }
  std::string run_directory(const Name& name) const { return nest::run_directory(places_, name); }

  Result<Record> find(const std::string& key) const;  // errors  not_found
  Result<std::vector<Record>> all() const;
  // A record that is there is kept, with its ids; else one is made, with a range of its own.
  Result<Record> make(const std::string& id, const std::string& identity, bool with_ids);
  // For a nest that keeps nothing of its own: ids under a key of this container alone, and no directory.
  Result<Record> make_passing(const Name& name, const std::string& identity, bool with_ids) const;
  // Removes KEY if none of its data roots holds anything.
  Result<void> drop_if_empty(const std::string& key);
  // KEY is nobody's from now on; what is in it goes with sweep(). The caller knows that the nest is not alive.
  Result<void> remove(const std::string& key);
  // Gives up what belongs to containers whose root is gone. Never fails for one that cannot be renamed.
  Result<void> prune();

  Result<Live> find_live(const Name& name) const;  // errors  not_found
  Result<void> write_live(const Live& live);
  // Claims the directories that exist. errors  conflict: naming the nest that has one of them
  Result<void> claim(Live& live, const std::vector<std::string>& directories);
  // Forgets a live nest: claims, work directory, bundle; then its record if it has no data.
  Result<void> release(const Name& name);
  // What commands that were killed left of this nest, also before anything named it. One that is alive stays.
  Result<void> clear(const Name& name);
  // errors  conflict: a nest of the same ID and root, but of another --root, is alive
  Result<void> check_key(const std::string& key, const Name& name) const;
  bool has_live(const std::string& key) const;
  // Whether its container exists: asks the runtime. A creator that still runs counts.
  bool is_alive(const Live& live) const;

 private:
  explicit Store(Places places) : places_(std::move(places)) {}
  std::string claims() const { return places_.run + "/claims"; }
  Result<void> prune_live();
  // Frees what containers of this ID hold and is neither on disk nor in use: no key of `live` is touched.
  Result<void> drop_unused(const std::string& id, const std::vector<std::string>& live);
  bool is_claimed_by_another(const std::string& claim, const Name& name, std::string& holder);

  Places places_;
  sys::UniqueFd lock_;
};

// Removes what Store::remove() and prune() gave up, and frees its ids. Without the lock: it may take long, and does not
// keep anybody from starting. Cut short, it goes on where it was.
Result<void> sweep(const Places& places);

}  // namespace caisson::nest

// The part of the store that goes with `delete`: who is alive, and who holds which directory.
// Layer: nest. Declared in record.h.
// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>

#include "caisson/nest/quarters.h"
#include "caisson/nest/record.h"
#include "caisson/oci/document.h"
#include "caisson/shim/shim.h"
#include "caisson/sys/directory.h"
#include "caisson/sys/execute.h"
#include "caisson/sys/file.h"
#include "caisson/sys/link.h"
#include "caisson/sys/mount.h"
#include "caisson/sys/process_stat.h"

namespace caisson::nest {
namespace {

// A container's run directory relative to RUN: its root's hash and its ID, which has no '/'.
std::string relative(const Name& name) { return key_of("root", name.runtime_root).substr(5) + "/" + name.id; }

Result<Live> read_live(const std::string& directory) {
  auto text = sys::read_file(directory + "/nest.json");
  if (!text && text.error().is(ENOENT)) return Error::of(Kind::not_found, "not a nest");
  if (!text) return std::move(text).error();
  const oci::Document document = TRY(oci::Document::parse(*text, directory + "/nest.json"));
  Live out;
  out.name.runtime_root = TRY(document.get_string({"runtimeRoot"})).value_or("");
  out.name.id = TRY(document.get_string({"id"})).value_or("");
  out.key = TRY(document.get_string({"key"})).value_or("");
  out.creator = TRY(document.get_integer({"creator"})).value_or(0);
  const auto start = TRY(document.get_integer({"creatorStart"}));
  out.creator_start = static_cast<std::uint64_t>(start.value_or(0));
  out.claims = TRY(document.get_strings({"claims"}));
  out.work = TRY(document.get_string({"work"})).value_or("");
  return out;
}

// Neither absent nor damaged: the kernel would not say. Nothing may be taken away because of that.
bool is_unknown(const Error& error) { return error.code() != 0; }

// STATE/KEY/live, followed by hand: RUN/HASH/ID.
std::string live_of(const Store& store, const std::string& key) {
  const auto link = sys::read_link_at(AT_FDCWD, store.directory(key) + "/live");
  return store.places().run + "/" + (link ? *link : ".none");
}

Result<void> remove_if_there(const std::string& path) {
  auto removed = sys::remove_file(path);
  if (!removed && !removed.error().is(ENOENT)) return removed;
  return ok();
}

// It ends with its nest. One that is still there has none: its container was never made.
void stop_shim(const std::string& directory) { (void)shim::ask(directory, "stop", -1, std::chrono::seconds(5)); }

// RUN/HASH, after the last nest of that --root.
void forget_root(const std::string& top) {
  auto entries = sys::list_directory(top);
  const auto is_link = [](const auto& entry) {
    return entry.name.starts_with("@root");
  };  // or what is left of making it
  if (!entries || !std::ranges::all_of(*entries, is_link)) return;
  for (const sys::DirectoryEntry& entry : *entries) (void)sys::remove_file(top + "/" + entry.name);
  (void)sys::remove_directory(top);
}

std::string above(const std::string& directory) { return directory.substr(0, directory.rfind('/')); }

Result<void> write_live_in(const std::string& directory, const Live& live) {
  TRY(sys::make_directories(above(directory), 0711));
  const std::string root = above(directory) + "/@root";
  if (!sys::exists(root)) TRY(sys::replace_link(root, live.name.runtime_root));
  TRY(sys::make_directories(directory, 0700));
  oci::Document document;
  document.set({"runtimeRoot"}, live.name.runtime_root);
  document.set({"id"}, live.name.id);
  document.set({"key"}, live.key);
  document.set({"creator"}, live.creator);
  document.set({"creatorStart"}, static_cast<std::int64_t>(live.creator_start));
  document.set({"claims"}, live.claims);
  document.set({"work"}, live.work);
  return sys::replace_file(directory + "/nest.json", document.print(), 0600);
}

// The runtime's own answer: it alone knows. Anything but a clear "gone" counts as alive.
bool runtime_has(const std::string& program, const Name& name) {
  auto finished =
      sys::execute(program, {"caisson-runtime", "--root", name.runtime_root, "state", name.id}, sys::Stdout::capture);
  if (!finished) return true;
  if (finished->status != 0) return !sys::is_absent(name.runtime_root + "/" + name.id);
  auto state = oci::Document::parse(finished->output, "state");
  if (!state) return true;
  auto status = state->get_string({"status"});
  return !status || !*status || **status != "stopped";
}

}  // namespace

std::string run_directory(const Places& places, const Name& name) { return places.run + "/" + relative(name); }

Result<Live> Store::find_live(const Name& name) const { return read_live(run_directory(name)); }

Result<void> Store::write_live(const Live& live) {
  const std::string directory = run_directory(live.name);
  auto written = write_live_in(directory, live);
  if (!written) {  // without its nest.json nobody would find it
    (void)sys::remove_tree_at(AT_FDCWD, directory);
    forget_root(above(directory));
    return written;
  }
  if (sys::is_absent(this->directory(live.key))) return ok();
  return sys::replace_link(this->directory(live.key) + "/live", relative(live.name));
}

bool Store::has_live(const std::string& key) const {
  const auto link = sys::read_link_at(AT_FDCWD, directory(key) + "/live");
  if (!link) return !link.error().is(ENOENT);
  return !sys::is_absent(places_.run + "/" + *link + "/nest.json");
}

Result<void> Store::check_key(const std::string& key, const Name& name) const {
  auto other = read_live(live_of(*this, key));
  if (!other && is_unknown(other.error())) return std::move(other).error();
  if (!other || relative(other->name) == relative(name) || !is_alive(*other)) return ok();
  return Error::of(Kind::conflict,
                   "nest " + other->name.id + " of " + other->name.runtime_root + " has this root file system");
}

bool Store::is_alive(const Live& live) const {
  const auto running = sys::is_running(static_cast<pid_t>(live.creator), live.creator_start);
  if (!running || *running) return true;  // in doubt it is: its data must not be given away
  return runtime_has(places_.runtime, live.name);
}

bool Store::is_claimed_by_another(const std::string& claim, const Name& name, std::string& holder) {
  const auto link = sys::read_link_at(AT_FDCWD, claims() + "/" + claim);
  if (!link && link.error().is(ENOENT)) return false;
  holder = "(unknown)";
  if (!link) return true;
  if (*link == relative(name)) return false;
  auto live = read_live(places_.run + "/" + *link);
  if (!live) return is_unknown(live.error());
  if (!is_alive(*live)) return false;
  holder = live->name.id;
  return true;
}

Result<void> Store::claim(Live& live, const std::vector<std::string>& directories) {
  std::vector<std::string> wanted;
  for (const std::string& directory : directories) {
    auto fd = sys::open_file(directory, O_PATH | O_DIRECTORY);
    if (!fd && (fd.error().is(ENOENT) || fd.error().is(ENOTDIR))) continue;
    if (!fd) return std::move(fd).error();
    const struct stat status = TRY(sys::status_of(fd->get()));
    const std::string claim = std::to_string(major(status.st_dev)) + ":" + std::to_string(minor(status.st_dev)) + "-" +
                              std::to_string(status.st_ino);
    std::string holder;
    if (is_claimed_by_another(claim, live.name, holder))
      return Error::of(Kind::conflict,
                       directory + " is in use by nest " + holder + ": two engines on the same data would destroy it");
    wanted.push_back(claim);
  }
  live.claims = wanted;
  TRY(write_live(live));  // before the links: a claim without its nest is void, a nest without its claim is not
  for (const std::string& claim : wanted) TRY(sys::replace_link(claims() + "/" + claim, relative(live.name)));
  return ok();
}

Result<void> Store::prune_live() {
  auto roots = TRY(sys::list_directory(places_.run));
  for (const sys::DirectoryEntry& root : roots) {
    if (root.type != DT_DIR || root.name == "claims") continue;
    const std::string top = places_.run + "/" + root.name;
    auto nests = TRY(sys::list_directory(top));
    for (const sys::DirectoryEntry& nest : nests) {
      if (nest.type != DT_DIR || !sys::is_absent(top + "/@root/" + nest.name)) continue;
      auto live = read_live(top + "/" + nest.name);
      if (!live && is_unknown(live.error())) continue;
      if (!live) {
        (void)sys::remove_tree_at(AT_FDCWD, top + "/" + nest.name);
        continue;
      }
      const auto running = sys::is_running(static_cast<pid_t>(live->creator), live->creator_start);
      if (running && !*running) (void)release(live->name);
    }
  }
  return ok();
}

Result<void> Store::clear(const Name& name) {
  auto live = find_live(name);
  if (live) return is_alive(*live) ? ok() : release(name);
  if (is_unknown(live.error())) return std::move(live).error();
  TRY(sys::remove_tree_at(AT_FDCWD, run_directory(name)));
  forget_root(above(run_directory(name)));
  std::vector<std::string> keys;
  const auto roots = TRY(sys::list_directory(places_.run));
  for (const sys::DirectoryEntry& root : roots) {
    auto other = read_live(places_.run + "/" + root.name + "/" + name.id);
    if (other) keys.push_back(other->key);
    if (!other && is_unknown(other.error()) && !other.error().is(ENOTDIR)) return std::move(other).error();
  }
  return drop_unused(name.id, keys);
}

Result<void> Store::release(const Name& name) {
  const Live live = TRY(find_live(name));
  for (const std::string& claim : live.claims) {
    const std::string path = claims() + "/" + claim;
    const auto holder = sys::read_link_at(AT_FDCWD, path);
    if (holder && *holder == relative(name)) TRY(remove_if_there(path));
  }
  if (!live.work.empty()) TRY(sys::remove_tree_at(AT_FDCWD, live.work));
  const std::string directory = run_directory(name);
  stop_shim(directory);
  remove_quarters(directory);
  (void)sys::detach_mount(directory + "/" + view_name);
  TRY(sys::remove_tree_at(AT_FDCWD, directory));
  forget_root(above(directory));
  if (live.key.empty()) return ok();
  TRY(remove_if_there(this->directory(live.key) + "/live"));
  TRY(drop_if_empty(live.key));
  return ok();
}

}  // namespace caisson::nest

#include "caisson/cgroup/tree.h"

#include <dirent.h>

#include <algorithm>

#include "caisson/cgroup/files.h"
#include "caisson/sys/backoff.h"
#include "caisson/sys/directory.h"
#include "caisson/sys/file.h"

namespace caisson::cgroup {
namespace {

constexpr mode_t group_mode = 0755;

std::string parent(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == path.npos || slash == 0 ? "/" : path.substr(0, slash);
}

// "/a/b" -> "/a", "/a/b"
std::vector<std::string> prefixes(const std::string& path) {
  std::vector<std::string> out;
  for (std::size_t at = 1; at <= path.size(); ++at)
    if (at == path.size() || path[at] == '/') out.push_back(path.substr(0, at));
  return out;
}

struct Cpuset {
  std::string cpus, mems;
};

Result<Cpuset> read_cpuset(const std::string& directory) {
  Cpuset out;
  out.cpus = TRY(read_short_value(directory, "cpuset.cpus"));
  out.mems = TRY(read_short_value(directory, "cpuset.mems"));
  return out;
}

// The cpuset at `path` below the mount point, after it and its ancestors have been filled.
Result<Cpuset> filled_cpuset(const std::string& mount_point, const std::string& path) {
  const std::string here = path == "/" ? mount_point : mount_point + path;
  Cpuset own = TRY(read_cpuset(here));
  if (path == "/" || (!own.cpus.empty() && !own.mems.empty())) return own;
  const Cpuset above = TRY(filled_cpuset(mount_point, parent(path)));
  if (own.cpus.empty()) TRY(write_value(here, "cpuset.cpus", above.cpus));
  if (own.mems.empty()) TRY(write_value(here, "cpuset.mems", above.mems));
  if (own.cpus.empty()) own.cpus = above.cpus;
  if (own.mems.empty()) own.mems = above.mems;
  return own;
}

// One attempt; false when something below is busy.
Result<bool> try_remove(const std::string& path) {
  auto removed = sys::remove_directory(path);
  if (removed || is_gone(removed.error())) return true;
  if (!removed.error().is(EBUSY) && !removed.error().is(ENOTEMPTY)) return std::move(removed).error();
  std::vector<std::string> groups = list_groups(path);
  if (groups.size() <= 1) return false;
  for (auto group = groups.rbegin(); group != groups.rend(); ++group) {
    removed = sys::remove_directory(*group);
    if (removed || is_gone(removed.error())) continue;
    if (!removed.error().is(EBUSY) && !removed.error().is(ENOTEMPTY)) return std::move(removed).error();
    if (group + 1 == groups.rend()) return false;
  }
  return true;
}

}  // namespace

Result<void> make_group(const Directory& directory, std::vector<std::string>& made) {
  const std::string whole = directory.absolute();
  auto done = sys::make_directory_at(AT_FDCWD, whole, group_mode);
  if (done) {
    made.push_back(whole);
    return ok();
  }
  if (done.error().is(EEXIST)) return ok();
  // A parent can go while we are below it, when another creation that made it fails: then once more from the top.
  for (int attempt = 0; attempt < 100 && !done && done.error().is(ENOENT); ++attempt) {
    for (const std::string& part : prefixes(directory.path)) {
      const std::string path = directory.mount_point + part;
      done = sys::make_directory_at(AT_FDCWD, path, group_mode);
      if (done) made.push_back(path);
      if (!done && done.error().is(EEXIST)) done = ok();
      if (!done) break;
    }
  }
  return done;
}

Result<void> remove_group(const std::string& path, std::chrono::milliseconds limit) {
  sys::Backoff backoff(limit);
  for (;;) {
    const bool removed = TRY(try_remove(path));
    if (removed) return ok();
    if (!backoff.wait()) return Error::os(EBUSY, "rmdir").during(path);
  }
}

Result<void> inherit_cpuset(const Directory& directory, CpusetOwn own) {
  if (own.cpus && own.mems) {  // the parents must have some all the same
    TRY(filled_cpuset(directory.mount_point, parent(directory.path)));
    return ok();
  }
  const std::string here = directory.absolute();
  const Cpuset above = TRY(filled_cpuset(directory.mount_point, parent(directory.path)));
  if (!own.cpus) TRY(write_value(here, "cpuset.cpus", above.cpus));
  if (!own.mems) TRY(write_value(here, "cpuset.mems", above.mems));
  return ok();
}

void enable_controllers(const Directory& directory, const std::vector<std::string>& controllers, Top top) {
  auto missing_in = [&](const std::string& group) {
    auto text = read_value(group, "cgroup.subtree_control");
    const std::vector<std::string> enabled = text ? split_words(*text) : std::vector<std::string>();
    std::vector<std::string> missing;
    for (const std::string& controller : controllers)
      if (std::find(enabled.begin(), enabled.end(), controller) == enabled.end()) missing.push_back(controller);
    return missing;
  };
  const std::string above = parent(directory.path);
  if (missing_in(above == "/" ? directory.mount_point : directory.mount_point + above).empty()) return;
  std::vector<std::string> chain;
  if (top == Top::enable) chain.push_back(directory.mount_point);
  if (above != "/")
    for (const std::string& part : prefixes(above)) chain.push_back(directory.mount_point + part);
  for (const std::string& group : chain) {
    const std::vector<std::string> missing = missing_in(group);
    std::string all;
    for (const std::string& controller : missing) all += (all.empty() ? "+" : " +") + controller;
    if (all.empty() || write_value(group, "cgroup.subtree_control", all)) continue;
    if (missing.size() == 1) continue;
    // One refused, so all were: each by itself.
    for (const std::string& controller : missing) (void)write_value(group, "cgroup.subtree_control", "+" + controller);
  }
}

Result<void> settle_type(const Directory& directory, bool needs_domain) {
  auto type = read_value(directory.absolute(), "cgroup.type");
  if (!type || *type == "domain") return ok();  // the file is missing only in the root
  if (needs_domain)
    return Error::of(Kind::conflict, "cannot enter cgroupv2 \"" + directory.absolute() +
                                         "\" with domain controllers -- it is in " +
                                         (*type == "domain invalid" ? "an invalid state" : *type + " mode"));
  if (*type == "domain invalid") return write_value(directory.absolute(), "cgroup.type", "threaded");
  return ok();
}

std::vector<std::string> list_groups(const std::string& path) {
  std::vector<std::string> out = {path};
  std::size_t kept = 0;  // out[0, kept) exist; the rest is still to be looked at
  while (kept < out.size()) {
    const std::string group = out[kept];
    auto links = sys::link_count(group);
    if (!links) {
      out.erase(out.begin() + static_cast<std::ptrdiff_t>(kept));
      continue;
    }
    ++kept;
    if (*links == 2) continue;  // holds no directory: spares listing the files
    auto entries = sys::list_directory(group);
    if (!entries) continue;
    for (const sys::DirectoryEntry& entry : *entries)
      if (entry.type == DT_DIR) out.push_back(group + "/" + entry.name);
  }
  return out;
}

}  // namespace caisson::cgroup

#include "caisson/runtime/state.h"

#include <sys/file.h>

#include <algorithm>

#include "caisson/oci/validate.h"
#include "caisson/runtime/passwd.h"
#include "caisson/sys/backoff.h"
#include "caisson/sys/clock.h"
#include "caisson/sys/file.h"
#include "caisson/sys/process_stat.h"
#include "caisson/sys/raw.h"

namespace caisson::runtime {
namespace {

constexpr mode_t directory_mode = 0711;
constexpr char state_name[] = "state.json";
constexpr char config_name[] = "config.json";
constexpr char nameless = '~';  // begins no container's ID

Error does_not_exist(std::string_view id) {
  // runc says "container does not exist", crun names the container: callers look for either.
  return Error::of(Kind::not_found, "container does not exist: container " + std::string(id) + " does not exist");
}

Error already_exists() { return Error::of(Kind::conflict, "container with given ID already exists"); }

// Whose container it is, as `list` shows it.
std::string user_name(uid_t uid) {
  if (uid == 0) return "root";
  if (const auto passwd = sys::read_file("/etc/passwd"))
    if (const auto user = find_user(*passwd, uid)) return std::string(user->name);
  return std::to_string(uid);
}

// Everything but state.json, then state.json.
Result<void> empty_directory(int dir) {
  const auto entries = TRY(sys::list_directory_at(dir, "."));
  auto remove = [&](const std::string& name) -> Result<void> {
    if (sys::raw::call(SYS_unlinkat, dir, name.c_str(), 0) == 0) return ok();
    return sys::remove_tree_at(dir, name);
  };
  for (const sys::DirectoryEntry& entry : entries)
    if (entry.name != state_name) TRY(remove(entry.name));
  return remove(state_name);
}

bool lock_directory(int fd) { return sys::raw::call_retrying(SYS_flock, fd, LOCK_EX | LOCK_NB) == 0; }

Result<bool> has_entry(int dir, const char* name) {
  const long r = sys::raw::call(SYS_faccessat, dir, name, F_OK);
  if (r < 0 && r != -ENOENT) return Error::os(static_cast<int>(-r), "access").during(name);
  return r == 0;
}

// Is `path` still this directory, and not a later one of the same name?
Result<bool> is_named(int dir, const std::string& path) {
  const struct stat ours = TRY(sys::status_of(dir));
  struct stat named{};
  if (::lstat(path.c_str(), &named) < 0) {
    if (errno == ENOENT) return false;
    return Error::os(errno, "stat").during(path);
  }
  return ours.st_ino == named.st_ino && ours.st_dev == named.st_dev;
}

// Opened, locked and still there; nothing when it is somebody else's.
Result<sys::UniqueFd> take_directory(const std::string& path) {
  auto fd = sys::open_file(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!fd && fd.error().is(ENOENT)) return sys::UniqueFd();
  if (!fd) return fd;
  const long r = sys::raw::call_retrying(SYS_flock, fd->get(), LOCK_EX | LOCK_NB);
  if (r == -EWOULDBLOCK) return sys::UniqueFd();
  if (r < 0) return Error::os(static_cast<int>(-r), "flock").during(path);
  const bool named = TRY(is_named(fd->get(), path));
  if (!named) return sys::UniqueFd();
  return fd;
}

// A creator holds the lock of its own from before it looks at it again until it renames it.
void remove_if_left(const std::string& path) {
  const auto fd = take_directory(path);
  if (fd && *fd) (void)sys::raw::call(SYS_unlinkat, AT_FDCWD, path.c_str(), AT_REMOVEDIR);
}

}  // namespace

Record::~Record() {
  if (!fd_ || !made_) return;
  (void)empty_directory(fd_.get());  // best effort: a directory without state.json is replaced by the next create
  (void)sys::raw::call(SYS_unlinkat, AT_FDCWD, path_.c_str(), AT_REMOVEDIR);
}

bool Record::try_lock() const { return lock_directory(fd_.get()); }

Result<void> Record::lock(std::chrono::milliseconds limit) const {
  sys::Backoff backoff(limit);
  while (!try_lock())
    if (!backoff.wait()) return Error::of(Kind::conflict, "container " + id_ + " is in use by another command");
  return ok();
}

ContainerState Record::fresh_state() const {
  ContainerState out;
  out.id = id_;
  out.created = sys::rfc3339_nano(sys::wall_clock());
  out.owner = user_name(::geteuid());
  return out;
}

Result<void> Record::save(const ContainerState& state) const {
  return sys::replace_file_at(fd_.get(), state_name, print_state_file(state), 0600);
}

Result<ContainerState> Record::load() const {
  auto text = sys::read_file_at(fd_.get(), state_name);
  if (!text && text.error().is(ENOENT)) return does_not_exist(id_);  // removed while we waited, or being created
  if (!text) return std::move(text).error().during("container " + id_);
  auto state = TRY(parse_state_file(*text).during("container " + id_));
  if (state.id != id_) return Error::of(Kind::invalid, "container " + id_ + ": state.json is damaged: id");
  return state;
}

Result<void> Record::save_config(std::string_view text) const {
  return sys::replace_file_at(fd_.get(), config_name, text, 0600);
}

Result<std::string> Record::config_text() const {
  return sys::read_file_at(fd_.get(), config_name).during("container " + id_);
}

Result<oci::Spec> Record::config() const {
  const std::string text = TRY(config_text());
  return oci::parse_spec(text).during("container " + id_);
}

Result<bool> Record::has_start_fifo() const { return has_entry(fd_.get(), start_fifo_name); }

Result<Status> status_of(const Record& record, const ContainerState& state) {
  if (state.pid == 0) {
    // Either somebody is creating it and holds the lock, or that somebody was killed.
    if (!record.try_lock()) return Status::creating;
    return Status::stopped;
  }
  const bool running = TRY(sys::is_running(state.pid, state.start_time));
  if (!running) return Status::stopped;
  const bool waits = TRY(record.has_start_fifo());
  return waits ? Status::created : Status::running;
}

Result<Record> StateStore::open_directory(const std::string& id) const {
  TRY(oci::validate_id(id));
  const std::string path = path_of(id);
  auto fd = sys::open_file(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!fd && (fd.error().is(ENOENT) || fd.error().is(ENAMETOOLONG))) return does_not_exist(id);
  if (!fd) return std::move(fd).error();
  return Record(std::move(*fd), id, path, false);
}

Result<Record> StateStore::open(const std::string& id, Lock lock) const {
  Record record = TRY(open_directory(id));
  if (lock == Lock::yes)
    if (const long r = sys::raw::call_retrying(SYS_flock, record.fd(), LOCK_EX); r < 0)
      return Error::os(static_cast<int>(-r), "flock").during(record.path());
  return record;
}

// A locked directory under a name that no container can have: the first that nobody holds. Killed before it is renamed,
// its maker leaves an empty one, which the next creator takes, or sweep().
Result<Record> StateStore::make_beside(const std::string& id) const {
  for (int attempt = 0; attempt < 4096; ++attempt) {
    const std::string path = root_ + "/" + nameless + std::to_string(attempt);
    auto made = sys::make_directory_at(AT_FDCWD, path, directory_mode);
    if (!made && made.error().is(ENOENT)) {
      TRY(sys::make_directories(root_, directory_mode));
      made = sys::make_directory_at(AT_FDCWD, path, directory_mode);
    }
    if (!made && !made.error().is(EEXIST)) return std::move(made).error();
    auto fd = take_directory(path);
    if (fd && *fd) return Record(std::move(*fd), id, path, true);
    if (!fd) {
      if (made) (void)sys::raw::call(SYS_unlinkat, AT_FDCWD, path.c_str(), AT_REMOVEDIR);
      return std::move(fd).error();
    }
  }
  return Error::of(Kind::conflict, "cannot make a directory in " + root_);
}

// Renamed only when it is locked: whoever finds ROOT/ID without a lock and without state.json knows that its creator
// is dead.
Result<Record> StateStore::create(const std::string& id) const {
  TRY(oci::validate_id(id));
  Record out = TRY(make_beside(id));
  const std::string path = path_of(id);
  for (int attempt = 0; attempt < 8; ++attempt) {
    const long r = sys::raw::call(SYS_renameat2, AT_FDCWD, out.path_.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE);
    if (r == 0) {
      out.path_ = path;
      return out;
    }
    if (r == -ENAMETOOLONG) return Error::of(Kind::invalid, "invalid container ID format: longer than a file name");
    if (r != -EEXIST) return Error::os(static_cast<int>(-r), "renameat2").during(path);
    const auto there = open_directory(id);
    if (!there && there.error().kind() == Kind::not_found) continue;  // removed meanwhile
    if (!there) return there.error();
    if (!(*there).try_lock()) return already_exists();
    const bool complete = TRY(has_entry((*there).fd(), state_name));
    if (complete) return already_exists();
    const bool still = TRY(is_named((*there).fd(), path));
    if (!still) continue;  // replaced before we had the lock
    TRY(empty_directory((*there).fd()));
    (void)sys::raw::call(SYS_unlinkat, AT_FDCWD, path.c_str(), AT_REMOVEDIR);  // the rename tells
  }
  return already_exists();
}

Result<void> StateStore::remove(Record record) const {
  const bool named = TRY(is_named(record.fd(), record.path()));
  if (!named) return does_not_exist(record.id());
  TRY(empty_directory(record.fd()).during("container " + record.id()));
  const long r = sys::raw::call(SYS_unlinkat, AT_FDCWD, record.path().c_str(), AT_REMOVEDIR);
  if (r < 0) return Error::os(static_cast<int>(-r), "rmdir").during(record.path());
  record.keep();
  return ok();
}

Result<std::vector<std::string>> StateStore::ids() const {
  std::vector<std::string> out;
  auto entries = sys::list_directory(root_);
  if (!entries && entries.error().is(ENOENT)) return out;
  if (!entries) return std::move(entries).error();
  for (sys::DirectoryEntry& entry : *entries) {
    if (entry.name.starts_with(nameless)) remove_if_left(root_ + "/" + entry.name);
    if (oci::validate_id(entry.name)) out.push_back(std::move(entry.name));
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace caisson::runtime

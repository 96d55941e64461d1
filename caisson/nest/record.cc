#include "caisson/nest/record.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "caisson/idmap/allocator.h"
#include "caisson/oci/document.h"
#include "caisson/sys/directory.h"
#include "caisson/sys/file.h"
#include "caisson/sys/link.h"

namespace caisson::nest {
namespace {

// FNV-1a: names must differ, nobody chooses them against us.
std::string hash(std::string_view text) {
  std::uint64_t h = 0xcbf29ce484222325;
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  std::string out(16, '0');
  for (std::size_t i = 0; i < 16; ++i) out[i] = "0123456789abcdef"[h >> (60 - 4 * i) & 15];
  return out;
}

Result<std::uint64_t> device_of(const std::string& path) {
  const sys::UniqueFd fd = TRY(sys::open_file(path, O_PATH));
  const struct stat status = TRY(sys::status_of(fd.get()));
  return static_cast<std::uint64_t>(status.st_dev);
}

// The file system that would hold `path` if it were there.
Result<std::uint64_t> device_above(std::string path) {
  while (path.size() > 1) {
    path.resize(std::max<std::size_t>(path.rfind('/'), 1));
    auto device = device_of(path);
    if (device || !(device.error().is(ENOENT) || device.error().is(ENOTDIR))) return device;
  }
  return std::uint64_t{0};
}

Result<std::uint64_t> number_in(const oci::Document& document, std::string_view name) {
  const auto value = TRY(document.get_integer({name}));
  return static_cast<std::uint64_t>(value.value_or(0));
}

Result<Record> read_record(const std::string& directory, const std::string& key) {
  auto text = sys::read_file(directory + "/record.json");
  if (!text && text.error().is(ENOENT)) return Error::of(Kind::not_found, "nest " + key + " does not exist");
  if (!text) return std::move(text).error();
  const oci::Document document = TRY(oci::Document::parse(*text, directory + "/record.json"));
  Record out{.key = key, .id = {}, .identity = {}, .device = 0, .first_id = 0};
  out.id = TRY(document.get_string({"id"})).value_or("");
  out.identity = TRY(document.get_string({"identity"})).value_or("");
  out.device = TRY(number_in(document, "device"));
  const std::uint64_t first_id = TRY(number_in(document, "firstId"));
  out.first_id = static_cast<std::uint32_t>(first_id);
  return out;
}

// The pool is read only when ids are wanted: two files less on the way of a nest that has its ids.
Result<idmap::Allocator> allocator(const Places& places) {
  const idmap::Pool pool = TRY(idmap::load_pool());
  return idmap::Allocator::open(places.state + "/.ids", pool);
}

bool ends_with_gone(const std::string& name) { return name.ends_with(".gone"); }

}  // namespace

std::string key_of(std::string_view id, std::string_view identity) {
  return std::string(id.substr(0, 100)) + "-" + hash(std::string(id) + "\n" + std::string(identity));
}

Result<Store> Store::open(const Places& places) {
  Store store(places);
  TRY(sys::make_directories(places.state, 0711));
  TRY(sys::make_directories(store.claims(), 0711));  // and places.run above it
  store.lock_ = TRY(sys::lock_file(places.run + "/lock", sys::Wait::yes));
  return store;
}

Result<Record> Store::find(const std::string& key) const { return read_record(directory(key), key); }

Result<std::vector<Record>> Store::all() const {
  std::vector<Record> out;
  auto entries = TRY(sys::list_directory(places_.state));
  for (const sys::DirectoryEntry& entry : entries) {
    auto record = find(entry.name);
    if (record) out.push_back(*std::move(record));
  }
  return out;
}

Result<Record> Store::make(const std::string& id, const std::string& identity, bool with_ids) {
  const std::string key = key_of(id, identity);
  Record record{.key = key, .id = id, .identity = identity, .device = 0, .first_id = 0};
  auto found = find(key);
  if (found)
    record = *std::move(found);
  else if (found.error().kind() != Kind::not_found)
    return std::move(found).error();
  const bool is_new = record.device == 0;
  if (!is_new && (record.first_id != 0 || !with_ids)) return record;
  TRY(device_of(identity).during("root file system"));
  record.device =
      TRY(device_above(identity));  // the identity itself may be the root of an overlay, with a device of its own
  TRY(sys::make_directories(directory(key), 0700));
  TRY(sys::make_directories(directory(key) + "/data", 0711));
  if (with_ids && record.first_id == 0) {
    const idmap::Allocator ids = TRY(allocator(places_));
    const idmap::IdRange range = TRY(ids.acquire(key));
    record.first_id = range.first;
  }
  oci::Document document;
  document.set({"id"}, record.id);
  document.set({"identity"}, record.identity);
  document.set({"device"}, static_cast<std::int64_t>(record.device));
  document.set({"firstId"}, static_cast<std::int64_t>(record.first_id));
  TRY(sys::replace_link(directory(key) + "/root", identity));
  TRY(sys::replace_file(directory(key) + "/record.json", document.print(), 0600));
  return record;
}

Result<Record> Store::make_passing(const Name& name, const std::string& identity, bool with_ids) const {
  Record record{.key = key_of(name.id, name.runtime_root + "\n" + identity),
                .id = name.id,
                .identity = identity,
                .device = 0,
                .first_id = 0};
  if (!with_ids) return record;
  const idmap::Allocator ids = TRY(allocator(places_));
  const idmap::IdRange range = TRY(ids.acquire(record.key));
  record.first_id = range.first;
  return record;
}

Result<void> Store::drop_if_empty(const std::string& key) {
  const std::string data = directory(key) + "/data";
  bool empty = true;
  if (auto roots = sys::list_directory(data)) {
    for (const sys::DirectoryEntry& root : *roots) {
      const auto removed = sys::remove_directory(data + "/" + root.name);
      empty = empty && removed;
    }
  }
  return empty ? remove(key) : ok();
}

Result<void> Store::remove(const std::string& key) {
  // Renamed first: a removal that is cut short is finished by sweep(), and nobody finds half a nest.
  if (!sys::is_absent(directory(key))) {
    TRY(sys::remove_tree_at(AT_FDCWD, directory(key + ".gone")));  // there only after a removal that was cut short
    return sys::rename_path(directory(key), directory(key + ".gone"));
  }
  const idmap::Allocator ids = TRY(allocator(places_));
  return ids.release(key);
}

Result<void> Store::drop_unused(const std::string& id, const std::vector<std::string>& live) {
  const auto in_use = [&](const std::string& key) { return std::ranges::find(live, key) != live.end(); };
  const auto records = TRY(all());
  for (const Record& record : records)
    if (record.id == id && !has_live(record.key)) TRY(drop_if_empty(record.key));
  const idmap::Allocator ids = TRY(allocator(places_));
  const auto held = TRY(ids.list());
  for (const idmap::Allocator::Record& each : held) {
    const bool ours = each.holder.substr(0, each.holder.rfind('-')) == id.substr(0, 100);
    if (!ours || in_use(each.holder) || !sys::is_absent(directory(each.holder)) ||
        !sys::is_absent(directory(each.holder + ".gone")))
      continue;
    TRY(ids.release(each.holder));
  }
  return ok();
}

Result<void> Store::prune() {
  TRY(prune_live());
  auto entries = TRY(sys::list_directory(places_.state));
  for (const sys::DirectoryEntry& entry : entries) {
    const std::string& key = entry.name;
    if (entry.type != DT_DIR || key.starts_with(".") || ends_with_gone(key)) continue;
    if (!sys::is_absent(directory(key) + "/root") || has_live(key)) continue;
    auto record = find(key);
    if (!record) {
      if (record.error().kind() == Kind::not_found) (void)drop_if_empty(key);
      continue;
    }
    const auto above = device_above(record->identity);
    if (above && *above == record->device) (void)remove(key);
  }
  return ok();
}

Result<void> sweep(const Places& places) {
  const auto entries = TRY(sys::list_directory(places.state));
  for (const sys::DirectoryEntry& entry : entries) {
    if (!ends_with_gone(entry.name)) continue;
    TRY(sys::remove_tree_at(AT_FDCWD, places.state + "/" + entry.name));
    const Store store = TRY(Store::open(places));
    const std::string key = entry.name.substr(0, entry.name.size() - 5);
    if (!sys::is_absent(store.directory(key))) continue;  // come back meanwhile, with the same ids
    const idmap::Allocator ids = TRY(allocator(places));
    TRY(ids.release(key));
  }
  return ok();
}

}  // namespace caisson::nest

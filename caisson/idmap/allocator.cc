#include "caisson/idmap/allocator.h"

#include <algorithm>
#include <charconv>

#include "caisson/sys/directory.h"
#include "caisson/sys/file.h"
#include "caisson/sys/link.h"

namespace caisson::idmap {
namespace {

std::optional<std::uint32_t> parse_id(std::string_view text) {
  std::uint32_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc() || end != text.data() + text.size() || std::to_string(id) != text) return std::nullopt;
  return id;
}

Result<void> check_holder(std::string_view holder) {
  if (holder.empty() || holder.size() > 4096 || holder.find_first_of(std::string_view("\n\0", 2)) != holder.npos)
    return Error::of(Kind::invalid, "id range: the holder's name is empty, too long, or has a line break");
  return ok();
}

const Allocator::Record* find_holder(const std::vector<Allocator::Record>& records, std::string_view holder) {
  for (const Allocator::Record& record : records)
    if (record.holder == holder) return &record;
  return nullptr;
}

}  // namespace

Result<Allocator> Allocator::open(const std::string& directory, Pool pool) {
  TRY(sys::make_directories(directory, 0700).during("id ranges"));
  return Allocator(directory, std::move(pool));
}

Result<sys::UniqueFd> Allocator::lock() const { return sys::lock_file(directory_ + "/lock", sys::Wait::yes); }

Result<std::vector<Allocator::Record>> Allocator::read_records() const {
  const std::vector<sys::DirectoryEntry> entries = TRY(sys::list_directory(directory_));
  std::vector<Record> out;
  for (const sys::DirectoryEntry& entry : entries) {
    const auto first = parse_id(entry.name);
    if (!first) {
      // Half-written by somebody who was killed: we hold the lock, so nobody is writing now.
      if (entry.name.find(".tmp.") != entry.name.npos) (void)sys::remove_file(directory_ + "/" + entry.name);
      continue;
    }
    Record record{{*first, slice_size}, ""};
    if (auto text = sys::read_file(directory_ + "/" + entry.name, 8192); text && text->ends_with('\n'))
      record.holder = text->substr(0, text->size() - 1);
    out.push_back(std::move(record));
  }
  std::sort(out.begin(), out.end(), [](const Record& a, const Record& b) { return a.range.first < b.range.first; });
  return out;
}

Result<IdRange> Allocator::acquire(std::string_view holder) const {
  TRY(check_holder(holder));
  sys::UniqueFd held = TRY(lock());
  const std::vector<Record> records = TRY(read_records());
  if (const Record* mine = find_holder(records, holder)) return mine->range;
  std::vector<IdRange> taken;
  for (const Record& record : records) taken.push_back(record.range);
  std::uint32_t from = 0;
  if (auto last = sys::read_link_at(AT_FDCWD, directory_ + "/last")) from = parse_id(*last).value_or(0);
  const std::optional<IdRange> found = find_slice(pool_, taken, from);
  if (!found) return Error::os(ENOSPC, "no free range of 65536 ids").during(directory_);
  const std::string name = directory_ + "/" + std::to_string(found->first);
  TRY(sys::replace_file(name, std::string(holder) + "\n", 0600).during("record id range"));
  // A hint only: without it the search starts at the beginning.
  // A link, not a file: ext4 writes a file out at once when another is renamed over it (auto_da_alloc), 10 ms and more.
  (void)sys::replace_link(directory_ + "/last", std::to_string(std::uint64_t{found->first} + slice_size));
  return *found;
}

Result<std::optional<IdRange>> Allocator::find(std::string_view holder) const {
  TRY(check_holder(holder));
  sys::UniqueFd held = TRY(lock());
  const std::vector<Record> records = TRY(read_records());
  const Record* mine = find_holder(records, holder);
  if (mine == nullptr) return std::optional<IdRange>();
  return std::optional<IdRange>(mine->range);
}

Result<void> Allocator::release(std::string_view holder) const {
  TRY(check_holder(holder));
  sys::UniqueFd held = TRY(lock());
  const std::vector<Record> records = TRY(read_records());
  for (const Record& record : records)
    if (record.holder == holder) TRY(sys::remove_file(directory_ + "/" + std::to_string(record.range.first)));
  return ok();
}

Result<std::vector<Allocator::Record>> Allocator::list() const {
  sys::UniqueFd held = TRY(lock());
  return read_records();
}

}  // namespace caisson::idmap

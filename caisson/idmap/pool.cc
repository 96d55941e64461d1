#include "caisson/idmap/pool.h"

#include <algorithm>

#include "caisson/sys/file.h"

namespace caisson::idmap {
namespace {

constexpr std::string_view owner = "caisson";

std::uint64_t end_of(const IdRange& range) { return std::uint64_t{range.first} + range.size; }

void split(const std::vector<SubidEntry>& entries, std::vector<IdRange>& ours, std::vector<IdRange>& others) {
  for (const SubidEntry& entry : entries) (entry.owner == owner ? ours : others).push_back({entry.first, entry.count});
}

std::vector<IdRange> intersect(const std::vector<IdRange>& a, const std::vector<IdRange>& b) {
  std::vector<IdRange> out;
  for (const IdRange& x : a) {
    for (const IdRange& y : b) {
      const std::uint64_t first = std::max(x.first, y.first);
      const std::uint64_t end = std::min(end_of(x), end_of(y));
      if (first < end) out.push_back({static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(end - first)});
    }
  }
  return out;
}

// Disjoint and sorted, so that the next obstacle is one binary search away.
std::vector<IdRange> merged(std::vector<IdRange> ranges) {
  std::sort(ranges.begin(), ranges.end(), [](const IdRange& a, const IdRange& b) { return a.first < b.first; });
  std::vector<IdRange> out;
  for (const IdRange& range : ranges) {
    if (range.size == 0) continue;
    if (!out.empty() && range.first <= end_of(out.back())) {
      const std::uint64_t end = std::min<std::uint64_t>(std::max(end_of(out.back()), end_of(range)), UINT32_MAX);
      out.back().size = static_cast<std::uint32_t>(end - out.back().first);
    } else {
      out.push_back(range);
    }
  }
  return out;
}

// The range that overlaps [first, first + slice_size), or nullptr.
const IdRange* obstacle(const std::vector<IdRange>& ranges, std::uint64_t first) {
  const auto after =
      std::partition_point(ranges.begin(), ranges.end(), [&](const IdRange& range) { return end_of(range) <= first; });
  return after != ranges.end() && after->first < first + slice_size ? &*after : nullptr;
}

std::optional<IdRange> find_from(const std::vector<IdRange>& ours, const std::vector<IdRange>& occupied,
                                 std::uint64_t from) {
  for (const IdRange& range : ours) {
    // Slices keep their places in the pool: counted from the start of its range.
    std::uint64_t at = range.first;
    if (from > at) at += (from - at + slice_size - 1) / slice_size * slice_size;
    while (at + slice_size <= end_of(range)) {
      const IdRange* taken = obstacle(occupied, at);
      if (taken == nullptr) return IdRange{static_cast<std::uint32_t>(at), slice_size};
      at += (end_of(*taken) - at + slice_size - 1) / slice_size * slice_size;
    }
  }
  return std::nullopt;
}

Result<std::vector<SubidEntry>> load_subid(const char* path) {
  auto text = sys::read_file(path);
  if (text) return parse_subid(*text);
  if (text.error().is(ENOENT)) return std::vector<SubidEntry>();
  return std::move(text).error();
}

}  // namespace

Pool make_pool(const std::vector<SubidEntry>& subuid, const std::vector<SubidEntry>& subgid) {
  std::vector<IdRange> users, groups;
  Pool pool;
  split(subuid, users, pool.others);
  split(subgid, groups, pool.others);
  if (users.empty() && groups.empty())
    pool.ours = {default_pool};
  else if (users.empty() || groups.empty())
    pool.ours = users.empty() ? groups : users;
  else
    pool.ours = intersect(users, groups);
  // The host's own root, users and groups never are a nest's, whatever the file says.
  pool.others.push_back({0, 65536});
  return pool;
}

std::optional<IdRange> find_slice(const Pool& pool, const std::vector<IdRange>& taken, std::uint32_t from) {
  std::vector<IdRange> occupied = pool.others;
  occupied.insert(occupied.end(), taken.begin(), taken.end());
  occupied = merged(std::move(occupied));
  const std::vector<IdRange> ours = merged(pool.ours);
  if (auto found = find_from(ours, occupied, from)) return found;
  return find_from(ours, occupied, 0);
}

Result<Pool> load_pool() {
  const std::vector<SubidEntry> subuid = TRY(load_subid("/etc/subuid"));
  const std::vector<SubidEntry> subgid = TRY(load_subid("/etc/subgid"));
  return make_pool(subuid, subgid);
}

}  // namespace caisson::idmap

#include "caisson/nest/range.h"

#include <fcntl.h>

#include <set>

#include "caisson/sys/directory.h"
#include "caisson/sys/file.h"
#include "caisson/sys/link.h"

namespace caisson::nest {
namespace {

constexpr std::uint32_t pool_first = 0x70000000;  // just above what systemd-nspawn takes
constexpr std::uint32_t pool_size = 0x10000000;
constexpr std::uint32_t range_size = 65536;

}  // namespace

Result<std::uint32_t> allocate_range(const std::string& state, const std::string& key) {
  const std::string ranges = state + "/.ranges";
  TRY(sys::make_directories(ranges, 0700));
  std::set<std::string> used;
  const auto entries = TRY(sys::list_directory(ranges));
  for (const sys::DirectoryEntry& entry : entries) {
    used.insert(entry.name);
    const auto owner = sys::read_link_at(AT_FDCWD, ranges + "/" + entry.name);
    if (owner && *owner == key) return static_cast<std::uint32_t>(std::stoul(entry.name));
  }
  for (std::uint32_t first = pool_first; first < pool_first + pool_size; first += range_size) {
    if (used.contains(std::to_string(first))) continue;
    TRY(sys::replace_link(ranges + "/" + std::to_string(first), key));
    return first;
  }
  return Error::of(Kind::conflict, "no range of 65536 ids is free");
}

Result<void> free_range(const std::string& state, const std::string& key) {
  const std::string ranges = state + "/.ranges";
  const auto entries = sys::list_directory(ranges);
  if (!entries) return ok();
  for (const sys::DirectoryEntry& entry : *entries) {
    const auto owner = sys::read_link_at(AT_FDCWD, ranges + "/" + entry.name);
    if (owner && *owner == key) TRY(sys::remove_file(ranges + "/" + entry.name));
  }
  return ok();
}

}  // namespace caisson::nest

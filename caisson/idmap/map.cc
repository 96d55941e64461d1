#include "caisson/idmap/map.h"

#include <algorithm>

namespace caisson::idmap {
namespace {

constexpr std::size_t max_extents = 340;                // one page of uid_map, since Linux 4.15
constexpr std::uint64_t end_of_ids = (1ULL << 32) - 1;  // 2^32-1 means "no id"

bool overlap(std::uint64_t a, std::uint64_t b, std::uint64_t a_size, std::uint64_t b_size) {
  return a < b + b_size && b < a + a_size;
}

Error invalid(const oci::IdMapping& extent, const char* why) {
  return Error::of(Kind::invalid, "id map: " + std::to_string(extent.container_id) + " " +
                                      std::to_string(extent.host_id) + " " + std::to_string(extent.size) + ": " + why);
}

}  // namespace

Result<Extents> Extents::make(std::vector<oci::IdMapping> extents) {
  if (extents.empty()) return Error::of(Kind::invalid, "id map: is empty");
  if (extents.size() > max_extents) return Error::of(Kind::invalid, "id map: more than 340 extents");
  for (std::size_t i = 0; i < extents.size(); ++i) {
    const oci::IdMapping& extent = extents[i];
    if (extent.size == 0) return invalid(extent, "is empty");
    if (std::uint64_t{extent.container_id} + extent.size > end_of_ids ||
        std::uint64_t{extent.host_id} + extent.size > end_of_ids)
      return invalid(extent, "goes past the last id");
    for (std::size_t j = 0; j < i; ++j) {
      if (overlap(extent.container_id, extents[j].container_id, extent.size, extents[j].size))
        return invalid(extent, "overlaps another in the container's ids");
      if (overlap(extent.host_id, extents[j].host_id, extent.size, extents[j].size))
        return invalid(extent, "overlaps another in the host's ids");
    }
  }
  return Extents(std::move(extents));
}

std::optional<std::uint32_t> Extents::to_host(std::uint32_t guest) const {
  for (const oci::IdMapping& extent : extents_)
    if (guest >= extent.container_id && guest - extent.container_id < extent.size)
      return extent.host_id + (guest - extent.container_id);
  return std::nullopt;
}

std::optional<std::uint32_t> Extents::to_guest(std::uint32_t host) const {
  for (const oci::IdMapping& extent : extents_)
    if (host >= extent.host_id && host - extent.host_id < extent.size)
      return extent.container_id + (host - extent.host_id);
  return std::nullopt;
}

std::string Extents::text() const {
  std::string out;
  for (const oci::IdMapping& extent : extents_)
    out += std::to_string(extent.container_id) + " " + std::to_string(extent.host_id) + " " +
           std::to_string(extent.size) + "\n";
  return out;
}

}  // namespace caisson::idmap

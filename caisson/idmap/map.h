// Map: the id map of a user namespace, checked as the kernel checks it; the only converter between guest and host ids.
// Layer: idmap. Pure. Used by runtime (uid_map, owners of nodes) and nest.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "caisson/base/result.h"
#include "caisson/idmap/ids.h"
#include "caisson/oci/id_mapping.h"

namespace caisson::idmap {

// What Map is made of; not typed, so not for use by others.
class Extents {
 public:
  //   errors  invalid: no extent, more than 340, an empty or overlapping one, one past 2^32-2
  //   source  user_namespaces(7) "Defining user and group ID mappings"
  static Result<Extents> make(std::vector<oci::IdMapping> extents);

  std::optional<std::uint32_t> to_host(std::uint32_t guest) const;
  std::optional<std::uint32_t> to_guest(std::uint32_t host) const;
  std::string text() const;
  const std::vector<oci::IdMapping>& list() const { return extents_; }

 private:
  explicit Extents(std::vector<oci::IdMapping> extents) : extents_(std::move(extents)) {}
  std::vector<oci::IdMapping> extents_;
};

template <class Guest, class Host>
class Map {
 public:
  static Result<Map> make(std::vector<oci::IdMapping> mappings) {
    Extents extents = TRY(Extents::make(std::move(mappings)));
    return Map(std::move(extents));
  }

  std::optional<Host> to_host(Guest id) const {
    if (const auto found = extents_.to_host(number(id))) return Host{*found};
    return std::nullopt;
  }
  std::optional<Guest> to_guest(Host id) const {
    if (const auto found = extents_.to_guest(number(id))) return Guest{*found};
    return std::nullopt;
  }

  // For /proc/PID/uid_map and newuidmap(1): "0 1879048192 65536\n".
  std::string text() const { return extents_.text(); }
  const std::vector<oci::IdMapping>& extents() const { return extents_.list(); }

 private:
  explicit Map(Extents extents) : extents_(std::move(extents)) {}
  Extents extents_;
};

using UidMap = Map<GuestUid, HostUid>;
using GidMap = Map<GuestGid, HostGid>;

}  // namespace caisson::idmap

// Allocator: gives each nest an exclusive range of host ids, and remembers it on disk.
// Layer: idmap. Used by nest at create and at delete.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "caisson/base/result.h"
#include "caisson/idmap/pool.h"
#include "caisson/sys/unique_fd.h"

namespace caisson::idmap {

// DIR/lock is held (flock) during every call; DIR/FIRST holds the range that starts at id FIRST, its text is the
// holder; DIR/last is a link that says where the search goes on, so that a range rests before it is used again. A
// record appears whole by rename. One that cannot be read, or is empty after a power cut, still keeps its range from
// others.
class Allocator {
 public:
  // Makes the directory (0700) if need be.
  static Result<Allocator> open(const std::string& directory, Pool pool);

  // The holder's range, or a new one. Asking again gives the same.
  //   errors  invalid: a holder that is empty, too long or has a line break; os ENOSPC: no free range
  Result<IdRange> acquire(std::string_view holder) const;

  Result<std::optional<IdRange>> find(std::string_view holder) const;

  // Only when nothing on disk is owned by these ids any more. A holder without a range is success.
  Result<void> release(std::string_view holder) const;

  struct Record {
    IdRange range;
    std::string holder;  // empty: unreadable
    bool operator==(const Record&) const = default;
  };
  Result<std::vector<Record>> list() const;  // in the order of their ids

 private:
  Allocator(std::string directory, Pool pool) : directory_(std::move(directory)), pool_(std::move(pool)) {}
  Result<sys::UniqueFd> lock() const;
  Result<std::vector<Record>> read_records() const;  // the caller holds the lock

  std::string directory_;
  Pool pool_;
};

}  // namespace caisson::idmap

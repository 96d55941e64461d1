// Fuzz: records on disk that are damaged never crash who reads them. Layer: nest, fuzz target.
// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "caisson/nest/record.h"
#include "caisson/sys/file.h"

namespace nest = caisson::nest;

// In memory, and gone with the process.
struct Place {
  std::string path = "/dev/shm/caisson-fuzz-" + std::to_string(::getpid());
  nest::Places places{.state = path + "/state", .run = path + "/run", .runtime = "/bin/false"};
  nest::Name name{.runtime_root = "/run/caisson/runtime", .id = "box"};
  std::optional<nest::Store> store;

  Place() {
    auto opened = nest::Store::open(places);
    if (!opened) std::abort();
    store.emplace(*std::move(opened));
    if (!caisson::sys::make_directories(store->directory("key"), 0700)) std::abort();
    if (!caisson::sys::make_directories(store->run_directory(name), 0700)) std::abort();
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() {
    if (!caisson::sys::remove_tree_at(AT_FDCWD, path)) ::_exit(1);
  }
};

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Place place;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (!caisson::sys::replace_file(place.store->directory("key") + "/record.json", text, 0600)) std::abort();
  if (!caisson::sys::replace_file(place.store->run_directory(place.name) + "/nest.json", text, 0600)) std::abort();
  if (const auto record = place.store->find("key"); record && record->key != "key") std::abort();
  if (const auto all = place.store->all(); !all || all->size() > 1) std::abort();
  (void)place.store->find_live(place.name);
  return 0;
}

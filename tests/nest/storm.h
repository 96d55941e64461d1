// A storm: thousands of generated attempts at the host, made by root of a nest, each in a process of its own.
// Layer: test program, linked with nothing. Users: storm*.cc; tests/nest/storm_test.py looks at the host afterwards.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

namespace storm {

/// xorshift64*: the same seed makes the same storm.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 2654435761U + 1) {}
  std::uint64_t next();
  std::uint64_t below(std::uint64_t bound) { return bound == 0 ? 0 : next() % bound; }
  bool one_in(std::uint64_t bound) { return below(bound) == 0; }

  template <typename T>
  const T& pick(const std::vector<T>& from) {
    return from[below(from.size())];
  }
  template <typename T>
  T pick(std::initializer_list<T> from) {
    return *(from.begin() + below(from.size()));
  }

 private:
  std::uint64_t state_;
};

/// What can be seen from inside, gathered once.
struct World {
  std::vector<std::string> mount_points, proc_files, sys_files, sysctls, cgroup_files, cgroup_directories, devices;
};
World look_around();

/// What an attempt said it did, for the log, and whether the kernel let it.
struct Outcome {
  std::string what;
  long result = -1;
};

struct Family {
  const char* name;
  Outcome (*attempt)(Random&, const World&);
  bool must_fail;  // success is an escape by itself; else only what it did to the host counts
};
std::span<const Family> mount_families();
std::span<const Family> file_families();
std::span<const Family> call_families();
std::span<const Family> trapped_families();

}  // namespace storm

// The plan of a nest: an ordinary container's config.json in, a nest's config.json out. Pure.
// Layer: nest. Used by create.cc, which gathers the facts and does what the plan says, and by exec.cc.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "caisson/base/result.h"
#include "caisson/nest/facts.h"
#include "caisson/oci/spec.h"

namespace caisson::nest {

// A directory of the nest's own that holds one inner engine's data (DESIGN D6).
struct DataRoot {
  std::string destination;  // inside: "/var/lib/docker"
  std::string directory;    // on the host
  bool preload = false;     // the image has something there: copied when the directory is made, and never again
  bool operator==(const DataRoot&) const = default;
};

struct Plan {
  oci::Spec spec;                      // what the runtime is given
  std::vector<DataRoot> data_roots;    // to be made before the runtime starts
  std::vector<std::string> exclusive;  // host directories that no other living nest may hold (if they exist)
  std::vector<std::string> warnings;   // what was asked for and is not given, one line each
};

// errors: invalid, naming what a nest cannot be given: "--network host", a namespace of the host's ...
Result<Plan> plan_nest(oci::Spec spec, const Facts& facts);

// One line a decision.
std::string to_text(const Plan& plan);

// The same rules for one more process of a nest that runs (`exec --process`).
enum class Init : bool { other, systemd };
void plan_process(oci::Process& process, Init init, const Facts& facts, std::vector<std::string>& warnings);

// What becomes of the user namespace.
enum class Owner : unsigned char {
  nest,           // the caller brings none: the nest gets a range of its own
  caller_maps,    // the caller gives the maps and has prepared the files: kept
  caller_joined,  // the caller gives a namespace by path: kept, and mounts cannot be locked
};
Owner owner_of(const oci::Spec& spec);

bool starts_systemd(const oci::Spec& spec);

// Steps of plan_nest, each in its own file.
Result<void> plan_namespaces(oci::Spec& spec, const Facts& facts);
void plan_mounts(Plan& plan, const Facts& facts);
void plan_paths(oci::Linux& linux, Init init, Profile profile);
void plan_devices(oci::Spec& spec, Owner owner, const Facts& facts, std::vector<std::string>& warnings);
Result<void> plan_seccomp(oci::Linux& linux, Owner owner, const Facts& facts);
Result<void> plan_annotations(oci::Spec& spec, const Facts& facts);

// Where inner engines keep their data, Docker's first.
std::vector<std::string> data_root_paths(const Facts& facts);

// "/a//b/./c/" -> "/a/b/c"; ".." is taken away as the kernel would without links. A relative path starts at "/".
std::string clean_path(std::string_view path);
bool is_at_or_below(std::string_view path, std::string_view directory);

}  // namespace caisson::nest

// Namespaces of a nest: all of its own, or a clear word why not.
// Layer: nest (pure). Declared in plan.h.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/nest/plan.h"
#include "caisson/oci/kernel_names.h"

namespace caisson::nest {
namespace {

using oci::NamespaceType;

// Why a nest cannot share it, in the words its caller used.
struct Required {
  NamespaceType type;
  const char* shared;  // config.json has none
};
constexpr Required required[] = {
    {NamespaceType::mount, "a container without a mount namespace cannot be a nest"},
    {NamespaceType::pid, "a nest needs a pid namespace of its own: --pid host cannot be given"},
    {NamespaceType::network, "a nest needs a network namespace of its own: --network host cannot be given"},
    {NamespaceType::ipc, "a nest needs an ipc namespace of its own: --ipc host cannot be given"},
    {NamespaceType::uts, "a nest needs a uts namespace of its own: --uts host cannot be given"},
};

// A namespace by path belongs to the user namespace it was made in, for good (user_namespaces(7)): the nest's root
// would have no power over it, no sysfs of its own, and no inner network. It is refused rather than half given.
std::string foreign(NamespaceType type) {
  const std::string name(oci::name_of(type));
  std::string text = "a nest needs a " + name + " namespace of its own, and is given one of the host's by path: ";
  if (type == NamespaceType::network)
    text +=
        "docker's --network host and container:NAME cannot be given; with podman use --userns=auto or --network none";
  else
    text += "--" + name + " host and container:NAME cannot be given without the user namespace they belong to";
  return text;
}

}  // namespace

Result<void> plan_namespaces(oci::Spec& spec, const Facts& facts) {
  oci::Linux& linux = spec.linux;
  const Owner owner = owner_of(spec);
  for (const Required& need : required)
    if (!linux.has(need.type)) return Error::of(Kind::invalid, need.shared);
  if (owner != Owner::caller_joined) {
    for (const oci::Namespace& ns : linux.namespaces)
      if (!ns.path.empty()) return Error::of(Kind::invalid, foreign(ns.type));
  }
  if (!linux.has(NamespaceType::cgroup)) linux.namespaces.push_back({.type = NamespaceType::cgroup, .path = ""});
  if (owner == Owner::nest) {
    if (!linux.has(NamespaceType::user)) linux.namespaces.push_back({.type = NamespaceType::user, .path = ""});
    const oci::IdMapping all{.container_id = 0, .host_id = facts.first_id, .size = ids_per_nest};
    linux.uid_mappings = {all};
    linux.gid_mappings = {all};
  }
  return ok();
}

}  // namespace caisson::nest

// The `features` document (runtime-spec features.md): what the runtime can do, for engines to ask before they use it.
// Layer: oci (pure: a few facts in, JSON out). Used by the runtime's `features` command.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/oci/features.h"

#include <boost/json/array.hpp>

#include "caisson/oci/json.h"
#include "caisson/oci/kernel_names.h"
#include "caisson/oci/mount_options.h"
#include "caisson/oci/state.h"

namespace caisson::oci {
namespace {

template <class Texts>
json::array texts(const Texts& from) {
  json::array array;
  for (const auto& text : from) array.emplace_back(json::string_view(text));
  return array;
}

json::array names(std::span<const Name> table) {
  json::array array;
  for (const Name& name : table) array.emplace_back(json::string_view(name.text));
  return array;
}

json::object enabled(bool flag) { return {{"enabled", flag}}; }

json::object seccomp(const Features& features) {
  json::object object = enabled(features.seccomp);
  if (!features.seccomp) return object;
  object["actions"] = texts(seccomp_actions());
  object["operators"] = texts(seccomp_operators());
  object["archs"] = texts(seccomp_architectures());
  object["knownFlags"] = texts(seccomp_flags());
  object["supportedFlags"] = texts(features.seccomp_supported_flags);
  return object;
}

json::object linux_features(const Features& features) {
  json::object object;
  object["namespaces"] = names(namespaces());
  object["capabilities"] = names(capabilities());
  object["cgroup"] = json::object{{"v1", features.cgroup_v1},
                                  {"v2", features.cgroup_v2},
                                  {"systemd", features.cgroup_systemd},
                                  {"systemdUser", features.cgroup_systemd_user},
                                  {"rdma", features.cgroup_rdma}};
  object["seccomp"] = seccomp(features);
  object["apparmor"] = enabled(features.apparmor);
  object["selinux"] = enabled(features.selinux);
  object["intelRdt"] = enabled(features.intel_rdt);
  object["mountExtensions"] = json::object{{"idmap", enabled(features.idmapped_mounts)}};
  object["netDevices"] = enabled(features.net_devices);
  return object;
}

}  // namespace

std::string print_features(const Features& features) {
  json::object object;
  object["ociVersionMin"] = "1.0.0";
  object["ociVersionMax"] = json::string_view(kVersion);
  object["hooks"] = {"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"};
  object["mountOptions"] = texts(mount_option_names());
  object["linux"] = linux_features(features);
  json::object annotations;
  for (const auto& [key, value] : features.annotations) annotations[key] = json::string_view(value);
  object["annotations"] = std::move(annotations);
  object["potentiallyUnsafeConfigAnnotations"] = texts(features.unsafe_annotations);
  return print_indented(object, "  ");
}

}  // namespace caisson::oci

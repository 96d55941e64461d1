// The commands spec and features: what may be written into config.json, and what of it this build can do.
// Layer: runtime. Declared in commands.h.
// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include "caisson/oci/default_spec.h"
#include "caisson/oci/features.h"
#include "caisson/oci/kernel_names.h"
#include "caisson/runtime/commands.h"
#include "caisson/runtime/version.h"
#include "caisson/sys/file.h"

namespace caisson::runtime {
namespace {

// As runc: on v1 the container sees its place in the host's cgroups, and engines' scripts rely on it.
bool only_v2_is_mounted() {
  constexpr std::uint64_t cgroup2_super_magic = 0x63677270;
  const auto top = sys::open_file("/sys/fs/cgroup", O_PATH);
  if (!top) return false;
  const auto magic = sys::filesystem_magic(top->get());
  return magic && *magic == cgroup2_super_magic;
}

}  // namespace

Result<int> spec_command(Context&, const Arguments& arguments) {
  const std::string bundle = arguments.text("bundle");
  const std::string path = bundle.empty() ? "config.json" : bundle + "/config.json";
  auto file = sys::open_file(path, O_WRONLY | O_CREAT | O_EXCL, 0666);
  if (!file && file.error().is(EEXIST)) return Error::of(Kind::conflict, "File config.json exists. Remove it first");
  if (!file) return std::move(file).error();
  const bool rootless = arguments.on("rootless");
  oci::Spec spec = rootless ? oci::rootless_spec(::geteuid(), ::getegid()) : oci::default_spec();
  if (!rootless && !only_v2_is_mounted())
    std::erase_if(spec.linux.namespaces,
                  [](const oci::Namespace& ns) { return ns.type == oci::NamespaceType::cgroup; });
  TRY(sys::write_all((*file).get(), oci::print_indented(spec) + "\n"));
  return 0;
}

Result<int> features_command(Context&, const Arguments&) {
  oci::Features features;
  features.net_devices = true;
  features.intel_rdt = true;
  features.cgroup_rdma = true;
  features.cgroup_systemd = true;
  features.cgroup_systemd_user = true;
  for (const std::string_view flag : oci::seccomp_flags()) features.seccomp_supported_flags.emplace_back(flag);
  features.annotations = {
      {"io.caisson.version", std::string(version())},
      {"io.caisson.commit", std::string(commit())},
      // What the annotations of a config.json may ask for beyond the runtime-spec.
      {"io.caisson.annotations",
       "io.caisson.locked-mounts io.caisson.rootfs-idmap io.caisson.rootfs-overlay io.caisson.delegate-cgroup"},
  };
  features.unsafe_annotations = {"io.caisson."};  // a prefix: they choose host paths and who owns cgroups
  TRY(sys::write_all(STDOUT_FILENO, oci::print_features(features) + "\n"));
  return 0;
}

}  // namespace caisson::runtime

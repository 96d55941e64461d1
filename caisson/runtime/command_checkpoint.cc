// The commands checkpoint and restore: a container's processes to files by CRIU, and back.
// Layer: runtime. Declared in commands.h.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/runtime/commands.h"
#include "caisson/runtime/creation.h"
#include "caisson/runtime/criu.h"
#include "caisson/runtime/destroy.h"
#include "caisson/runtime/foreground.h"
#include "caisson/runtime/status.h"
#include "caisson/sys/file.h"

namespace caisson::runtime {
namespace {

constexpr char descriptors_name[] = "/descriptors.json";

}  // namespace

Result<int> checkpoint_command(Context& context, const Arguments& arguments) {
  Container container = TRY(find_container(context.store, arguments.id(), Lock::yes));
  if (container.status != Status::running && container.status != Status::paused)
    return Error::of(Kind::conflict,
                     "Container cannot be checkpointed in " + std::string(name_of(container.status)) + " state");
  const std::string text = TRY(container.record.config_text());
  const oci::Spec spec = TRY(oci::parse_spec(text));
  Plan plan = TRY(plan_container(spec, {.bundle = container.state.bundle}));
  plan.root.path = container.state.rootfs;
  const cgroup::Group group = TRY(group_of(container.state));
  const std::string mountinfo = TRY(sys::read_file("/proc/" + std::to_string(container.state.pid) + "/mountinfo"));
  const CriuImages images = TRY(criu_images(arguments));
  std::vector<std::string> descriptors = TRY(outer_descriptors(container.state.pid));
  const CriuDump dump{
      .plan = &plan,
      .pid = container.state.pid,
      .mounts = external_mounts(plan, cgroup_mounts(group.placement()), masked_files(plan, mountinfo)),
      .descriptors = std::move(descriptors),
      .frozen = container.status == Status::paused ? group.freezer_directory() : "",
  };
  TRY(sys::replace_file(images.images + descriptors_name, print_descriptors(dump.descriptors), 0600));
  TRY(criu_dump(arguments, images, dump));
  if (arguments.on("leave-running") || arguments.on("pre-dump")) return 0;
  TRY(destroy_container(context, std::move(container.record), container.state, &spec));  // as runc
  return 0;
}

Result<int> restore_command(Context& context, const Arguments& arguments) {
  const bool detach = arguments.on("detach");
  std::optional<Foreground> foreground;
  if (!detach) {
    Foreground begun =
        TRY(Foreground::begin(arguments.on("no-subreaper") ? Foreground::Subreaper::no : Foreground::Subreaper::yes));
    foreground.emplace(std::move(begun));
  }
  const CriuImages images = TRY(criu_images(arguments));
  std::vector<std::string> descriptors;
  if (const auto text = sys::read_file(images.images + descriptors_name)) descriptors = TRY(parse_descriptors(*text));
  Created restored = TRY(restore_container(context, arguments, images, std::move(descriptors)));
  const ContainerState state = restored.state;
  const pid_t pid = restored.init.release();  // no child of ours until it is reparented, if ever
  if (detach) return 0;
  auto status = foreground->wait(pid);
  TRY(destroy_container(context, std::move(restored.record), state, &restored.spec));
  return status;
}

}  // namespace caisson::runtime

// The command events: what a container uses, every few seconds until it ends, and when memory runs out.
// Layer: runtime. Declared in commands.h.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/cgroup/stats.h"
#include "caisson/runtime/commands.h"
#include "caisson/runtime/json.h"
#include "caisson/runtime/status.h"
#include "caisson/sys/backoff.h"
#include "caisson/sys/file.h"
#include "caisson/sys/oom_watch.h"

namespace caisson::runtime {
namespace {

Result<void> print_stats(const std::string& id, const cgroup::Placement& placement) {
  const cgroup::Stats stats = TRY(cgroup::read_stats(placement));
  return sys::write_all(STDOUT_FILENO, cgroup::stats_json(id, stats));
}

Result<void> print_oom(const std::string& id) {
  return sys::write_all(STDOUT_FILENO, JsonObject().text("type", "oom").text("id", id).take() + "\n");
}

// Without a memory cgroup there is nothing to hear of, which is no reason not to print statistics.
sys::OomWatch watch_memory(const Context& context, const cgroup::Placement& placement) {
  const cgroup::Directory* memory = placement.find("memory");
  if (memory == nullptr) return sys::OomWatch::none();
  auto watch = memory->version == cgroup::Version::v1 ? sys::OomWatch::v1(memory->absolute())
                                                      : sys::OomWatch::v2(memory->absolute());
  if (watch) return std::move(*watch);
  context.log.warning(watch.error().message());
  return sys::OomWatch::none();
}

}  // namespace

Result<int> events_command(Context& context, const Arguments& arguments) {
  const std::string& id = arguments.id();
  const auto interval = std::chrono::duration_cast<std::chrono::milliseconds>(arguments.duration("interval"));
  if (interval.count() <= 0) return Error::of(Kind::invalid, "duration interval must be greater than 0");
  const Container container = TRY(find_container(context.store, id));
  const cgroup::Group group = TRY(group_of(container.state));
  const sys::Pidfd init = TRY(open_init(container.state));
  if (arguments.on("stats")) {
    TRY(print_stats(id, group.placement()));
    return 0;
  }
  sys::OomWatch watch = watch_memory(context, group.placement());
  sys::Instant next = sys::now();
  for (;;) {
    if (sys::now() >= next) {
      auto printed = print_stats(id, group.placement());
      if (!printed && printed.error().kind() == Kind::not_found) return 0;  // deleted meanwhile
      if (!printed) return std::move(printed).error();
      next = sys::now() + interval;
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - sys::now());
    const sys::OomWatch::Event event = TRY(watch.wait(init.get(), left));
    if (event == sys::OomWatch::Event::oom) TRY(print_oom(id));
    if (event == sys::OomWatch::Event::ended) return 0;
  }
}

}  // namespace caisson::runtime

// The applying half of limits.h: writes a plan's settings, and explains what the kernel refused.
// Layer: cgroup. Used by group.cc through limits.h.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "caisson/cgroup/files.h"
#include "caisson/cgroup/limits.h"

namespace caisson::cgroup {
namespace {

std::string controller_of(const Setting& setting) { return setting.file.substr(0, setting.file.find('.')); }

bool is_memory_limit(const Setting& setting) {
  return setting.file == "memory.limit_in_bytes" || setting.file == "memory.max";
}

// EBUSY: the kernel could not reclaim down to the limit. The numbers say by how much.
Error with_usage(Error error, const Setting& setting) {
  if (!error.is(EBUSY) || !is_memory_limit(setting)) return error;
  const bool v1 = setting.file == "memory.limit_in_bytes";
  auto usage = read_value(setting.directory, v1 ? "memory.usage_in_bytes" : "memory.current");
  auto peak = read_value(setting.directory, v1 ? "memory.max_usage_in_bytes" : "memory.peak");
  return std::move(error).during("unable to set memory limit to " + setting.value + " (current usage: " +
                                 (usage ? *usage : "unknown") + ", peak usage: " + (peak ? *peak : "unknown") + ")");
}

// A v2 file is missing because the controller is not enabled above, which says more than ENOENT.
Error explained(Error error, const Setting& setting) {
  if (!error.is(ENOENT)) return with_usage(std::move(error), setting);
  auto listed = read_value(setting.directory, "cgroup.controllers");
  if (!listed) return error;  // v1
  const std::vector<std::string> enabled = split_words(*listed);
  if (std::find(enabled.begin(), enabled.end(), controller_of(setting)) != enabled.end()) return error;
  return std::move(error).during("cgroup controller " + controller_of(setting) + " is not enabled for " +
                                 setting.directory + " (enabled: " + (listed->empty() ? "none" : *listed) + ")");
}

enum class Outcome : unsigned char { done, again };

Result<Outcome> write_setting(const Setting& setting) {
  auto written = write_value(setting.directory, setting.file, setting.value);
  if (!written && written.error().is(ENOENT) && !setting.other_file.empty())
    written = write_value(setting.directory, setting.other_file, setting.other_value);
  if (written) return Outcome::done;
  if (written.error().is(ENOENT) && setting.missing == Setting::Missing::ignore) return Outcome::done;
  if (written.error().is(EINVAL) && setting.ignore_invalid) return Outcome::done;
  if (written.error().is(EINVAL) && setting.again) return Outcome::again;
  return explained(std::move(written).error(), setting);
}

Result<void> write_again(std::vector<Setting>& settings) {
  for (Setting& setting : settings) {
    setting.again = false;
    TRY(write_setting(setting));
  }
  settings.clear();
  return ok();
}

}  // namespace

Result<void> write_settings(const std::vector<Setting>& settings) {
  std::vector<Setting> later;
  for (const Setting& setting : settings) {
    if (!later.empty() && controller_of(later.front()) != controller_of(setting)) TRY(write_again(later));
    const Outcome outcome = TRY(write_setting(setting));
    if (outcome == Outcome::again) later.push_back(setting);
  }
  return write_again(later);
}

Result<Current> read_current(const oci::Resources& resources, const Placement& placement) {
  Current current;
  const Directory* memory = placement.find("memory");
  const std::int64_t limit = resources.memory ? resources.memory->limit.value_or(0) : 0;
  const std::int64_t swap = resources.memory ? resources.memory->swap.value_or(0) : 0;
  if (memory != nullptr && memory->version == Version::v1 && limit != 0 && swap > 0) {
    const std::string text = TRY(read_value(memory->absolute(), "memory.limit_in_bytes"));
    current.memory_limit = parse_number(text).value_or(UINT64_MAX);
  }
  if (memory != nullptr && memory->version == Version::v2 && (limit > 0) != (swap > 0)) {
    // Without the files the controller is not enabled: the write says so better.
    if (auto text = read_value(memory->absolute(), "memory.max"))
      current.memory_limit = parse_number(*text).value_or(UINT64_MAX);
    if (auto text = read_value(memory->absolute(), "memory.swap.max"))
      current.swap_limit = parse_number(*text).value_or(UINT64_MAX);
  }
  const Directory* cpu = placement.find("cpu");
  const bool quota = resources.cpu && resources.cpu->quota.value_or(0) != 0;
  const bool period = resources.cpu && resources.cpu->period.value_or(0) != 0;
  if (cpu == nullptr || cpu->version == Version::v1 || quota == period) return current;
  if (auto text = read_value(cpu->absolute(), "cpu.max")) {
    std::string_view rest = *text;
    const std::string_view now_quota = take_word(rest);
    if (parse_number(now_quota)) current.cpu_quota = now_quota;
    current.cpu_period = parse_number(take_word(rest)).value_or(current.cpu_period);
  }
  return current;
}

std::vector<std::string> controllers_of(const std::vector<Setting>& settings, const Directory& directory) {
  std::vector<std::string> out;
  const std::string here = directory.absolute();
  for (const Setting& setting : settings) {
    const std::string controller = controller_of(setting);
    if (setting.directory != here || !directory.has(controller)) continue;
    if (std::find(out.begin(), out.end(), controller) == out.end()) out.push_back(controller);
  }
  return out;
}

Result<void> check_memory_usage(const oci::Memory& memory, const Directory& directory) {
  const std::int64_t limit = memory.limit.value_or(0);
  const std::int64_t swap = memory.swap.value_or(0);
  if (!memory.check_before_update.value_or(false) || (limit <= 0 && swap <= 0)) return ok();
  auto text = read_value(directory.absolute(), "memory.current");
  if (!text) return ok();  // best effort, as runc: there may be no group yet
  const auto usage = parse_number(*text);
  if (!usage) return ok();
  auto refuse = [&](const std::string& what, std::int64_t value) {
    return Error::of(Kind::conflict,
                     "rejecting " + what + " limit " + std::to_string(value) + " <= usage " + std::to_string(*usage));
  };
  if (swap > 0 && static_cast<std::uint64_t>(swap) <= *usage) return refuse("memory+swap", swap);
  if (limit > 0 && static_cast<std::uint64_t>(limit) <= *usage) return refuse("memory", limit);
  return ok();
}

}  // namespace caisson::cgroup

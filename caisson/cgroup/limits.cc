#include "caisson/cgroup/limits.h"

#include <algorithm>
#include <cmath>

#include "caisson/cgroup/files.h"

namespace caisson::cgroup {
namespace {

using Missing = Setting::Missing;

std::string text_of(std::int64_t value) { return std::to_string(value); }
std::string text_of(std::uint64_t value) { return std::to_string(value); }
std::string text_of(std::uint32_t value) { return std::to_string(value); }

std::string max_or(std::int64_t value) { return value < 0 ? "max" : std::to_string(value); }

Error invalid(const std::string& what) { return Error::of(Kind::invalid, what); }

// Collects the settings of one controller after another.
class Plan {
 public:
  explicit Plan(const Placement& placement) : placement_(placement) {}

  // Every set() that follows goes to the directory that has `controller`; `what` is the resource for the error.
  Result<Version> use(const std::string& controller, const std::string& what) {
    const Directory* found = placement_.find(controller);
    // The same limits under v2's name.
    if (found == nullptr && controller == "blkio") found = placement_.find("io");
    if (found == nullptr)
      return Error::of(Kind::unsupported,
                       "cannot set " + what + ": cgroup controller " + controller + " is not mounted");
    directory_ = found->absolute();
    return found->version;
  }

  Setting& set(const std::string& file, const std::string& value) {
    settings_.push_back({directory_, file, value, Missing::fail, false, false, "", ""});
    return settings_.back();
  }

  std::vector<Setting> take() { return std::move(settings_); }

 private:
  const Placement& placement_;
  std::string directory_;
  std::vector<Setting> settings_;
};

Result<void> plan_cpuset(const oci::Cpu& cpu, Plan& plan) {
  if (cpu.cpus.empty() && cpu.mems.empty()) return ok();
  TRY(plan.use("cpuset", "cpu.cpus"));
  if (!cpu.cpus.empty()) plan.set("cpuset.cpus", cpu.cpus);
  if (!cpu.mems.empty()) plan.set("cpuset.mems", cpu.mems);
  return ok();
}

// Bytes that are absent or 0 ask for nothing.
std::int64_t asked(const std::optional<std::int64_t>& value) { return value.value_or(0); }

void plan_memory_v1(const oci::Memory& memory, const Current& current, Plan& plan) {
  const std::int64_t limit = asked(memory.limit);
  std::int64_t swap = asked(memory.swap);
  const bool swap_follows = limit == -1 && swap == 0;  // unlimited memory: unlimited swap, where the kernel accounts it
  if (swap_follows) swap = -1;
  auto set_limit = [&] {
    if (limit != 0) plan.set("memory.limit_in_bytes", text_of(limit));
  };
  auto set_swap = [&] {
    if (swap == 0) return;
    plan.set("memory.memsw.limit_in_bytes", text_of(swap)).missing = swap_follows ? Missing::ignore : Missing::fail;
  };
  // limit <= memory+swap must hold after each write: whichever of them grows goes first.
  const bool swap_first =
      limit != 0 && swap != 0 && (swap == -1 || current.memory_limit < static_cast<std::uint64_t>(swap));
  if (swap_first) {
    set_swap();
    set_limit();
  } else {
    set_limit();
    set_swap();
  }
  if (asked(memory.reservation) != 0) plan.set("memory.soft_limit_in_bytes", text_of(*memory.reservation));
  if (memory.disable_oom_killer.value_or(false)) plan.set("memory.oom_control", "1");
  if (memory.swappiness && *memory.swappiness <= 100) plan.set("memory.swappiness", text_of(*memory.swappiness));
}

// v2 limits swap alone: what is given is memory and swap together, less the memory. Of the two, one that is not given
// keeps its value. source: runtime-spec config-linux.md "Memory"; runc ConvertMemorySwapToCgroupV2Value
Result<std::string> swap_v2(std::int64_t limit, std::int64_t swap, const Current& current) {
  const bool limited = current.memory_limit <= INT64_MAX;
  if (swap == 0) {
    if (limit == -1) return std::string("max");
    if (limit == 0 || !limited || current.swap_limit > INT64_MAX) return std::string();
    swap = static_cast<std::int64_t>(current.memory_limit + current.swap_limit);
  }
  if (swap == -1) return std::string("max");
  if (limit == 0 && limited) limit = static_cast<std::int64_t>(current.memory_limit);
  if (limit == 0 || limit == -1) return invalid("memory.swap: unable to set swap limit without memory limit");
  if (swap < limit) return invalid("memory.swap: memory+swap limit should be >= memory limit");
  return text_of(swap - limit);
}

Result<void> plan_memory_v2(const oci::Memory& memory, const Current& current, Plan& plan) {
  const std::string swap = TRY(swap_v2(asked(memory.limit), asked(memory.swap), current));
  // Without swap accounting there is no file, and nothing to forbid.
  if (!swap.empty())
    plan.set("memory.swap.max", swap).missing = swap == "max" || swap == "0" ? Missing::ignore : Missing::fail;
  if (asked(memory.limit) != 0) plan.set("memory.max", max_or(*memory.limit));
  if (asked(memory.reservation) != 0) plan.set("memory.low", max_or(*memory.reservation));
  return ok();
}

Result<void> plan_memory(const oci::Memory& memory, const Current& current, Plan& plan) {
  for (const auto* value : {&memory.limit, &memory.swap, &memory.reservation})
    if (asked(*value) < -1) return invalid("memory: invalid value: " + text_of(**value));
  // Some callers write -1 for "leave it", which arrives here as 2^64-1.
  const bool swappiness = memory.swappiness && *memory.swappiness != UINT64_MAX;
  if (swappiness && *memory.swappiness > 100)
    return invalid("invalid memory swappiness value: " + text_of(*memory.swappiness) + " (valid range is 0-100)");
  if (asked(memory.limit) == 0 && asked(memory.swap) == 0 && asked(memory.reservation) == 0 && !swappiness &&
      !memory.disable_oom_killer.value_or(false))
    return ok();
  const Version version = TRY(plan.use("memory", "memory"));
  if (version == Version::v2) return plan_memory_v2(memory, current, plan);
  plan_memory_v1(memory, current, plan);
  return ok();
}

// Quota, period and burst constrain each other: what does not fit yet is written again after the quota.
void plan_bandwidth_v1(const oci::Cpu& cpu, Plan& plan) {
  const bool quota = cpu.quota.value_or(0) != 0;
  if (cpu.period.value_or(0) != 0) plan.set("cpu.cfs_period_us", text_of(*cpu.period)).again = quota;
  if (cpu.burst) {
    Setting& burst = plan.set("cpu.cfs_burst_us", text_of(*cpu.burst));
    burst.again = quota;
    burst.missing = Missing::ignore;  // before 5.14
  }
  if (quota) plan.set("cpu.cfs_quota_us", text_of(*cpu.quota));
}

void plan_bandwidth_v2(const oci::Cpu& cpu, const Current& current, Plan& plan) {
  const bool quota = cpu.quota.value_or(0) != 0;
  if (cpu.burst) {
    Setting& burst = plan.set("cpu.max.burst", text_of(*cpu.burst));
    burst.again = quota;
    burst.missing = Missing::ignore;
  }
  const bool period = cpu.period.value_or(0) != 0;
  if (!quota && !period) return;
  const std::string max = quota ? max_or(*cpu.quota) : current.cpu_quota;
  plan.set("cpu.max", max + " " + text_of(period ? *cpu.period : current.cpu_period));
}

constexpr std::uint64_t min_shares = 2;  // kernel/sched: MIN_SHARES, MAX_SHARES; it clamps silently
constexpr std::uint64_t max_shares = 1U << 18;

Result<void> plan_cpu(const oci::Cpu& cpu, const Current& current, Plan& plan) {
  const std::uint64_t shares = cpu.shares.value_or(0);
  const bool realtime = cpu.realtime_runtime.value_or(0) != 0 || cpu.realtime_period.value_or(0) != 0;
  if (shares == 0 && !cpu.idle && !cpu.burst && cpu.quota.value_or(0) == 0 && cpu.period.value_or(0) == 0 && !realtime)
    return ok();
  const Version version = TRY(plan.use("cpu", "cpu"));
  const bool v1 = version == Version::v1;
  if (v1 && shares != 0 && shares < min_shares) return invalid("the minimum allowed cpu-shares is 2");
  if (v1 && shares > max_shares) return invalid("the maximum allowed cpu-shares is 262144");
  if (realtime && !v1) return Error::of(Kind::unsupported, "cannot set cpu.realtimeRuntime: not on cgroup v2");
  auto set_weight = [&](bool idle) {
    if (shares == 0) return;
    Setting& weight =
        v1 ? plan.set("cpu.shares", text_of(shares)) : plan.set("cpu.weight", text_of(weight_from_shares(shares)));
    weight.ignore_invalid = idle;  // an idle group takes no weight, and has no use for one
  };
  const bool becomes_idle = cpu.idle.value_or(0) != 0;
  if (becomes_idle) set_weight(true);
  if (cpu.idle) plan.set("cpu.idle", text_of(*cpu.idle));
  if (!becomes_idle) set_weight(false);
  if (v1)
    plan_bandwidth_v1(cpu, plan);
  else
    plan_bandwidth_v2(cpu, current, plan);
  if (cpu.realtime_period.value_or(0) != 0)
    plan.set("cpu.rt_period_us", text_of(*cpu.realtime_period)).again = cpu.realtime_runtime.value_or(0) != 0;
  if (cpu.realtime_runtime.value_or(0) != 0) plan.set("cpu.rt_runtime_us", text_of(*cpu.realtime_runtime));
  return ok();
}

Result<void> plan_pids(const oci::Pids& pids, Plan& plan) {
  if (!pids.limit) return ok();
  TRY(plan.use("pids", "pids.limit"));
  // 0 cannot be: the container itself is one. source: runc 1.4
  plan.set("pids.max", *pids.limit < 0 ? "max" : text_of(std::max<std::int64_t>(*pids.limit, 1)));
  return ok();
}

bool is_page_size(const std::string& text) {
  if (text.size() < 3 || !text.ends_with("B") || std::string("KMG").find(text[text.size() - 2]) == std::string::npos)
    return false;
  return std::all_of(text.begin(), text.end() - 2, [](char c) { return c >= '0' && c <= '9'; });
}

Result<void> plan_hugetlb(const std::vector<oci::HugepageLimit>& limits, Plan& plan) {
  for (const oci::HugepageLimit& limit : limits) {
    if (!is_page_size(limit.page_size))
      return invalid("hugepageLimits: pageSize \"" + limit.page_size + "\" is not like 64KB, 2MB, 1GB");
    const Version version = TRY(plan.use("hugetlb", "hugetlb limit"));
    const std::string suffix = version == Version::v1 ? "limit_in_bytes" : "max";
    plan.set("hugetlb." + limit.page_size + "." + suffix, text_of(limit.limit));
    // Reservations are accounted since 5.7.
    plan.set("hugetlb." + limit.page_size + ".rsvd." + suffix, text_of(limit.limit)).missing = Missing::ignore;
  }
  return ok();
}

Result<void> plan_network(const oci::NetworkLimits& network, Plan& plan) {
  if (network.class_id.value_or(0) != 0) {
    TRY(plan.use("net_cls", "network.classID"));
    plan.set("net_cls.classid", text_of(*network.class_id));
  }
  for (const oci::InterfacePriority& priority : network.priorities) {
    if (priority.name.empty() || priority.name.find_first_of(" \t\n/") != priority.name.npos)
      return invalid("network.priorities: \"" + priority.name + "\" is not an interface");
    TRY(plan.use("net_prio", "network.priorities"));
    plan.set("net_prio.ifpriomap", priority.name + " " + text_of(priority.priority));
  }
  return ok();
}

Result<void> plan_rdma(const std::map<std::string, oci::Rdma>& rdma, Plan& plan) {
  for (const auto& [device, limit] : rdma) {
    if (device.empty() || device.find_first_of(" \t\n") != device.npos)
      return invalid("rdma: \"" + device + "\" is not a device");
    TRY(plan.use("rdma", "rdma"));
    std::string value = device;
    if (limit.hca_handles) value += " hca_handle=" + text_of(*limit.hca_handles);
    if (limit.hca_objects) value += " hca_object=" + text_of(*limit.hca_objects);
    if (value != device) plan.set("rdma.max", value);
  }
  return ok();
}

// Raw files, in the order of their names. source: runtime-spec config-linux.md "Unified"
Result<void> plan_unified(const std::map<std::string, std::string>& unified, const Placement& placement,
                          std::vector<Setting>& out) {
  if (unified.empty()) return ok();
  if (placement.mode() != Mode::v2) return invalid("invalid configuration: cannot use unified on cgroup v1");
  const Directory& directory = *placement.unified();
  for (const auto& [file, value] : unified) {
    if (file.find('/') != file.npos)
      return invalid("unified resource \"" + file + "\" must be a file name (no slashes)");
    const std::size_t dot = file.find('.');
    if (dot == file.npos || dot == 0)
      return invalid("unified resource \"" + file + "\" must be in the form CONTROLLER.PARAMETER");
    const std::string controller = file.substr(0, dot);
    if (controller != "cgroup" && !directory.has(controller))
      return Error::of(Kind::unsupported, "unified resource \"" + file + "\" can't be set: controller \"" + controller +
                                              "\" not available");
    // Files like io.max take one line a write.
    for (std::string_view rest = value; !rest.empty();) {
      const std::string_view line = take_line(rest);
      if (!line.empty())
        out.push_back({directory.absolute(), file, std::string(line), Missing::fail, false, false, "", ""});
    }
  }
  return ok();
}

// ---- block I/O

std::string device_of(const auto& entry) { return text_of(entry.major) + ":" + text_of(entry.minor); }

void plan_throttle(const oci::BlockIo& io, Version version, Plan& plan) {
  struct Row {
    const std::vector<oci::ThrottleDevice>& devices;
    const char* v1_file;
    const char* v2_key;
  };
  const Row rows[] = {
      {io.throttle_read_bps_device, "blkio.throttle.read_bps_device", "rbps"},
      {io.throttle_write_bps_device, "blkio.throttle.write_bps_device", "wbps"},
      {io.throttle_read_iops_device, "blkio.throttle.read_iops_device", "riops"},
      {io.throttle_write_iops_device, "blkio.throttle.write_iops_device", "wiops"},
  };
  for (const Row& row : rows) {
    for (const oci::ThrottleDevice& entry : row.devices) {
      if (version == Version::v1) {
        plan.set(row.v1_file, device_of(entry) + " " + text_of(entry.rate));
      } else {  // 0 lifts the limit, as in v1
        const std::string rate = entry.rate == 0 ? "max" : text_of(entry.rate);
        plan.set("io.max", device_of(entry) + " " + row.v2_key + "=" + rate);
      }
    }
  }
}

void plan_weights_v1(const oci::BlockIo& io, Plan& plan) {
  auto set = [&](const std::string& file, const std::string& bfq_file, const std::string& value) {
    Setting& setting = plan.set(file, value);
    setting.other_file = bfq_file;  // the only weight since CFQ went (5.0)
    setting.other_value = bfq_file.empty() ? "" : value;
  };
  if (io.weight.value_or(0) != 0) set("blkio.weight", "blkio.bfq.weight", std::to_string(*io.weight));
  if (io.leaf_weight.value_or(0) != 0) set("blkio.leaf_weight", "", std::to_string(*io.leaf_weight));
  for (const oci::WeightDevice& entry : io.weight_device) {
    if (entry.weight.value_or(0) != 0)
      set("blkio.weight_device", "blkio.bfq.weight_device", device_of(entry) + " " + std::to_string(*entry.weight));
    if (entry.leaf_weight.value_or(0) != 0)
      set("blkio.leaf_weight_device", "", device_of(entry) + " " + std::to_string(*entry.leaf_weight));
  }
}

void plan_weights_v2(const oci::BlockIo& io, Plan& plan) {
  if (io.weight.value_or(0) != 0) {
    Setting& setting = plan.set("io.bfq.weight", std::to_string(*io.weight));
    setting.other_file = "io.weight";
    setting.other_value = text_of(io_weight_from_blkio(*io.weight));
  }
  for (const oci::WeightDevice& entry : io.weight_device) {
    if (entry.weight.value_or(0) == 0) continue;
    Setting& setting = plan.set("io.bfq.weight", device_of(entry) + " " + std::to_string(*entry.weight));
    setting.other_file = "io.weight";
    setting.other_value = device_of(entry) + " " + text_of(io_weight_from_blkio(*entry.weight));
  }
}

Result<void> plan_block_io(const oci::BlockIo& io, Plan& plan) {
  const bool weights = io.weight.value_or(0) != 0 || io.leaf_weight.value_or(0) != 0 || !io.weight_device.empty();
  if (!weights && io.throttle_read_bps_device.empty() && io.throttle_write_bps_device.empty() &&
      io.throttle_read_iops_device.empty() && io.throttle_write_iops_device.empty())
    return ok();
  const Version version = TRY(plan.use("blkio", "blockIO"));
  if (version == Version::v1)
    plan_weights_v1(io, plan);
  else
    plan_weights_v2(io, plan);
  plan_throttle(io, version, plan);
  return ok();
}

}  // namespace

std::uint64_t weight_from_shares(std::uint64_t shares) {
  if (shares == 0) return 0;
  if (shares <= min_shares) return 1;
  if (shares >= max_shares) return 10000;
  // The quadratic in log2(shares) through the least, the default and the greatest value.
  const double l = std::log2(static_cast<double>(shares));
  return static_cast<std::uint64_t>(std::ceil(std::pow(10, (l * l + 125 * l) / 612.0 - 7.0 / 34.0)));
}

std::uint64_t io_weight_from_blkio(std::uint16_t weight) {
  if (weight == 0) return 0;
  return 1 + (std::max<std::uint64_t>(weight, 10) - 10) * 9999 / 990;
}

Result<std::vector<Setting>> plan_settings(const oci::Resources& resources, const Placement& placement,
                                           const Current& current) {
  Plan plan(placement);
  if (resources.cpu) TRY(plan_cpuset(*resources.cpu, plan));
  if (resources.memory) TRY(plan_memory(*resources.memory, current, plan));
  if (resources.cpu) TRY(plan_cpu(*resources.cpu, current, plan));
  if (resources.pids) TRY(plan_pids(*resources.pids, plan));
  if (resources.block_io) TRY(plan_block_io(*resources.block_io, plan));
  TRY(plan_hugetlb(resources.hugepage_limits, plan));
  if (resources.network) TRY(plan_network(*resources.network, plan));
  TRY(plan_rdma(resources.rdma, plan));
  std::vector<Setting> settings = plan.take();
  TRY(plan_unified(resources.unified, placement, settings));
  return settings;
}

}  // namespace caisson::cgroup

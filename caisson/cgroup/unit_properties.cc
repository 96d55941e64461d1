#include "caisson/cgroup/unit_properties.h"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>

#include "caisson/cgroup/files.h"
#include "caisson/oci/number_list.h"

namespace caisson::cgroup {
namespace {

using dbus::Property;

// The first version that knows a property; with an unknown one the whole call fails. source: systemd NEWS
constexpr unsigned since_period = 242;
constexpr unsigned since_cpuset = 244;
constexpr unsigned since_idle = 252;

constexpr std::uint64_t microseconds = 1000000;
constexpr std::uint64_t quota_step = 10000;  // systemd counts quota in 10 ms of a second
constexpr std::uint64_t default_period = 100000;

std::uint64_t per_second(std::uint64_t quota, std::uint64_t period) {
  if (quota == UINT64_MAX || period == 0 || quota > UINT64_MAX / microseconds) return UINT64_MAX;
  const std::uint64_t exact = quota * microseconds / period;
  return (exact + quota_step - 1) / quota_step * quota_step;
}

// "0-3" -> bit n of byte n / 8, as systemd takes CPU sets.
Result<std::vector<std::uint8_t>> bytes_of(const std::string& list) {
  const std::vector<unsigned long> words = TRY(oci::parse_number_list(list));
  std::vector<std::uint8_t> out;
  for (const unsigned long word : words)
    for (std::size_t byte = 0; byte < sizeof word; ++byte) out.push_back(static_cast<std::uint8_t>(word >> (8 * byte)));
  while (!out.empty() && out.back() == 0) out.pop_back();
  return out;
}

// Files whose value is one number (or max, or -1) that a property takes as it is.
struct Row {
  std::string_view file;
  const char* property;
};
constexpr Row rows[] = {
    {"memory.max", "MemoryMax"},
    {"memory.high", "MemoryHigh"},
    {"memory.low", "MemoryLow"},
    {"memory.min", "MemoryMin"},
    {"memory.swap.max", "MemorySwapMax"},
    {"cpu.weight", "CPUWeight"},
    {"pids.max", "TasksMax"},
    {"io.weight", "IOWeight"},
    // v1
    {"memory.limit_in_bytes", "MemoryLimit"},
    {"cpu.shares", "CPUShares"},
    {"blkio.weight", "BlockIOWeight"},
};

std::optional<std::uint64_t> number_of(std::string_view text) {
  return text == "-1" ? std::optional<std::uint64_t>(UINT64_MAX) : parse_number(text);
}

class Limits {
 public:
  explicit Limits(unsigned version) : version_(version) {}

  Result<void> add(std::string_view file, std::string_view value) {
    for (const Row& row : rows) {
      if (row.file != file) continue;
      if (file == "io.weight" && value.starts_with("default ")) value.remove_prefix(8);
      // A value that is no number is the kernel's to refuse, or a line for one device.
      if (const auto number = number_of(value)) out_.push_back({row.property, *number});
      return ok();
    }
    if (file == "cpuset.cpus") return add_set("AllowedCPUs", value);
    if (file == "cpuset.mems") return add_set("AllowedMemoryNodes", value);
    if (file == "cpu.max") add_bandwidth(value);
    if (file == "cpu.cfs_quota_us") quota_ = number_of(value);
    if (file == "cpu.cfs_period_us") period_ = number_of(value);
    if (file == "cpu.idle" && value == "1") idle_ = true;
    return ok();
  }

  Properties take() {
    if (idle_ && version_ >= since_idle) {  // a weight of 0 says so; any other would be refused in an idle group
      std::erase_if(out_, [](const Property& p) { return p.name == "CPUWeight"; });
      out_.push_back({"CPUWeight", std::uint64_t{0}});
    }
    if (period_ && version_ >= since_period) out_.push_back({"CPUQuotaPeriodUSec", *period_});
    if (quota_) out_.push_back({"CPUQuotaPerSecUSec", per_second(*quota_, period_.value_or(default_period))});
    return std::move(out_);
  }

 private:
  Result<void> add_set(const char* property, std::string_view value) {
    if (version_ < since_cpuset) return ok();
    std::vector<std::uint8_t> bytes = TRY(bytes_of(std::string(value)).during(property));
    out_.push_back({property, std::move(bytes)});
    return ok();
  }

  void add_bandwidth(std::string_view value) {
    quota_ = number_of(take_word(value));
    const std::string_view period = take_word(value);
    if (!period.empty()) period_ = number_of(period);
  }

  unsigned version_;
  Properties out_;
  std::optional<std::uint64_t> quota_, period_;
  bool idle_ = false;
};

// ---- devices

constexpr std::int64_t any = -1;

struct DeviceKey {
  char type = 'c';
  std::int64_t major = any, minor = any;
  auto operator<=>(const DeviceKey&) const = default;
};

struct DeviceList {
  bool allows = false;                       // what is not listed
  std::map<DeviceKey, std::string> granted;  // access, of "rwm"; while `allows` is false
};

bool names_everything(const oci::DeviceRule& rule) {
  return (rule.type.empty() || rule.type == "a") && rule.major.value_or(any) == any &&
         rule.minor.value_or(any) == any && (rule.access.empty() || rule.access.size() == 3);
}

DeviceList list_of(const std::vector<oci::DeviceRule>& rules) {
  DeviceList out;
  for (const oci::DeviceRule& rule : rules) {
    if (names_everything(rule)) {
      out = {.allows = rule.allow, .granted = {}};
      continue;
    }
    const bool both = rule.type.empty() || rule.type == "a";
    for (const char type : {'b', 'c'}) {
      if (!both && type != (rule.type == "b" ? 'b' : 'c')) continue;
      const DeviceKey key{type, rule.major.value_or(any), rule.minor.value_or(any)};
      std::string& access = out.granted[key];
      for (const char c : rule.access.empty() ? std::string("rwm") : rule.access) {
        const std::size_t at = access.find(c);
        if (rule.allow && at == access.npos) access += c;
        if (!rule.allow && at != access.npos) access.erase(at, 1);
      }
    }
  }
  return out;
}

// The driver of a major number: "136 pts" below "Character devices:".
std::string driver_of(const DeviceKey& key, std::string_view proc_devices) {
  bool here = false;
  while (!proc_devices.empty()) {
    std::string_view line = take_line(proc_devices);
    if (line.ends_with("devices:")) here = line.starts_with(key.type == 'b' ? "Block" : "Character");
    if (here && parse_number(take_word(line)) == static_cast<std::uint64_t>(key.major))
      return std::string(take_word(line));
  }
  return "";
}

// As DeviceAllow= names them. source: systemd.resource-control(5)
std::string node_of(const DeviceKey& key, std::string_view proc_devices) {
  const std::string kind = key.type == 'b' ? "block" : "char";
  if (key.major == any) return key.minor == any ? kind + "-*" : "";
  if (key.minor != any) return "/dev/" + kind + "/" + std::to_string(key.major) + ":" + std::to_string(key.minor);
  const std::string driver = driver_of(key, proc_devices);
  return driver.empty() ? "" : kind + "-" + driver;
}

}  // namespace

Properties unit_properties(const UnitName& name, std::string_view id, pid_t member, Mode mode) {
  Properties out;
  out.push_back({"Description", "caisson container " + std::string(id)});
  if (name.is_slice()) {
    out.push_back({"Wants", std::vector<std::string>{name.slice}});
  } else {
    out.push_back({"Slice", name.slice});
    out.push_back({"Delegate", true});
    out.push_back({"PIDs", std::vector<std::uint32_t>{static_cast<std::uint32_t>(member)}});
  }
  for (const char* accounting : {"MemoryAccounting", "CPUAccounting", "TasksAccounting"})
    out.push_back({accounting, true});
  out.push_back({mode == Mode::v2 ? "IOAccounting" : "BlockIOAccounting", true});
  out.push_back({"DefaultDependencies", false});
  return out;
}

Result<Properties> limit_properties(const std::vector<Setting>& settings, unsigned systemd_version) {
  Limits limits(systemd_version);
  for (const Setting& setting : settings) {
    // Of a weight that two I/O schedulers have files for, the general one is systemd's.
    const bool other = setting.other_file == "io.weight";
    TRY(limits.add(other ? setting.other_file : setting.file, other ? setting.other_value : setting.value));
  }
  return limits.take();
}

Properties device_properties(const std::vector<oci::DeviceRule>& rules, std::string_view proc_devices) {
  using Allowed = std::vector<std::pair<std::string, std::string>>;
  const DeviceList list = list_of(rules);
  if (list.allows) return {{"DevicePolicy", std::string("auto")}, {"DeviceAllow", Allowed()}};
  Allowed allowed;
  for (const auto& [key, access] : list.granted) {
    std::string node = node_of(key, proc_devices);
    if (!node.empty() && !access.empty()) allowed.emplace_back(std::move(node), access);
  }
  // An empty list first empties what is there.
  return {{"DevicePolicy", std::string("strict")}, {"DeviceAllow", Allowed()}, {"DeviceAllow", std::move(allowed)}};
}

}  // namespace caisson::cgroup

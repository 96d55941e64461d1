// config.json `linux.resources`: limits for the container's cgroups. Also what `update --resources` reads.
// Layer: oci (plain data). Used by cgroup, runtime and nest.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "caisson/base/result.h"

namespace caisson::oci {

// An absent optional means "leave as it is"; -1 means no limit where the kernel knows such a thing.

struct DeviceRule {
  bool allow = false;
  std::string type{};                   // "a", "b", "c"; empty is "a"
  std::optional<std::int64_t> major{};  // absent or -1: any
  std::optional<std::int64_t> minor{};
  std::string access{};  // of "rwm"; empty is "rwm"
  bool operator==(const DeviceRule&) const = default;
};

struct Memory {
  std::optional<std::int64_t> limit{};  // bytes
  std::optional<std::int64_t> reservation{};
  std::optional<std::int64_t> swap{};  // memory and swap together, as in v1
  std::optional<std::int64_t> kernel{};
  std::optional<std::int64_t> kernel_tcp{};
  std::optional<std::uint64_t> swappiness{};
  std::optional<bool> disable_oom_killer{};
  std::optional<bool> use_hierarchy{};
  std::optional<bool> check_before_update{};
  bool operator==(const Memory&) const = default;
};

struct Cpu {
  std::optional<std::uint64_t> shares{};
  std::optional<std::int64_t> quota{};  // microseconds, as are the next four
  std::optional<std::uint64_t> burst{};
  std::optional<std::uint64_t> period{};
  std::optional<std::int64_t> realtime_runtime{};
  std::optional<std::uint64_t> realtime_period{};
  std::string cpus{};  // "0-3,7"
  std::string mems{};
  std::optional<std::int64_t> idle{};
  bool operator==(const Cpu&) const = default;
};

struct Pids {
  std::optional<std::int64_t> limit{};
  bool operator==(const Pids&) const = default;
};

struct WeightDevice {
  std::int64_t major = 0;
  std::int64_t minor = 0;
  std::optional<std::uint16_t> weight{};
  std::optional<std::uint16_t> leaf_weight{};
  bool operator==(const WeightDevice&) const = default;
};

struct ThrottleDevice {
  std::int64_t major = 0;
  std::int64_t minor = 0;
  std::uint64_t rate = 0;  // bytes or operations a second
  bool operator==(const ThrottleDevice&) const = default;
};

struct BlockIo {
  std::optional<std::uint16_t> weight{};
  std::optional<std::uint16_t> leaf_weight{};
  std::vector<WeightDevice> weight_device{};
  std::vector<ThrottleDevice> throttle_read_bps_device{};
  std::vector<ThrottleDevice> throttle_write_bps_device{};
  std::vector<ThrottleDevice> throttle_read_iops_device{};
  std::vector<ThrottleDevice> throttle_write_iops_device{};
  bool operator==(const BlockIo&) const = default;
};

struct HugepageLimit {
  std::string page_size{};  // "2MB", as the kernel names its files
  std::uint64_t limit = 0;
  bool operator==(const HugepageLimit&) const = default;
};

struct InterfacePriority {
  std::string name{};
  std::uint32_t priority = 0;
  bool operator==(const InterfacePriority&) const = default;
};

struct NetworkLimits {
  std::optional<std::uint32_t> class_id{};
  std::vector<InterfacePriority> priorities{};
  bool operator==(const NetworkLimits&) const = default;
};

struct Rdma {
  std::optional<std::uint32_t> hca_handles{};
  std::optional<std::uint32_t> hca_objects{};
  bool operator==(const Rdma&) const = default;
};

struct Resources {
  std::vector<DeviceRule> devices{};  // in order: later rules win
  std::optional<Memory> memory{};
  std::optional<Cpu> cpu{};
  std::optional<Pids> pids{};
  std::optional<BlockIo> block_io{};
  std::vector<HugepageLimit> hugepage_limits{};
  std::optional<NetworkLimits> network{};
  std::map<std::string, Rdma> rdma{};
  std::map<std::string, std::string> unified{};
  bool operator==(const Resources&) const = default;
};

// errors: invalid, naming the field: "resources: memory.limit: must be an integer"
Result<Resources> parse_resources(std::string_view text);

std::string print_resources(const Resources& resources);

}  // namespace caisson::oci

// Prints Stats as one of runc's events.
// Layer: cgroup. Used by the runtime's events command through stats.h.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/cgroup/stats.h"

namespace caisson::cgroup {
namespace {

// A JSON text in the making; knows only where a comma goes.
class Json {
 public:
  Json& open(std::string_view key, char bracket) {
    name(key);
    text_ += bracket;
    first_ = true;
    return *this;
  }
  Json& close(char bracket) {
    text_ += bracket;
    first_ = false;
    return *this;
  }
  Json& name(std::string_view key) {
    if (!first_) text_ += ',';
    first_ = false;
    if (!key.empty()) {
      quote(key);
      text_ += ':';
    }
    return *this;
  }
  Json& raw(std::string_view key, std::string_view value) {
    name(key).text_ += value;
    return *this;
  }
  Json& string(std::string_view key, std::string_view value) {
    name(key).quote(value);
    return *this;
  }
  Json& number(std::string_view key, std::uint64_t value) { return raw(key, std::to_string(value)); }
  // Go's omitempty.
  Json& number_if(std::string_view key, std::uint64_t value) { return value == 0 ? *this : number(key, value); }
  Json& numbers_if(std::string_view key, const std::vector<std::uint64_t>& values) {
    if (values.empty()) return *this;
    open(key, '[');
    for (const std::uint64_t value : values) number("", value);
    return close(']');
  }
  std::string take() { return std::move(text_); }

 private:
  void quote(std::string_view value) {
    text_ += '"';
    for (const char c : value) {
      const auto byte = static_cast<unsigned char>(c);
      if (c == '"' || c == '\\') {
        text_ += '\\';
        text_ += c;
      } else if (byte < 0x20) {
        constexpr char hex[] = "0123456789abcdef";
        text_ += "\\u00";
        text_ += hex[byte >> 4];
        text_ += hex[byte & 15];
      } else {
        text_ += c;
      }
    }
    text_ += '"';
  }

  std::string text_;
  bool first_ = true;
};

// 5025 -> "50.25", 5020 -> "50.2", 5000 -> "50": as Go prints a float.
std::string percent(std::uint64_t hundredths) {
  std::string out = std::to_string(hundredths / 100);
  const std::uint64_t rest = hundredths % 100;
  if (rest == 0) return out;
  out += '.';
  out += static_cast<char>('0' + rest / 10);
  if (rest % 10 != 0) out += static_cast<char>('0' + rest % 10);
  return out;
}

void print_pressure(Json& json, const std::optional<Pressure>& pressure) {
  if (!pressure) return;
  json.open("psi", '{');
  auto line = [&](const char* key, const std::optional<Pressure::Line>& values) {
    if (!values) return;
    json.open(key, '{').raw("avg10", percent(values->avg10)).raw("avg60", percent(values->avg60));
    json.raw("avg300", percent(values->avg300)).number("total", values->total).close('}');
  };
  line("some", pressure->some);
  line("full", pressure->full);
  json.close('}');
}

void print_cpu(Json& json, const CpuStats& cpu) {
  json.open("cpu", '{').open("usage", '{').number_if("total", cpu.total).numbers_if("percpu", cpu.per_cpu);
  json.numbers_if("percpu_kernel", cpu.per_cpu_kernel).numbers_if("percpu_user", cpu.per_cpu_user);
  json.number("kernel", cpu.kernel).number("user", cpu.user).close('}');
  json.open("throttling", '{').number_if("periods", cpu.periods).number_if("throttledPeriods", cpu.throttled_periods);
  json.number_if("throttledTime", cpu.throttled_time).close('}');
  print_pressure(json, cpu.pressure);
  json.close('}');
}

void print_cpuset(Json& json, const CpusetStats& cpuset) {
  auto flag = [&](const char* name) {
    const auto found = cpuset.flags.find(name);
    json.raw(name, std::to_string(found == cpuset.flags.end() ? 0 : found->second));
  };
  json.open("cpuset", '{').numbers_if("cpus", cpuset.cpus);
  flag("cpu_exclusive");
  json.numbers_if("mems", cpuset.mems);
  for (const char* name : {"mem_hardwall", "mem_exclusive", "memory_migrate", "memory_spread_page",
                           "memory_spread_slab", "memory_pressure", "sched_load_balance", "sched_relax_domain_level"})
    flag(name);
  json.close('}');
}

void print_memory(Json& json, const MemoryStats& memory) {
  auto use = [&](const char* key, const MemoryUse& value) {
    json.open(key, '{').number("limit", value.limit).number_if("usage", value.usage).number_if("max", value.max);
    json.number("failcnt", value.failures).close('}');
  };
  json.open("memory", '{').number_if("cache", memory.cache);
  use("usage", memory.usage);
  use("swap", memory.swap);
  use("kernel", memory.kernel);
  use("kernelTCP", memory.kernel_tcp);
  if (!memory.raw.empty()) {
    json.open("raw", '{');
    for (const auto& [key, value] : memory.raw) json.number(key, value);
    json.close('}');
  }
  print_pressure(json, memory.pressure);
  json.close('}');
}

void print_io(Json& json, const IoStats& io) {
  json.open("blkio", '{');
  for (const char* table :
       {"ioServiceBytesRecursive", "ioServicedRecursive", "ioQueueRecursive", "ioServiceTimeRecursive",
        "ioWaitTimeRecursive", "ioMergedRecursive", "ioTimeRecursive", "sectorsRecursive"}) {
    const auto found = io.tables.find(table);
    if (found == io.tables.end() || found->second.empty()) continue;
    json.open(table, '[');
    for (const IoEntry& entry : found->second) {
      json.open("", '{').number_if("major", entry.major).number_if("minor", entry.minor);
      if (!entry.operation.empty()) json.string("op", entry.operation);
      json.number_if("value", entry.value).close('}');
    }
    json.close(']');
  }
  print_pressure(json, io.pressure);
  json.close('}');
}

}  // namespace

std::string stats_json(std::string_view id, const Stats& stats) {
  Json json;
  json.open("", '{').string("type", "stats").string("id", id).open("data", '{');
  print_cpu(json, stats.cpu);
  print_cpuset(json, stats.cpuset);
  print_memory(json, stats.memory);
  json.open("pids", '{').number_if("current", stats.pids).number_if("limit", stats.pids_limit).close('}');
  print_io(json, stats.io);
  json.open("hugetlb", '{');
  for (const auto& [size, use] : stats.hugetlb) {
    json.open(size, '{').number_if("usage", use.usage).number_if("max", use.max).number("failcnt", use.failures);
    json.close('}');
  }
  json.close('}').open("intel_rdt", '{').close('}').raw("network_interfaces", "null").close('}').close('}');
  return json.take() + "\n";
}

}  // namespace caisson::cgroup

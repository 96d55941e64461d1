// CPUs as a nest sees them: cpuinfo, stat, uptime, loadavg.
// Layer: procview. Pure.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "caisson/procview/render.h"
#include "caisson/procview/words.h"

namespace caisson::procview {

namespace {

struct Ticks {
  std::uint64_t user = 0, system = 0, idle = 0;
};

Ticks ticks_of(const CpuTime& time, double seconds, std::size_t cpus, long per_second) {
  const std::uint64_t nanoseconds = 1'000'000'000 / static_cast<std::uint64_t>(per_second);
  Ticks out{time.user / nanoseconds, time.system / nanoseconds, 0};
  const auto all = static_cast<std::uint64_t>(std::max(0.0, seconds) * static_cast<double>(per_second)) * cpus;
  out.idle = all - std::min(all, out.user + out.system);
  return out;
}

void add_cpu(std::string& out, const std::string& name, const Ticks& t) {
  append(out, "%s %lu 0 %lu %lu 0 0 0 0 0 0\n", name.c_str(), t.user, t.system, t.idle);
}

// The time of each of `cpus`: as counted where all time was spent on them, else in equal parts.
std::vector<CpuTime> shares(const std::vector<unsigned>& cpus, const CpuUse& use) {
  std::vector<CpuTime> out(cpus.size());
  bool counted = !use.each.empty();
  for (const auto& [cpu, time] : use.each)
    if (time.user + time.system > 0 && !std::binary_search(cpus.begin(), cpus.end(), cpu)) counted = false;
  for (std::size_t i = 0; i < cpus.size(); ++i) {
    if (counted) {
      const auto found = use.each.find(cpus[i]);
      if (found != use.each.end()) out[i] = found->second;
    } else {
      out[i] = {use.total.user / cpus.size(), use.total.system / cpus.size()};
    }
  }
  return out;
}

}  // namespace

std::vector<unsigned> view_cpus(const std::vector<unsigned>& cpuset, std::optional<unsigned> quota) {
  std::vector<unsigned> out = cpuset;
  if (quota && *quota < out.size()) out.resize(std::max(1u, *quota));
  return out;
}

std::string render_cpuinfo(std::string_view host, const std::vector<unsigned>& cpus) {
  std::string out;
  out.reserve(host.size());
  bool shown = true;  // lines that belong to no CPU stay
  for (Lines lines(host); lines.next();) {
    if (lines.line.starts_with("processor\t") && lines.line.find(": ") != std::string_view::npos) {
      const auto number = number_of(lines.line.substr(lines.line.find(": ") + 2));
      shown = number && std::binary_search(cpus.begin(), cpus.end(), static_cast<unsigned>(*number));
    }
    if (shown) out.append(lines.line).append("\n");
    if (lines.line.empty()) shown = true;
  }
  return out;
}

std::string render_stat(std::string_view host, const std::vector<unsigned>& cpus, const CpuUse& use, const Age& age,
                        long ticks) {
  std::string out;
  out.reserve(host.size());
  Ticks sum;
  std::string each;
  const std::vector<CpuTime> times = shares(cpus, use);
  for (std::size_t i = 0; i < cpus.size(); ++i) {
    const Ticks one = ticks_of(times[i], age.seconds, 1, ticks);
    add_cpu(each, "cpu" + std::to_string(cpus[i]), one);
    sum.user += one.user;
    sum.system += one.system;
    sum.idle += one.idle;
  }
  add_cpu(out, "cpu ", sum);
  out += each;
  for (Lines lines(host); lines.next();) {
    if (lines.line.starts_with("cpu")) continue;
    if (lines.line.starts_with("btime "))
      append(out, "btime %ld\n", age.boot);
    else
      out.append(lines.line).append("\n");
  }
  return out;
}

std::string render_uptime(const Age& age, std::size_t cpus, const CpuUse& use) {
  const double busy = static_cast<double>(use.total.user + use.total.system) / 1e9;
  std::string out;
  append(out, "%.2f %.2f\n", age.seconds, std::max(0.0, age.seconds * static_cast<double>(cpus) - busy));
  return out;
}

std::string render_loadavg(const Loads& loads) {
  std::string out;
  append(out, "%.2f %.2f %.2f %u/%u %ld\n", loads.one, loads.five, loads.fifteen, loads.running, loads.tasks,
         loads.last_pid);
  return out;
}

void age_loads(Loads& loads, double active, double seconds) {
  if (seconds <= 0) return;
  const auto mean = [&](double& load, double window) {
    const double kept = std::exp(-seconds / window);
    load = load * kept + active * (1 - kept);
  };
  mean(loads.one, 60);
  mean(loads.five, 300);
  mean(loads.fifteen, 900);
}

}  // namespace caisson::procview

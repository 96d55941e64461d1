#include "caisson/runtime/stats.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "caisson/runtime/json.h"
#include "caisson/sys/file.h"

namespace caisson::runtime {
namespace {

constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();  // as runc prints v2's "max"
constexpr std::uint64_t tick_nanoseconds = 10'000'000;  // of cpuacct.stat: USER_HZ is 100 on every ABI we run on

std::uint64_t to_number(std::string_view text) {
  if (text.starts_with("max")) return unlimited;
  std::uint64_t out = 0;
  std::from_chars(text.data(), text.data() + text.size(), out);
  return out;
}

// The first piece of `text` up to a separator; `text` loses it.
std::string_view take(std::string_view& text, char separator) {
  const std::string_view out = text.substr(0, text.find(separator));
  text.remove_prefix(std::min(text.size(), out.size() + 1));
  return out;
}

// The files of one cgroup directory; of none, when there is no such controller.
class Files {
 public:
  explicit Files(const cgroup::Directory* directory) : path_(directory != nullptr ? directory->absolute() : "") {}

  std::string text(std::string_view name) const {
    if (path_.empty()) return "";
    auto out = sys::read_file(path_ + "/" + std::string(name));
    return out ? std::move(*out) : "";
  }
  std::uint64_t number(std::string_view name) const { return to_number(text(name)); }
  std::map<std::string, std::uint64_t> keyed(std::string_view name) const { return parse_keyed(text(name)); }

 private:
  std::string path_;
};

std::string list_of(const auto& numbers) {
  std::string out = "[";
  for (const auto number : numbers) {
    if (out.size() > 1) out += ',';
    out += std::to_string(number);
  }
  return out + "]";
}

void add_nonzero(JsonObject& out, std::string_view key, std::uint64_t value) {
  if (value != 0) out.number(key, value);
}

std::string throttling(const std::map<std::string, std::uint64_t>& stat, std::uint64_t time) {
  JsonObject out;
  const auto value = [&](const char* key) { return stat.contains(key) ? stat.at(key) : 0; };
  add_nonzero(out, "periods", value("nr_periods"));
  add_nonzero(out, "throttledPeriods", value("nr_throttled"));
  add_nonzero(out, "throttledTime", time);
  return out.take();
}

std::string cpu_v1(const Files& cpu, const Files& cpuacct) {
  std::vector<std::uint64_t> each;
  const std::string percpu = cpuacct.text("cpuacct.usage_percpu");
  for (std::string_view rest = percpu; !rest.empty();)
    if (const auto word = take(rest, ' '); !word.empty() && word != "\n") each.push_back(to_number(word));
  std::vector<std::uint64_t> user;
  std::vector<std::uint64_t> kernel;
  const std::string all = cpuacct.text("cpuacct.usage_all");
  std::string_view lines = all;
  for (take(lines, '\n'); !lines.empty();) {  // after the header "cpu user system"
    std::string_view line = take(lines, '\n');
    take(line, ' ');
    user.push_back(to_number(take(line, ' ')));
    kernel.push_back(to_number(line));
  }
  auto stat = cpuacct.keyed("cpuacct.stat");
  JsonObject usage;
  usage.number("total", cpuacct.number("cpuacct.usage"));
  if (!each.empty()) usage.raw("percpu", list_of(each));
  if (!kernel.empty()) usage.raw("percpu_kernel", list_of(kernel)).raw("percpu_user", list_of(user));
  usage.number("kernel", stat["system"] * tick_nanoseconds).number("user", stat["user"] * tick_nanoseconds);
  auto throttled = cpu.keyed("cpu.stat");
  return JsonObject()
      .raw("usage", usage.take())
      .raw("throttling", throttling(throttled, throttled["throttled_time"]))
      .take();
}

std::string cpu_v2(const Files& files) {
  auto stat = files.keyed("cpu.stat");
  JsonObject usage;
  usage.number("total", stat["usage_usec"] * 1000)
      .number("kernel", stat["system_usec"] * 1000)
      .number("user", stat["user_usec"] * 1000);
  return JsonObject()
      .raw("usage", usage.take())
      .raw("throttling", throttling(stat, stat["throttled_usec"] * 1000))
      .take();
}

std::string cpuset(const Files& files, bool v1) {
  JsonObject out;
  const auto cpus = parse_ranges(files.text(v1 ? "cpuset.cpus" : "cpuset.cpus.effective"));
  const auto mems = parse_ranges(files.text(v1 ? "cpuset.mems" : "cpuset.mems.effective"));
  if (!cpus.empty()) out.raw("cpus", list_of(cpus));
  out.number("cpu_exclusive", files.number("cpuset.cpu_exclusive"));
  if (!mems.empty()) out.raw("mems", list_of(mems));
  for (const char* name : {"mem_hardwall", "mem_exclusive", "memory_migrate", "memory_spread_page",
                           "memory_spread_slab", "memory_pressure", "sched_load_balance"})
    out.number(name, files.number(std::string("cpuset.") + name));
  std::int64_t level = 0;
  const std::string text = files.text("cpuset.sched_relax_domain_level");
  std::from_chars(text.data(), text.data() + text.size(), level);
  return out.number("sched_relax_domain_level", level).take();
}

std::string memory_entry(std::uint64_t limit, std::uint64_t usage, std::uint64_t max, std::uint64_t failures) {
  JsonObject out;
  out.number("limit", limit);
  add_nonzero(out, "usage", usage);
  add_nonzero(out, "max", max);
  return out.number("failcnt", failures).take();
}

std::string memory_v1(const Files& files) {
  const auto entry = [&](const std::string& name) {
    return memory_entry(files.number(name + ".limit_in_bytes"), files.number(name + ".usage_in_bytes"),
                        files.number(name + ".max_usage_in_bytes"), files.number(name + ".failcnt"));
  };
  const auto stat = files.keyed("memory.stat");
  JsonObject out;
  if (stat.contains("cache")) add_nonzero(out, "cache", stat.at("cache"));
  out.raw("usage", entry("memory"))
      .raw("swap", entry("memory.memsw"))
      .raw("kernel", entry("memory.kmem"))
      .raw("kernelTCP", entry("memory.kmem.tcp"));
  JsonObject raw;
  for (const auto& [key, value] : stat) raw.number(key, value);
  return out.raw("raw", raw.take()).take();
}

// runc's "swap" is memory and swap together in v2 too.
std::string memory_v2(const Files& files) {
  const auto stat = files.keyed("memory.stat");
  auto events = files.keyed("memory.events");
  const std::uint64_t usage = files.number("memory.current");
  const std::uint64_t limit = files.number("memory.max");
  const std::uint64_t swap_limit = files.number("memory.swap.max");
  JsonObject out;
  if (stat.contains("file")) add_nonzero(out, "cache", stat.at("file"));
  out.raw("usage", memory_entry(limit, usage, files.number("memory.peak"), events["max"]))
      .raw("swap", memory_entry(limit == unlimited || swap_limit == unlimited ? unlimited : limit + swap_limit,
                                usage + files.number("memory.swap.current"), 0, 0))
      .raw("kernel", memory_entry(0, 0, 0, 0))
      .raw("kernelTCP", memory_entry(0, 0, 0, 0));
  JsonObject raw;
  for (const auto& [key, value] : stat) raw.number(key, value);
  return out.raw("raw", raw.take()).take();
}

std::string pids(const Files& files) {
  JsonObject out;
  add_nonzero(out, "current", files.number("pids.current"));
  const std::uint64_t limit = files.number("pids.max");
  if (limit != unlimited) add_nonzero(out, "limit", limit);
  return out.take();
}

std::string blkio(const Files& files, bool v1) {
  JsonObject out;
  const auto add = [&](const char* key, const std::string& list) {
    if (list != "[]") out.raw(key, list);
  };
  if (v1) {
    add("ioServiceBytesRecursive", parse_blkio(files.text("blkio.throttle.io_service_bytes_recursive")));
    add("ioServicedRecursive", parse_blkio(files.text("blkio.throttle.io_serviced_recursive")));
  } else {
    const std::string text = files.text("io.stat");
    add("ioServiceBytesRecursive", parse_io_stat(text, true));
    add("ioServicedRecursive", parse_io_stat(text, false));
  }
  return out.take();
}

struct Io {
  std::string_view device;
  std::string_view operation;
  std::uint64_t value;
};

std::string print_io(const std::vector<Io>& entries) {
  std::string out = "[";
  for (const Io& entry : entries) {
    std::string_view minor = entry.device;
    const std::uint64_t major = to_number(take(minor, ':'));
    if (out.size() > 1) out += ',';
    out += JsonObject()
               .number("major", major)
               .number("minor", to_number(minor))
               .text("op", entry.operation)
               .number("value", entry.value)
               .take();
  }
  return out + "]";
}

}  // namespace

std::map<std::string, std::uint64_t> parse_keyed(std::string_view text) {
  std::map<std::string, std::uint64_t> out;
  while (!text.empty()) {
    std::string_view line = take(text, '\n');
    const std::string_view key = take(line, ' ');
    if (!key.empty() && !line.empty()) out.emplace(key, to_number(line));
  }
  return out;
}

std::vector<unsigned> parse_ranges(std::string_view text) {
  std::vector<unsigned> out;
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  while (!text.empty()) {
    std::string_view last = take(text, ',');
    const auto first = to_number(take(last, '-'));
    const auto end = last.empty() ? first : to_number(last);
    for (auto i = first; i <= end && out.size() < 65536; ++i) out.push_back(static_cast<unsigned>(i));
  }
  return out;
}

std::string parse_blkio(std::string_view text) {
  std::vector<Io> out;
  while (!text.empty()) {
    std::string_view line = take(text, '\n');
    const std::string_view device = take(line, ' ');
    const std::string_view operation = take(line, ' ');
    if (device.find(':') != device.npos && !line.empty()) out.push_back({device, operation, to_number(line)});
  }
  return print_io(out);
}

std::string parse_io_stat(std::string_view text, bool bytes) {
  std::vector<Io> out;
  while (!text.empty()) {
    std::string_view line = take(text, '\n');
    const std::string_view device = take(line, ' ');
    while (!line.empty()) {
      std::string_view value = take(line, ' ');
      const std::string_view key = take(value, '=');
      if (key == (bytes ? "rbytes" : "rios")) out.push_back({device, "Read", to_number(value)});
      if (key == (bytes ? "wbytes" : "wios")) out.push_back({device, "Write", to_number(value)});
    }
  }
  return print_io(out);
}

std::string read_stats(const cgroup::Placement& placement) {
  const auto is_v1 = [&](const char* controller) {
    const auto* directory = placement.find(controller);
    return directory != nullptr && directory->version == cgroup::Version::v1;
  };
  const auto files = [&](const char* controller) { return Files(placement.find(controller)); };
  JsonObject out;
  out.raw("cpu", is_v1("cpuacct") ? cpu_v1(files("cpu"), files("cpuacct")) : cpu_v2(files("cpu")))
      .raw("cpuset", cpuset(files("cpuset"), is_v1("cpuset")))
      .raw("memory", is_v1("memory") ? memory_v1(files("memory")) : memory_v2(files("memory")))
      .raw("pids", pids(files("pids")))
      .raw("blkio", is_v1("blkio") ? blkio(files("blkio"), true) : blkio(files("io"), false))
      .raw("hugetlb", "{}")
      .raw("intel_rdt", "{}")
      .raw("network_interfaces", "null");
  return out.take();
}

}  // namespace caisson::runtime

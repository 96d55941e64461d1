#include "caisson/procview/gather.h"

#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

#include "caisson/procview/render.h"
#include "caisson/procview/words.h"
#include "caisson/sys/file.h"
#include "caisson/sys/process_stat.h"

namespace caisson::procview {

namespace {

constexpr std::size_t most_open = 96;

double machine_age() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

// Reads from the start; "" on any error, and the descriptor is of no more use then.
bool read_again(int fd, std::string& out) {
  constexpr std::size_t step = 16384;
  for (std::size_t size = 0;;) {
    ssize_t n = 0;
    out.resize_and_overwrite(size + step, [&](char* at, std::size_t) {
      do n = ::pread(fd, at + size, step, static_cast<off_t>(size));
      while (n < 0 && errno == EINTR);
      return size + static_cast<std::size_t>(std::max<ssize_t>(n, 0));
    });
    if (n < 0) {
      out.clear();
      return false;
    }
    size = out.size();
    // The kernel makes such a file a whole at a time: room left over means the end.
    if (static_cast<std::size_t>(n) < step) return true;
  }
}

}  // namespace

Gather::Gather(const Nest& nest) : nest_(nest) {
  memory_ = place("memory");
  cpu_ = place("cpu");
  cpuacct_ = place("cpuacct");
  cpuset_ = place("cpuset");
  io_ = place("blkio");
  if (!io_) io_ = place("io");
  pids_ = place("pids");
  unified_ = place("");
  const auto stat = nest.init > 0 ? sys::process_stat(nest.init) : Result<sys::ProcessStat>(sys::ProcessStat{});
  boot_ticks_ = stat ? stat->start_time : 0;
  if (boot_ticks_ == 0)
    boot_ticks_ = static_cast<std::uint64_t>(machine_age() * static_cast<double>(::sysconf(_SC_CLK_TCK)));
}

Gather::Place Gather::place(std::string_view controller) const {
  const cgroup::Directory* found = controller.empty() ? nest_.placement.unified() : nest_.placement.find(controller);
  Place out;
  if (found == nullptr) return out;
  out.version = found->version;
  const std::string base = found->mount_point == "/" ? "" : found->mount_point;
  std::string below = found->path;
  while (!below.empty() && below != "/") {
    out.levels.push_back(base + below);
    below.resize(std::min(below.rfind('/'), below.size()));
  }
  // A hierarchy's root has no limits. source: linux kernel/cgroup/cgroup-v1.c, cgroup.sane_behavior; cgroup.c,
  // cgroup.type
  const bool v1 = out.version == cgroup::Version::v1;
  const bool is_root = v1 == sys::exists(base + (v1 ? "/cgroup.sane_behavior" : "/cgroup.type"));
  if (!is_root || out.levels.empty()) out.levels.push_back(base);
  return out;
}

// Texts stay where they are: callers hold several at a time.
const std::string& Gather::host(const std::string& path) {
  File& file = files_[path];
  if (!file.fd) {
    if (++opened_ % most_open == 0)  // a very deep cgroup
      for (auto& [name, other] : files_) other.fd = {};
    if (Result<sys::UniqueFd> fd = sys::open_file(path, O_RDONLY)) file.fd = *std::move(fd);
  }
  if (!file.fd || !read_again(file.fd.get(), file.text)) {
    file.fd = {};
    file.text.clear();
  }
  return file.text;
}

const std::string& Gather::cpuinfo() {
  const std::string path = "/proc/cpuinfo";
  const double now = machine_age();
  const auto kept = files_.find(path);
  if (kept != files_.end() && cpuinfo_at_ >= 0 && now - cpuinfo_at_ < 1) return kept->second.text;
  cpuinfo_at_ = now;
  return host(path);
}

Memory Gather::memory() {
  Memory out;
  if (!memory_) return out;
  const std::string& own = memory_.own();
  if (memory_.version == cgroup::Version::v1) {
    parse_memory_stat_v1(host(own + "/memory.stat"), out);
    out.usage = parse_limit(host(own + "/memory.usage_in_bytes")).value_or(0);
    return out;
  }
  parse_memory_stat_v2(host(own + "/memory.stat"), out);
  out.usage = parse_limit(host(own + "/memory.current")).value_or(0);
  out.swap_usage = parse_limit(host(own + "/memory.swap.current")).value_or(0);
  for (const std::string& level : memory_.levels) {
    out.limit = std::min(out.limit, parse_limit(host(level + "/memory.max")).value_or(no_limit));
    out.swap_limit = std::min(out.swap_limit, parse_limit(host(level + "/memory.swap.max")).value_or(no_limit));
  }
  return out;
}

std::uint64_t Gather::oom_kills() {
  if (!memory_) return 0;
  const bool v1 = memory_.version == cgroup::Version::v1;
  return field(host(memory_.own() + (v1 ? "/memory.oom_control" : "/memory.events")), "oom_kill").value_or(0);
}

CpuUse Gather::cpu_use() {
  if (cpuacct_ && cpuacct_.version == cgroup::Version::v1)
    return parse_usage_all(host(cpuacct_.own() + "/cpuacct.usage_all"));
  // cpu.stat is there without the controller too.
  return unified_ ? parse_cpu_stat(host(unified_.own() + "/cpu.stat")) : CpuUse{};
}

std::optional<unsigned> Gather::quota() {
  std::optional<unsigned> least;
  for (const std::string& level : cpu_.levels) {
    const std::optional<unsigned> here =
        cpu_.version == cgroup::Version::v1
            ? cpus_of_quota(host(level + "/cpu.cfs_quota_us"), host(level + "/cpu.cfs_period_us"))
            : cpus_of_max(host(level + "/cpu.max"));
    if (here && (!least || *here < *least)) least = here;
  }
  return least;
}

std::vector<unsigned> Gather::cpus() {
  std::vector<unsigned> out = parse_list(host("/sys/devices/system/cpu/online"));
  if (cpuset_) {
    const bool v1 = cpuset_.version == cgroup::Version::v1;
    const std::vector<unsigned> own =
        parse_list(host(cpuset_.own() + (v1 ? "/cpuset.effective_cpus" : "/cpuset.cpus.effective")));
    if (std::vector<unsigned> allowed = both(out, own); !allowed.empty()) out = std::move(allowed);
  }
  return view_cpus(out, quota());
}

std::vector<unsigned> Gather::nodes() {
  std::vector<unsigned> out = parse_list(host("/sys/devices/system/node/online"));
  if (!cpuset_) return out;
  const bool v1 = cpuset_.version == cgroup::Version::v1;
  const std::vector<unsigned> own =
      parse_list(host(cpuset_.own() + (v1 ? "/cpuset.effective_mems" : "/cpuset.mems.effective")));
  std::vector<unsigned> allowed = both(out, own);
  return allowed.empty() ? out : allowed;
}

Disks Gather::disks() {
  if (!io_) return {};
  if (io_.version == cgroup::Version::v2) return parse_io_stat(host(io_.own() + "/io.stat"));
  const std::string serviced = host(io_.own() + "/blkio.throttle.io_serviced_recursive");
  return parse_blkio(serviced, host(io_.own() + "/blkio.throttle.io_service_bytes_recursive"));
}

Age Gather::age() {
  Age out;
  const double start = static_cast<double>(boot_ticks_) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  out.seconds = std::max(0.0, machine_age() - start);
  out.boot = ::time(nullptr) - static_cast<std::int64_t>(out.seconds);
  return out;
}

void Gather::count_tasks(pid_t asking) {
  loads_.running = 0;
  loads_.tasks = 0;
  loads_.last_pid = 0;
  const Place& any = pids_ ? pids_ : unified_ ? unified_ : memory_;
  if (!any) return;
  // Of the nest's own directory and all below it.
  std::vector<std::string> directories = {any.own()};
  for (std::size_t i = 0; i < directories.size() && directories.size() < 4096; ++i) {
    if (const auto entries = sys::list_directory(directories[i]))
      for (const sys::DirectoryEntry& entry : *entries)
        if (entry.type == DT_DIR) directories.push_back(directories[i] + "/" + entry.name);
    const bool v1 = any.version == cgroup::Version::v1;
    const Result<std::string> tasks = sys::read_file(directories[i] + (v1 ? "/tasks" : "/cgroup.threads"));
    if (!tasks) continue;
    for (Words words(*tasks); words.next();) {
      const auto pid = number_of(words.word);
      if (!pid) continue;
      ++loads_.tasks;
      const auto stat = sys::process_stat(static_cast<pid_t>(*pid));
      const bool active = stat && (stat->state == 'R' || stat->state == 'D');
      if (active && static_cast<pid_t>(*pid) != asking) ++loads_.running;
    }
  }
}

const Loads& Gather::loads(pid_t asking) {
  constexpr double step = 5;  // the kernel's own
  const Age now = age();
  if (loads_at_ >= 0 && now.seconds - loads_at_ < step) return loads_;
  const CpuUse use = cpu_use();
  const std::uint64_t cpu = use.total.user + use.total.system;
  count_tasks(asking);
  // What ran since the last count is known from the time it used; how many run now, for the last step.
  const double since = std::max(loads_at_, 0.0);
  const double before = now.seconds - since - step;
  if (before > 0) {
    const double used = static_cast<double>(cpu - std::min(cpu, loads_cpu_)) / 1e9;
    age_loads(loads_, used / (now.seconds - since), before);
  }
  age_loads(loads_, loads_.running, std::min(step, now.seconds - since));
  loads_at_ = now.seconds;
  loads_cpu_ = cpu;
  return loads_;
}

std::string Gather::pressure_file(std::string_view resource) const {
  return unified_ ? unified_.own() + "/" + std::string(resource) + ".pressure" : "";
}

}  // namespace caisson::procview

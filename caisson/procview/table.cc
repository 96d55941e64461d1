#include "caisson/procview/table.h"

#include <sys/stat.h>

namespace caisson::procview {

namespace {

constexpr std::int64_t int_max = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t int_min = std::numeric_limits<std::int32_t>::min();
constexpr std::int64_t long_max = std::numeric_limits<std::int64_t>::max();

constexpr mode_t readable = S_IFREG | 0444;

constexpr Row view(std::string_view path, Content content, std::string_view shows) {
  return {path, content, readable, Over::file, Replay::yes, shows};
}
constexpr Row below(std::string_view path, Content content, std::string_view shows = {}) {
  return {path, content, readable, Over::below, Replay::no, shows};
}
constexpr Row link(std::string_view path, Content content) {
  return {path, content, S_IFLNK | 0777, Over::below, Replay::no, {}};
}
constexpr Row whole(std::string_view path, Replay replay, std::string_view shows) {
  return {path, Content::directory, S_IFDIR | 0555, Over::directory, replay, shows};
}
constexpr Row stored(std::string_view path, Rule rule, Replay replay = Replay::no, Over over = Over::file,
                     std::string_view key = {}) {
  return {path, Content::stored, S_IFREG | 0644, over, replay, {}, rule, key};
}
constexpr Rule number(std::int64_t min = int_min, std::int64_t max = int_max) { return {Form::integer, min, max}; }
constexpr Rule big(std::int64_t min = 0, std::int64_t max = long_max) { return {Form::natural, min, max}; }
constexpr Rule line(std::int64_t length) { return {Form::text, 0, length}; }

constexpr auto again = Replay::yes;

// clang-format off: a row is a line
constexpr Row rows[] = {
    // ---- the resources of the nest's cgroup
    view("proc/cpuinfo", Content::cpuinfo, "the CPUs of its cpuset, no more than its quota needs, with their real numbers"),
    view("proc/diskstats", Content::diskstats, "devices it has used, and what it has read and written (blkio, io.stat)"),
    view("proc/loadavg", Content::loadavg, "its own tasks"),
    view("proc/meminfo", Content::meminfo, "its limit, the smallest of its cgroup and those above; its use"),
    view("proc/partitions", Content::partitions, "block devices that it was given"),
    {"proc/slabinfo", Content::slabinfo, S_IFREG | 0400, Over::file, Replay::no, "its head: no cgroup counts caches by name any more"},
    view("proc/stat", Content::stat, "the time its CPUs have worked for it; btime is its start; interrupts are the host's"),
    view("proc/swaps", Content::swaps, "one line with its swap limit and use, or none"),
    view("proc/uptime", Content::uptime, "the age of its first process; the idle time of its CPUs"),
    view("proc/vmstat", Content::vmstat, "what its cgroup counts; 0 where it does not count"),
    whole("proc/pressure", Replay::no, "the pressure of its v2 cgroup; triggers and poll work"),
    {"proc/pressure/cpu", Content::pressure, S_IFREG | 0666, Over::below, Replay::no, {}},
    {"proc/pressure/io", Content::pressure, S_IFREG | 0666, Over::below, Replay::no, {}},
    {"proc/pressure/irq", Content::pressure, S_IFREG | 0666, Over::below, Replay::no, {}},
    {"proc/pressure/memory", Content::pressure, S_IFREG | 0666, Over::below, Replay::no, {}},

    // ---- values of its own: read by all, written by its root, never by us to the host
    stored("proc/sys/fs/aio-max-nr", big()),
    stored("proc/sys/fs/epoll/max_user_watches", big()),
    stored("proc/sys/fs/file-max", big()),
    stored("proc/sys/fs/inotify/max_queued_events", number(0)),
    stored("proc/sys/fs/inotify/max_user_instances", big(0, int_max)),
    stored("proc/sys/fs/inotify/max_user_watches", big(0, int_max)),
    stored("proc/sys/fs/mount-max", number(1)),
    stored("proc/sys/fs/nr_open", number(64, 0x7fffffc0)),
    stored("proc/sys/fs/pipe-max-size", number(4096)),
    stored("proc/sys/fs/protected_fifos", number(0, 2)),
    stored("proc/sys/fs/protected_hardlinks", number(0, 1)),
    stored("proc/sys/fs/protected_regular", number(0, 2)),
    stored("proc/sys/fs/protected_symlinks", number(0, 1)),
    stored("proc/sys/fs/suid_dumpable", number(0, 2)),
    stored("proc/sys/kernel/core_pattern", line(127)),
    stored("proc/sys/kernel/core_pipe_limit", number(0)),
    stored("proc/sys/kernel/core_uses_pid", number()),
    stored("proc/sys/kernel/dmesg_restrict", number(0, 1)),
    stored("proc/sys/kernel/hung_task_timeout_secs", big()),
    stored("proc/sys/kernel/keys/gc_delay", number(0)),
    stored("proc/sys/kernel/keys/maxbytes", number(1), again),
    stored("proc/sys/kernel/keys/maxkeys", number(1), again),
    stored("proc/sys/kernel/keys/persistent_keyring_expiry", number(0)),
    stored("proc/sys/kernel/keys/root_maxbytes", number(1), again),
    stored("proc/sys/kernel/keys/root_maxkeys", number(1), again),
    stored("proc/sys/kernel/kptr_restrict", number(0, 2)),
    stored("proc/sys/kernel/panic", number(), again),
    stored("proc/sys/kernel/panic_on_oops", number(), again),
    stored("proc/sys/kernel/panic_on_warn", number(0, 1)),
    stored("proc/sys/kernel/perf_event_paranoid", number(-1)),
    stored("proc/sys/kernel/pid_max", number(301, 4194304), Replay::no, Over::until_pidns),
    stored("proc/sys/kernel/printk", {Form::integer, int_min, int_max, 4}),
    stored("proc/sys/kernel/randomize_va_space", number()),
    stored("proc/sys/kernel/sched_autogroup_enabled", number(0, 1)),
    stored("proc/sys/kernel/softlockup_panic", number(0, 1)),
    stored("proc/sys/kernel/sysrq", number()),
    stored("proc/sys/kernel/threads-max", number(1)),
    stored("proc/sys/kernel/unprivileged_bpf_disabled", number(0, 2)),
    stored("proc/sys/kernel/yama/ptrace_scope", number(0, 3)),
    stored("proc/sys/net/core/default_qdisc", line(15), Replay::no, Over::if_there),
    stored("proc/sys/net/core/rmem_default", number(2304), Replay::no, Over::if_there),
    stored("proc/sys/net/core/rmem_max", number(2304), Replay::no, Over::if_there),
    stored("proc/sys/net/core/wmem_default", number(4608), Replay::no, Over::if_there),
    stored("proc/sys/net/core/wmem_max", number(4608), Replay::no, Over::if_there),
    stored("proc/sys/net/ipv4/neigh/default/gc_thresh1", number(0), Replay::no, Over::if_there),
    stored("proc/sys/net/ipv4/neigh/default/gc_thresh2", number(0), Replay::no, Over::if_there),
    stored("proc/sys/net/ipv4/neigh/default/gc_thresh3", number(0), Replay::no, Over::if_there),
    stored("proc/sys/net/netfilter/nf_conntrack_buckets", {Form::integer, 1, int_max, 1, 512}, again, Over::if_there,
           "nf_conntrack_buckets"),
    stored("proc/sys/net/netfilter/nf_conntrack_expect_max", number(0), Replay::no, Over::if_there),
    stored("proc/sys/net/netfilter/nf_conntrack_max", number(0), again, Over::if_there, "nf_conntrack_max"),
    // In every network namespace, writable by its root, and one switch of the machine.
    stored("proc/sys/net/netfilter/nf_hooks_lwtunnel", number(0, 1), again, Over::if_there),
    stored("proc/sys/net/nf_conntrack_max", number(0), again, Over::if_there, "nf_conntrack_max"),
    stored("proc/sys/vm/admin_reserve_kbytes", big()),
    stored("proc/sys/vm/compaction_proactiveness", number(0, 100)),
    stored("proc/sys/vm/dirty_background_bytes", big(1)),
    stored("proc/sys/vm/dirty_background_ratio", number(0, 100)),
    stored("proc/sys/vm/dirty_bytes", big(2 * 4096)),
    stored("proc/sys/vm/dirty_expire_centisecs", number(0)),
    stored("proc/sys/vm/dirty_ratio", number(0, 100)),
    stored("proc/sys/vm/dirty_writeback_centisecs", number()),
    {"proc/sys/vm/drop_caches", Content::stored, S_IFREG | 0200, Over::file, Replay::no, {}, number(1, 4)},
    stored("proc/sys/vm/max_map_count", number(0), again),
    stored("proc/sys/vm/min_free_kbytes", number(0)),
    stored("proc/sys/vm/mmap_min_addr", big()),
    stored("proc/sys/vm/oom_dump_tasks", number()),
    stored("proc/sys/vm/oom_kill_allocating_task", number()),
    stored("proc/sys/vm/overcommit_memory", number(0, 2), again),
    stored("proc/sys/vm/overcommit_ratio", number()),
    stored("proc/sys/vm/panic_on_oom", number(0, 2), again),
    stored("proc/sys/vm/swappiness", number(0, 200)),
    stored("proc/sys/vm/user_reserve_kbytes", big()),
    stored("proc/sys/vm/vfs_cache_pressure", number(0)),
    stored("proc/sys/vm/zone_reclaim_mode", number(0)),
    {"sys/module/nf_conntrack/parameters/hashsize", Content::stored, S_IFREG | 0600, Over::file, again, {},
     {Form::integer, 1, int_max, 1, 512}, "nf_conntrack_buckets"},

    // ---- its CPUs and memory nodes; numbers are the host's, as on a machine whose other CPUs are offline
    whole("sys/devices/system/cpu", again, "its CPUs; the host's others are there and offline"),
    below("sys/devices/system/cpu/isolated", Content::cpu_list),
    below("sys/devices/system/cpu/kernel_max", Content::host),
    below("sys/devices/system/cpu/modalias", Content::host),
    below("sys/devices/system/cpu/nohz_full", Content::cpu_list),
    below("sys/devices/system/cpu/offline", Content::cpus_offline),
    below("sys/devices/system/cpu/online", Content::cpus_online),
    below("sys/devices/system/cpu/possible", Content::host, "the host's: programs size their tables by it"),
    below("sys/devices/system/cpu/present", Content::host),
    below("sys/devices/system/cpu/smt/active", Content::host),
    below("sys/devices/system/cpu/smt/control", Content::host),
    below("sys/devices/system/cpu/vulnerabilities/gather_data_sampling", Content::host),
    below("sys/devices/system/cpu/vulnerabilities/ghostwrite", Content::host),
    below("sys/devices/system/cpu/vulnerabilities/indirect_target_selection", Content::host),
    below("sys/devices/system/cpu/vulnerabilities/itlb_multihit", Content::host),
    below("sys/devices/system/cpu/vulnerabilities/l1tf", Content::host),
    below("sys/devices/system/cpu/vulnerabilities/mds", Content::host),
    below("sys/devices/system/cpu/vulnerabilities/meltdown", Content::host),
    below("sys/devices/system/cpu/vulnerabilities/mmio_stale_data", Content::host),
    below("sys/devices/system/cpu/vulnerabilities/old_microcode", Content::host),
    below("sys/devices/system/cpu/vulnerabilities/reg_file_data_sampling", Content::host),
    below("sys/devices/system/cpu/vulnerabilities/retbleed", Content::host),
    below("sys/devices/system/cpu/vulnerabilities/spec_rstack_overflow", Content::host),
    below("sys/devices/system/cpu/vulnerabilities/spec_store_bypass", Content::host),
    below("sys/devices/system/cpu/vulnerabilities/spectre_v1", Content::host),
    below("sys/devices/system/cpu/vulnerabilities/spectre_v2", Content::host),
    below("sys/devices/system/cpu/vulnerabilities/srbds", Content::host),
    below("sys/devices/system/cpu/vulnerabilities/tsa", Content::host),
    below("sys/devices/system/cpu/vulnerabilities/tsx_async_abort", Content::host),
    below("sys/devices/system/cpu/vulnerabilities/vmscape", Content::host),
    below("sys/devices/system/cpu/cpu#/online", Content::cpu_online, "1 for its CPUs, 0 for others"),
    below("sys/devices/system/cpu/cpu#/cpu_capacity", Content::host_cpu),
    link("sys/devices/system/cpu/cpu#/node#", Content::node_link),
    below("sys/devices/system/cpu/cpu#/cache/index#/coherency_line_size", Content::host_cpu),
    below("sys/devices/system/cpu/cpu#/cache/index#/id", Content::host_cpu),
    below("sys/devices/system/cpu/cpu#/cache/index#/level", Content::host_cpu),
    below("sys/devices/system/cpu/cpu#/cache/index#/number_of_sets", Content::host_cpu),
    below("sys/devices/system/cpu/cpu#/cache/index#/physical_line_partition", Content::host_cpu),
    below("sys/devices/system/cpu/cpu#/cache/index#/shared_cpu_list", Content::cpu_list),
    below("sys/devices/system/cpu/cpu#/cache/index#/shared_cpu_map", Content::cpu_mask),
    below("sys/devices/system/cpu/cpu#/cache/index#/size", Content::host_cpu),
    below("sys/devices/system/cpu/cpu#/cache/index#/type", Content::host_cpu),
    below("sys/devices/system/cpu/cpu#/cache/index#/ways_of_associativity", Content::host_cpu),
    below("sys/devices/system/cpu/cpu#/cpufreq/cpuinfo_max_freq", Content::host_cpu),
    below("sys/devices/system/cpu/cpu#/cpufreq/cpuinfo_min_freq", Content::host_cpu),
    below("sys/devices/system/cpu/cpu#/cpufreq/scaling_cur_freq", Content::host_cpu),
    below("sys/devices/system/cpu/cpu#/topology/cluster_cpus", Content::cpu_mask),
    below("sys/devices/system/cpu/cpu#/topology/cluster_cpus_list", Content::cpu_list),
    below("sys/devices/system/cpu/cpu#/topology/cluster_id", Content::host_cpu),
    below("sys/devices/system/cpu/cpu#/topology/core_cpus", Content::cpu_mask),
    below("sys/devices/system/cpu/cpu#/topology/core_cpus_list", Content::cpu_list),
    below("sys/devices/system/cpu/cpu#/topology/core_id", Content::host_cpu),
    below("sys/devices/system/cpu/cpu#/topology/core_siblings", Content::cpu_mask),
    below("sys/devices/system/cpu/cpu#/topology/core_siblings_list", Content::cpu_list),
    below("sys/devices/system/cpu/cpu#/topology/die_cpus", Content::cpu_mask),
    below("sys/devices/system/cpu/cpu#/topology/die_cpus_list", Content::cpu_list),
    below("sys/devices/system/cpu/cpu#/topology/die_id", Content::host_cpu),
    below("sys/devices/system/cpu/cpu#/topology/package_cpus", Content::cpu_mask),
    below("sys/devices/system/cpu/cpu#/topology/package_cpus_list", Content::cpu_list),
    below("sys/devices/system/cpu/cpu#/topology/physical_package_id", Content::host_cpu),
    below("sys/devices/system/cpu/cpu#/topology/thread_siblings", Content::cpu_mask),
    below("sys/devices/system/cpu/cpu#/topology/thread_siblings_list", Content::cpu_list),
    whole("sys/devices/system/node", again, "the memory nodes of its CPUs"),
    below("sys/devices/system/node/has_cpu", Content::nodes),
    below("sys/devices/system/node/has_memory", Content::nodes),
    below("sys/devices/system/node/has_normal_memory", Content::nodes),
    below("sys/devices/system/node/online", Content::nodes),
    below("sys/devices/system/node/possible", Content::host),
    below("sys/devices/system/node/node#/cpulist", Content::cpu_list),
    below("sys/devices/system/node/node#/cpumap", Content::cpu_mask),
    below("sys/devices/system/node/node#/distance", Content::host),
    below("sys/devices/system/node/node#/meminfo", Content::node_meminfo, "its share of what proc/meminfo shows"),
    below("sys/devices/system/node/node#/hugepages/hugepages-1048576kB/free_hugepages", Content::host),
    below("sys/devices/system/node/node#/hugepages/hugepages-1048576kB/nr_hugepages", Content::host),
    below("sys/devices/system/node/node#/hugepages/hugepages-1048576kB/surplus_hugepages", Content::host),
    below("sys/devices/system/node/node#/hugepages/hugepages-2048kB/free_hugepages", Content::host),
    below("sys/devices/system/node/node#/hugepages/hugepages-2048kB/nr_hugepages", Content::host),
    below("sys/devices/system/node/node#/hugepages/hugepages-2048kB/surplus_hugepages", Content::host),
    link("sys/devices/system/node/node#/cpu#", Content::cpu_link),

    {"sys/devices/virtual/dmi/id/product_uuid", Content::product_uuid, S_IFREG | 0400, Over::file, again,
     "the host's, its last twelve digits those of the nest's id"},
};
// clang-format on

std::string range_text(const Rule& rule) {
  if (rule.form == Form::text) return "one line, at most " + std::to_string(rule.max) + " bytes";
  std::string out = rule.count > 1 ? std::to_string(rule.count) + " numbers" : "a number";
  if (rule.min == int_min && rule.max == int_max) return out;
  if (rule.max == int_max || rule.max == long_max)
    out += " from " + std::to_string(rule.min);
  else
    out += ", " + std::to_string(rule.min) + " to " + std::to_string(rule.max);
  if (rule.round > 1) out += ", rounded up to a multiple of " + std::to_string(rule.round);
  return out;
}

std::string shows_text(const Row& row) {
  if (!row.shows.empty()) return std::string(row.shows);
  switch (row.content) {
    case Content::stored:
      return "stored: " + range_text(row.rule);
    case Content::host:
    case Content::host_cpu:
      return "as the host's";
    case Content::cpu_list:
    case Content::cpu_mask:
      return "as the host's, its CPUs only";
    case Content::cpu_link:
    case Content::node_link:
      return "a link";
    case Content::pressure:
      return "of its v2 cgroup";
    case Content::cpus_online:
      return "its CPUs";
    case Content::cpus_offline:
      return "all others";
    case Content::nodes:
      return "its nodes";
    default:
      return "";
  }
}

}  // namespace

std::span<const Row> table() { return rows; }

std::string stored_name(const Row& row) {
  std::string name(row.key.empty() ? row.path : row.key);
  for (char& c : name)
    if (c == '/') c = '.';
  return name;
}

std::string table_text() {
  std::string out = "| node | shows | again over a new mount inside |\n| --- | --- | --- |\n";
  for (const Row& row : rows) {
    out += "| /" + std::string(row.path) + " | " + shows_text(row);
    if (row.over == Over::if_there) out += "; where its network namespace has the file";
    if (row.over == Over::until_pidns) out += "; the kernel's own since 6.14";
    out += row.replay == Replay::yes ? " | yes |\n" : " | |\n";
  }
  return out;
}

}  // namespace caisson::procview

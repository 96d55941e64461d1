#include "caisson/procview/content.h"

#include <unistd.h>

#include <algorithm>

#include "caisson/procview/render.h"
#include "caisson/sys/file.h"

namespace caisson::procview {

namespace {

// A path below cpuN belongs to a CPU: of those that the nest does not have only "online" is there.
bool is_of_cpu(const Node& node) {
  return node.entry->numbers > 0 && node.entry->pattern.starts_with("sys/devices/system/cpu/cpu#");
}

bool is_of_node(const Node& node) {
  return node.entry->numbers > 0 && node.entry->pattern.starts_with("sys/devices/system/node/node#");
}

bool contains(const std::vector<unsigned>& sorted, unsigned number) {
  return std::binary_search(sorted.begin(), sorted.end(), number);
}

std::string line_of(std::string text) { return text + "\n"; }

// What the kernel shows in a file whose name says which resource it is.
std::string_view resource_of(const Node& node) { return node.entry->name(); }

}  // namespace

bool Contents::is_online(unsigned cpu) { return contains(gather_.cpus(), cpu); }

bool Contents::is_there(const Node& node) {
  if (node.entry->pattern.empty() || node.entry->pattern == "proc" || node.entry->pattern == "sys") return true;
  const Content content = node.entry->row == nullptr ? Content::directory : node.entry->row->content;
  const bool whole_cpu = node.entry->pattern == "sys/devices/system/cpu/cpu#";
  if (is_of_cpu(node) && !whole_cpu && content != Content::cpu_online && !is_online(node.numbers[0])) return false;
  if (is_of_node(node) && !contains(gather_.nodes(), node.numbers[0])) return false;
  if (content == Content::node_link && !contains(gather_.nodes(), node.numbers[1])) return false;
  if (content == Content::cpu_link && !is_online(node.numbers[1])) return false;
  if (content == Content::cpu_online)  // the host's first CPU may have none, the nest's may be away
    return sys::exists("/sys/devices/system/cpu/cpu" + std::to_string(node.numbers[0]));
  return sys::exists(Tree::host_path_of(node));
}

Result<std::string> Contents::host_text(const Node& node) { return sys::read_file(Tree::host_path_of(node)); }

Result<std::string> Contents::stored_text(const Node& node) {
  if (std::optional<std::string> value = values_.read(stored_name(*node.entry->row))) return *std::move(value);
  if (node.entry->numbers > 0 || node.entry->row->over == Over::if_there) return host_text(node);
  // Of those there are not many, and they are always there: the file stays open.
  if (const std::string& text = gather_.host(Tree::host_path_of(node)); !text.empty()) return text;
  return host_text(node);
}

Result<std::string> Contents::text(const Node& node, pid_t asking) {
  if (node.entry->is_directory()) return Error::os(EISDIR, "read");
  switch (node.entry->row->content) {
    case Content::stored:
      return stored_text(node);
    case Content::host:
    case Content::host_cpu:
      return host_text(node);
    case Content::cpu_list: {
      const std::string host = TRY(host_text(node));
      return line_of(list_text(both(parse_list(host), gather_.cpus())));
    }
    case Content::cpu_mask: {
      const std::string host = TRY(host_text(node));
      return mask_text(both(parse_mask(host), gather_.cpus()), host);
    }
    case Content::nodes: {
      const std::string host = TRY(host_text(node));
      return line_of(list_text(both(parse_list(host), gather_.nodes())));
    }
    case Content::cpu_online:
      return line_of(is_online(node.numbers[0]) ? "1" : "0");
    case Content::pressure: {
      const std::string file = gather_.pressure_file(resource_of(node));
      if (file.empty()) return Error::os(EOPNOTSUPP, "read");  // as a kernel without PSI
      return sys::read_file(file);
    }
    default:
      return view(node, asking);
  }
}

Result<std::string> Contents::view(const Node& node, pid_t asking) {
  Gather& g = gather_;
  switch (node.entry->row->content) {
    case Content::meminfo:
      return render_meminfo(g.host("/proc/meminfo"), g.memory());
    case Content::swaps:
      return render_swaps(g.host("/proc/meminfo"), g.memory());
    case Content::vmstat: {
      if (!vmstat_) vmstat_.emplace(g.host("/proc/vmstat"));
      Memory memory = g.memory();
      memory.oom_kills = g.oom_kills();
      return vmstat_->render(g.host("/proc/meminfo"), memory, g.disks());
    }
    case Content::node_meminfo: {
      const std::string host = TRY(host_text(node));
      return render_node_meminfo(host, field(g.host("/proc/meminfo"), "MemTotal:").value_or(0) * 1024, g.memory());
    }
    case Content::cpuinfo:
      return render_cpuinfo(g.cpuinfo(), g.cpus());
    case Content::stat:
      return render_stat(g.host("/proc/stat"), g.cpus(), g.cpu_use(), g.age(), ::sysconf(_SC_CLK_TCK));
    case Content::uptime:
      return render_uptime(g.age(), g.cpus().size(), g.cpu_use());
    case Content::loadavg:
      return render_loadavg(g.loads(asking));
    case Content::diskstats:
      return render_diskstats(g.host("/proc/diskstats"), g.disks());
    case Content::partitions:
      return render_partitions(g.host("/proc/partitions"), g.nest().block_devices);
    case Content::slabinfo:
      return render_slabinfo(g.host("/proc/slabinfo"));
    case Content::cpus_online:
      return line_of(list_text(g.cpus()));
    case Content::cpus_offline: {
      const std::vector<unsigned> all = parse_list(g.host("/sys/devices/system/cpu/present"));
      const std::vector<unsigned> here = g.cpus();
      std::vector<unsigned> out;
      std::set_difference(all.begin(), all.end(), here.begin(), here.end(), std::back_inserter(out));
      return line_of(list_text(out));
    }
    case Content::product_uuid: {
      const Result<std::string> host = host_text(node);
      return render_product_uuid(host ? *host : "", g.nest().id);
    }
    default:
      return Error::os(EIO, "read");
  }
}

Result<std::string> Contents::link_target(const Node& node) {
  if (node.entry->row == nullptr) return Error::os(EINVAL, "readlink");
  const std::string number = std::to_string(node.numbers[1]);
  if (node.entry->row->content == Content::cpu_link) return "../../cpu/cpu" + number;
  if (node.entry->row->content == Content::node_link) return "../../node/node" + number;
  return Error::os(EINVAL, "readlink");
}

Result<void> Contents::write(const Node& node, std::string_view data) {
  if (node.entry->is_directory() || node.entry->row->content != Content::stored) return Error::os(EACCES, "write");
  const Row& row = *node.entry->row;
  std::string present;
  if (row.rule.count > 1)
    if (Result<std::string> text = stored_text(node)) present = *std::move(text);
  const std::string value = TRY(accept_value(row.rule, data, present));
  return values_.write(stored_name(row), value);
}

std::vector<Contents::Child> Contents::children(const Node& directory) {
  std::vector<Child> out;
  const auto add = [&](const Entry* entry, std::string name, std::optional<unsigned> number) {
    Node node{entry, directory.numbers};
    if (number) node.numbers[directory.entry->numbers] = static_cast<std::uint16_t>(*number);
    if (is_there(node)) out.push_back({std::move(name), node});
  };
  for (const Entry* entry : tree_.children(directory)) {
    const std::string_view pattern = entry->name();
    const std::size_t mark = pattern.find('#');
    if (mark == std::string_view::npos) {
      add(entry, std::string(pattern), std::nullopt);
      continue;
    }
    // The host says which numbers there are.
    const auto names = sys::list_directory(Tree::host_path_of(directory));
    if (!names) continue;
    for (const sys::DirectoryEntry& name : *names)
      if (const NameMatch match = match_name(pattern, name.name); match.matches && match.number)
        add(entry, name.name, *match.number);
  }
  return out;
}

}  // namespace caisson::procview

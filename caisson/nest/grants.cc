#include "caisson/nest/grants.h"

#include <algorithm>
#include <array>

namespace caisson::nest {
namespace {

constexpr const char* admin[] = {"CAP_SYS_ADMIN"};
constexpr const char* mount_calls[] = {
    "fsconfig",   "fsmount",   "fsopen",         "fspick",     "listmount", "mount",  "mount_setattr",
    "move_mount", "open_tree", "open_tree_attr", "pivot_root", "statmount", "umount", "umount2",
};
constexpr const char* network[] = {"CAP_NET_ADMIN", "CAP_NET_BROADCAST"};
constexpr const char* nodes[] = {"CAP_MKNOD"};
constexpr const char* fuse[] = {"/dev/fuse"};
constexpr const char* tun[] = {"/dev/net/tun"};
constexpr const char* resource[] = {"CAP_SYS_RESOURCE"};
constexpr const char* nice[] = {"CAP_SYS_NICE"};
constexpr const char* module[] = {"CAP_SYS_MODULE"};
constexpr const char* bpf[] = {"CAP_BPF", "CAP_PERFMON"};
constexpr const char* bpf_calls[] = {"bpf"};
constexpr const char* kmsg[] = {"/dev/kmsg"};
constexpr const char* loops[] = {
    "/dev/loop-control", "/dev/loop0", "/dev/loop1", "/dev/loop2", "/dev/loop3",
    "/dev/loop4",        "/dev/loop5", "/dev/loop6", "/dev/loop7",
};
constexpr const char* kvm[] = {"/dev/kvm"};

constexpr Given by_default = Given::by_default;
constexpr Given on_request = Given::on_request;

constexpr GrantRow table[] = {
    {Grant::mount,
     "mount",
     "mount and unmount in its own mount namespaces",
     by_default,
     admin,
     mount_calls,
     {},
     "",
     "",
     ""},
    {Grant::cgroup, "cgroup", "make and limit cgroups below its own", by_default, {}, {}, {}, "", "", ""},
    {Grant::net,
     "net",
     "set up its own network: links, addresses, routes, firewall",
     by_default,
     network,
     {},
     {},
     "",
     "",
     ""},
    {Grant::sysctl,
     "sysctl",
     "set values of its own for sysctls that have no namespace; the host's stay",
     by_default,
     {},
     {},
     {},
     "/proc/sys, /sys/module",
     "",
     ""},
    {Grant::mknod, "mknod", "make nodes of the devices that it has", by_default, nodes, {}, {}, "", "", ""},
    {Grant::fuse, "fuse", "mount FUSE file systems", by_default, {}, {}, fuse, "", "/dev/fuse", ""},
    {Grant::tun, "tun", "make tun and tap interfaces", by_default, {}, {}, tun, "", "/dev/net/tun", ""},
    {Grant::rlimit,
     "rlimit",
     "raise resource limits up to the nest's own ceiling",
     by_default,
     resource,
     {},
     {},
     "",
     "",
     ""},
    {Grant::priority, "priority", "raise priorities of its own processes", by_default, nice, {}, {}, "", "", ""},
    {Grant::modules,
     "modules",
     "be told that a kernel module is loaded if the host has it; none is ever loaded",
     by_default,
     module,
     {},
     {},
     "",
     "",
     ""},
    {Grant::trusted_xattr,
     "trusted-xattr",
     "read and set trusted.overlay.* attributes of its own files",
     on_request,
     {},
     {},
     {},
     "",
     "",
     ""},
    {Grant::bpf,
     "bpf",
     "load BPF programs that the kernel allows in its user namespace",
     on_request,
     bpf,
     bpf_calls,
     {},
     "",
     "BPF tokens (Linux 6.9)",
     ""},
    {Grant::kmsg,
     "kmsg",
     "the host's kernel log, to read and to write; without it /dev/kmsg is empty",
     on_request,
     {},
     {},
     kmsg,
     "",
     "/dev/kmsg; reading: sysctl kernel.dmesg_restrict=0",
     ""},
    {Grant::nfs,
     "nfs",
     "mount NFS file systems",
     on_request,
     {},
     {},
     {},
     "",
     "nfs in /proc/filesystems",
     "the kernel mounts NFS for the host's root only, and nobody does it on a nest's behalf: mount it on the host and "
     "give it as a volume"},
    {Grant::loop,
     "loop",
     "the host's loop devices: what is on them is seen by all who have them",
     on_request,
     {},
     {},
     loops,
     "",
     "/dev/loop-control",
     ""},
    {Grant::kvm, "kvm", "run virtual machines: as device:/dev/kvm", on_request, {}, {}, kvm, "", "/dev/kvm", ""},
    {Grant::device, "device:PATH", "a device of the host's, at the same path", on_request, {}, {}, {}, "", "PATH", ""},
};

constexpr std::string_view device_prefix = "device:";

// The memory of the machine is every power over it, and no device that a nest could be trusted with.
constexpr std::string_view refused_devices[] = {"/dev/mem", "/dev/kmem", "/dev/port"};

std::string known() {
  std::string out = "known are default, none";
  for (const GrantRow& row : table) {
    out += ", ";
    out += row.name;
    if (*row.refused != '\0') out += " (refused)";
  }
  return out;
}

Error wrong(std::string_view word, std::string_view what) {
  return Error::of(Kind::invalid, "grant \"" + std::string(word) + "\" " + std::string(what) + "; " + known());
}

bool is_device_path(std::string_view path) {
  return path.starts_with("/dev/") && !path.ends_with('/') && path.find("//") == std::string_view::npos &&
         path.find("/../") == std::string_view::npos && path.find("/./") == std::string_view::npos &&
         !path.ends_with("/..") && !path.ends_with("/.") && path.find_first_of(" \t\n\"") == std::string_view::npos;
}

enum class Sign : unsigned char { give, take };

Result<void> apply_device(GrantSet& set, std::string_view word, Sign sign) {
  const std::string_view path = word.substr(device_prefix.size());
  if (!is_device_path(path)) return wrong(word, "must name a path below /dev, as device:/dev/kvm");
  if (std::ranges::find(refused_devices, path) != std::end(refused_devices))
    return wrong(word, "is refused: it is the host's memory");
  if (sign == Sign::give)
    set.give_device(std::string(path));
  else
    set.take_device(path);
  return ok();
}

Result<void> apply_word(GrantSet& set, std::string_view word, Sign sign) {
  if (word.starts_with(device_prefix)) return apply_device(set, word, sign);
  const auto row = std::ranges::find_if(table, [&](const GrantRow& r) { return r.name == word; });
  if (row == std::end(table) || row->grant == Grant::device) return wrong(word, "is not known");
  if (sign == Sign::take) {
    set.take(row->grant);
    return ok();
  }
  if (*row->refused != '\0') return wrong(word, "is refused: " + std::string(row->refused));
  set.give(row->grant);
  return ok();
}

std::string_view trimmed(std::string_view word) {
  constexpr std::string_view blank = " \t\n";
  word.remove_prefix(std::min(word.find_first_not_of(blank), word.size()));
  word.remove_suffix(word.size() - std::min(word.find_last_not_of(blank) + 1, word.size()));
  return word;
}

std::vector<std::string_view> words_of(std::string_view list) {
  std::vector<std::string_view> out;
  for (std::size_t at = 0; at <= list.size();) {
    const std::size_t end = std::min(list.find(',', at), list.size());
    out.push_back(trimmed(list.substr(at, end - at)));
    at = end + 1;
  }
  return out;
}

bool has_sign(std::string_view word) { return word.starts_with('+') || word.starts_with('-'); }

}  // namespace

std::span<const GrantRow> grants() { return table; }

GrantSet GrantSet::by_default() {
  GrantSet out;
  for (const GrantRow& row : table)
    if (row.given == Given::by_default) out.give(row.grant);
  return out;
}

void GrantSet::give_device(std::string path) {
  const auto at = std::ranges::lower_bound(devices_, path);
  if (at == devices_.end() || *at != path) devices_.insert(at, std::move(path));
}

void GrantSet::take_device(std::string_view path) { std::erase(devices_, path); }

std::vector<std::string> GrantSet::device_paths() const {
  std::vector<std::string> out;
  for (const GrantRow& row : table)
    if (has(row.grant)) out.insert(out.end(), row.devices.begin(), row.devices.end());
  for (const std::string& path : devices_)
    if (std::ranges::find(out, path) == out.end()) out.push_back(path);
  return out;
}

Result<GrantSet> parse_grants(std::string_view list) {
  const std::vector<std::string_view> words = words_of(list);
  GrantSet set = has_sign(words.front()) ? GrantSet::by_default() : GrantSet();
  std::vector<std::string_view> seen;
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::string_view word = words[i];
    const Sign sign = word.starts_with('-') ? Sign::take : Sign::give;
    if (has_sign(word)) word.remove_prefix(1);
    if (word.empty()) return wrong(word, "is empty: a list is names with commas between them");
    if (std::ranges::find(seen, word) != seen.end()) return wrong(word, "is there twice");
    seen.push_back(word);
    if (word == "default" || word == "none") {
      if (i != 0 || has_sign(words[i])) return wrong(word, "can only be the first word, without a sign");
      if (word == "default") set = GrantSet::by_default();
      continue;
    }
    TRY(apply_word(set, word, sign));
  }
  return set;
}

std::string to_text(const GrantSet& set) {
  std::string out;
  const auto add = [&](std::string_view word) { out.append(out.empty() ? "" : ",").append(word); };
  for (const GrantRow& row : table)
    if (set.has(row.grant)) add(row.name);
  for (const std::string& path : set.devices()) add(std::string(device_prefix) + path);
  return out.empty() ? "none" : out;
}

}  // namespace caisson::nest

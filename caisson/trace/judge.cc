#include "caisson/trace/judge.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>

#include "caisson/nest/arguments.h"
#include "caisson/oci/kernel_names.h"
#include "caisson/seccomp/notify.h"
#include "caisson/seccomp/syscall_table.h"
#include "caisson/sys/file.h"
#include "caisson/sys/raw.h"

namespace caisson::trace {
namespace {

constexpr std::uint64_t namespace_flags =
    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
constexpr std::uint64_t new_time = 0x80;  // CLONE_NEWTIME: of clone, a part of the signal

// Which make something of the network's: source: linux include/uapi/linux/sockios.h
constexpr std::uint32_t interface_requests[] = {
    0x890B, 0x890C, 0x8914, 0x8916, 0x8918, 0x891A, 0x891C, 0x891E, 0x8922, 0x8923, 0x8924,  // routes, SIOCSIF*
    0x8943, 0x8953, 0x8955, 0x89A0, 0x89A1, 0x89A2, 0x89A3,                                  // queue, ARP, bridges
};

std::uint64_t key_of(std::uint32_t abi, std::uint64_t number) {
  return std::uint64_t{abi} << 32U | (number & 0xFFFFFFFFU);
}
bool is_narrow(const Call& call) { return call.abi == AUDIT_ARCH_I386; }
std::int32_t number_of(std::uint64_t argument) { return static_cast<std::int32_t>(argument); }

std::string of_task(const Call& call, const std::string& what) {
  return "/proc/" + std::to_string(call.task) + "/" + what;
}

std::string link_of(const std::string& path) {
  auto link = sys::read_link_at(AT_FDCWD, path);
  return link ? *std::move(link) : "";
}

template <class T>
std::optional<T> read_value(const Call& call, std::uint64_t address) {
  T value = {};
  const auto got = seccomp::read_memory(call.task, address, &value, sizeof value);
  if (!got || *got != sizeof value) return std::nullopt;
  return value;
}

// A pointer or long of the caller's at `address`, the `index`th of several.
std::optional<std::uint64_t> read_word(const Call& call, std::uint64_t address, unsigned index) {
  if (!is_narrow(call)) return read_value<std::uint64_t>(call, address + std::uint64_t{index} * 8);
  const auto narrow = read_value<std::uint32_t>(call, address + std::uint64_t{index} * 4);
  return narrow ? std::optional<std::uint64_t>(*narrow) : std::nullopt;
}

std::string text_of(const Call& call, std::uint64_t address) {
  auto text = seccomp::read_text(call.task, address, 4096);
  return text ? *std::move(text) : "";
}

// Absolute, as the task's directories have it.
std::string path_of(const Call& call, std::uint64_t address, int directory) {
  const std::string path = text_of(call, address);
  if (path.starts_with('/')) return path;
  const std::string above = link_of(of_task(call, directory == AT_FDCWD ? "cwd" : "fd/" + std::to_string(directory)));
  if (path.empty()) return above;
  return (above == "/" ? "" : above) + "/" + path;
}

struct Shown {
  std::string arguments;
  std::string path;  // the last one
};

std::string with_base(const char* format, std::uint64_t value) {
  char out[32];
  std::snprintf(out, sizeof out, format, static_cast<unsigned long long>(value));
  return out;
}

Shown show(const TracedCall& traced, const Call& call) {
  Shown out;
  int directory = AT_FDCWD;
  std::size_t at = 0;
  for (const char* letter = traced.arguments; *letter != '\0' && at < call.arguments.size(); ++letter) {
    const std::uint64_t argument = call.arguments[at++];
    std::string shown;
    switch (*letter) {
      case '@':
        directory = number_of(argument);
        continue;
      case '-':
        continue;
      case 'p':
        shown = out.path = path_of(call, argument, directory);
        directory = AT_FDCWD;
        break;
      case 'f':
        shown = out.path = link_of(of_task(call, "fd/" + std::to_string(number_of(argument))));
        break;
      case 's':
        shown = argument == 0 ? "-" : "\"" + text_of(call, argument) + "\"";
        break;
      case 'i':
        shown = std::to_string(number_of(argument));
        break;
      case 'o':
        shown = with_base("0%llo", argument & 0xFFFFFFFFU);
        break;
      case 'x':
        shown = with_base("0x%llx", argument);
        break;
      case 'D': {
        const dev_t device = nest::device_of(argument);
        shown = std::to_string(major(device)) + ":" + std::to_string(minor(device));
        break;
      }
      default:
        break;
    }
    out.arguments += (out.arguments.empty() ? "" : ", ") + shown;
  }
  return out;
}

bool is_device(std::uint64_t mode) { return (mode & S_IFMT) == S_IFCHR || (mode & S_IFMT) == S_IFBLK; }

bool raises_limit(const TracedCall& traced, const Call& call) {
  const bool of_process = traced.name == std::string_view("prlimit64");
  const std::uint64_t resource = call.arguments[of_process ? 1 : 0];
  const std::uint64_t address = call.arguments[of_process ? 2 : 1];
  if (address == 0) return false;
  const int process = of_process ? number_of(call.arguments[0]) : 0;
  std::optional<std::uint64_t> hard;
  if (of_process)
    hard = read_value<std::uint64_t>(call, address + 8);
  else
    hard = read_word(call, address, 1);
  if (!of_process && is_narrow(call) && hard == 0xFFFFFFFFU) hard = RLIM_INFINITY;
  struct rlimit now = {};
  if (!hard || sys::raw::call(SYS_prlimit64, process == 0 ? call.task : process, resource, nullptr, &now) < 0)
    return false;
  return *hard > now.rlim_max;
}

bool lowers_nice(const Call& call) {
  if (number_of(call.arguments[0]) != PRIO_PROCESS) return number_of(call.arguments[2]) < 0;
  const int who = number_of(call.arguments[1]);
  const long now = sys::raw::call(SYS_getpriority, PRIO_PROCESS, who == 0 ? call.task : who);
  return now > 0 ? number_of(call.arguments[2]) < 20 - now : number_of(call.arguments[2]) < 0;
}

bool is_real_time(const TracedCall& traced, const Call& call) {
  if (traced.name == std::string_view("ioprio_set"))
    return (number_of(call.arguments[2]) >> 13) == 1;  // IOPRIO_CLASS_RT; <linux/ioprio.h> is no C++
  const int policy = number_of(call.arguments[1]) & ~SCHED_RESET_ON_FORK;
  return policy == SCHED_FIFO || policy == SCHED_RR || policy == SCHED_DEADLINE;
}

std::uint64_t new_namespaces(const TracedCall& traced, const Call& call) {
  if (traced.asks == Asks::namespaces) return call.arguments[0] & (namespace_flags | new_time);
  if (traced.asks == Asks::namespaces_clone) return call.arguments[0] & namespace_flags;
  if (traced.asks != Asks::namespaces_clone3) return 0;
  return read_value<std::uint64_t>(call, call.arguments[0]).value_or(0) & (namespace_flags | new_time);
}

// The capabilities that capset(2) asks for by name. A task that keeps most of what it has only passes on what it was
// given, and would with fewer grants too.
std::uint64_t named_capabilities(const Call& call) {
  struct Data {
    std::uint32_t effective, permitted, inheritable;
  };
  struct Both {
    Data low, high;
  };
  const auto data = read_value<Both>(call, call.arguments[1]);
  const auto status = sys::read_start_at(AT_FDCWD, of_task(call, "status"));
  if (!data || !status) return 0;
  const std::uint64_t wanted = std::uint64_t{data->high.permitted} << 32U | data->low.permitted;
  const std::size_t at = status->find("CapPrm:\t");
  const std::uint64_t has = at == status->npos ? 0 : std::strtoull(status->c_str() + at + 8, nullptr, 16);
  return std::popcount(wanted) * 2 < std::popcount(has) ? wanted : 0;
}

std::vector<Operation> capabilities(const TracedCall& traced, const Call& call) {
  std::vector<Operation> out;
  const std::uint64_t wanted = named_capabilities(call);
  for (const nest::GrantRow& row : nest::grants()) {
    for (const char* name : row.capabilities) {
      const auto number = oci::capability(name);
      if (number && (wanted >> *number & 1U) != 0)
        out.push_back(
            {.call = &traced, .arguments = name, .path = "", .served = served_by_capability(name), .error = 0});
    }
  }
  return out;
}

bool opens_for_writing(const TracedCall& traced, const Call& call) {
  const std::string_view name = traced.name;
  std::uint64_t flags = O_WRONLY;
  if (name == "open") flags = call.arguments[1];
  if (name == "openat") flags = call.arguments[2];
  if (name == "openat2") flags = read_value<std::uint64_t>(call, call.arguments[2]).value_or(0);
  return (flags & O_ACCMODE) != O_RDONLY;
}

}  // namespace

Judge::Judge() : own_user_namespace_(link_of("/proc/self/ns/user")) {
  for (const seccomp::Abi& abi : seccomp::machine_abis())
    for (const TracedCall& call : traced_calls())
      if (const auto entry = seccomp::find_call(abi, call.name); entry && entry->number >= 0)
        by_number_[key_of(abi.audit, static_cast<std::uint64_t>(entry->number))] = &call;
}

const TracedCall* Judge::find(const Call& call) const {
  const auto found = by_number_.find(key_of(call.abi, call.number));
  return found == by_number_.end() ? nullptr : found->second;
}

bool Judge::asks(const TracedCall& traced, const Call& call) const {
  const std::string_view name = traced.name;
  switch (traced.asks) {
    case Asks::always:
    case Asks::makes_directory:
    case Asks::capabilities:
    case Asks::socket:
      return true;
    case Asks::never:
      return false;
    case Asks::device_node: {
      const std::size_t mode = name == "mknodat" ? 2 : 1;
      // 0:0 is a whiteout, which everybody may make. source: vfs_mknod() in linux fs/namei.c
      const bool whiteout = (call.arguments[mode] & S_IFMT) == S_IFCHR && call.arguments[mode + 1] == 0;
      return is_device(call.arguments[mode]) && !whiteout;
    }
    case Asks::hard_limit:
      return raises_limit(traced, call);
    case Asks::lower_nice:
      return lowers_nice(call);
    case Asks::real_time:
      return is_real_time(traced, call);
    case Asks::trusted_attribute:
      return text_of(call, call.arguments[1]).starts_with("trusted.");
    case Asks::namespaces:
    case Asks::namespaces_clone:
    case Asks::namespaces_clone3:
      return new_namespaces(traced, call) != 0;
    case Asks::opens:
      return opens_for_writing(traced, call);
    case Asks::sets_interface:
      return std::ranges::find(interface_requests, call.arguments[1] & 0xFFFFFFFFU) != std::end(interface_requests);
    case Asks::netlink:
      return changes_network(traced, call);
    case Asks::firewall: {  // IPT_SO_SET_REPLACE, IPT_SO_SET_ADD_COUNTERS of SOL_IP and SOL_IPV6
      const int level = number_of(call.arguments[1]);
      const int option = number_of(call.arguments[2]);
      return (level == 0 || level == 41) && (option == 64 || option == 65);
    }
  }
  return false;
}

// source: rtnetlink_rcv_msg() in linux net/core/rtnetlink.c, nfnetlink_rcv() in net/netfilter/nfnetlink.c
bool Judge::changes_network(const TracedCall& traced, const Call& call) const {
  if (sockets_.empty()) return false;
  const auto found = sockets_.find(link_of(of_task(call, "fd/" + std::to_string(number_of(call.arguments[0])))));
  if (found == sockets_.end()) return false;
  std::optional<std::uint64_t> address = call.arguments[1];
  if (traced.name == std::string_view("sendmsg")) {
    const auto vectors = read_word(call, call.arguments[1], 2);  // after name and namelen
    address = vectors ? read_word(call, *vectors, 0) : std::nullopt;
  }
  if (!address) return false;
  const auto header = read_value<nlmsghdr>(call, *address);
  if (!header || header->nlmsg_type < NLMSG_MIN_TYPE) return false;
  constexpr unsigned get = 2;  // of each four: new, delete, get, set
  return found->second != NETLINK_ROUTE || (header->nlmsg_type & 3U) != get;
}

void Judge::remember_socket(const Call& call, std::int64_t descriptor) {
  const auto protocol = static_cast<std::uint64_t>(number_of(call.arguments[2]));
  const bool changes = protocol == NETLINK_ROUTE || protocol == NETLINK_NETFILTER || protocol == NETLINK_XFRM;
  if (number_of(call.arguments[0]) != AF_NETLINK || !changes || descriptor < 0) return;
  sockets_[link_of(of_task(call, "fd/" + std::to_string(descriptor)))] = protocol;
}

std::string Judge::weakened(pid_t task) const {
  if (::geteuid() == 0) return "";
  const std::string program = "/proc/" + std::to_string(task) + "/exe";
  const auto fd = sys::open_file(program, O_PATH);
  const auto status = fd ? sys::status_of(fd->get()) : Result<struct stat>(std::move(fd).error());
  if (!status || (status->st_mode & (S_ISUID | S_ISGID)) == 0 || status->st_uid == ::geteuid()) return "";
  return link_of(program) + " is set-id and ran without that: only root can follow it as it is";
}

// In a user namespace of the workload's own, capabilities are its own too, and no grant gives or takes them.
Served Judge::served_in_place(const TracedCall& traced, const Call& call) const {
  const Served anybody = served_by_capability("any");
  if ((new_namespaces(traced, call) & CLONE_NEWUSER) != 0) return anybody;
  Served out = served(traced);
  if (out.by == Served::By::grant && *traced.capability != '\0' &&
      link_of(of_task(call, "ns/user")) != own_user_namespace_)
    return anybody;
  return out;
}

std::optional<Served> Judge::served_file(const TracedCall& traced, const Call& call, const std::string& path) const {
  if (traced.asks == Asks::makes_directory)
    return path.starts_with("/sys/fs/cgroup/") ? served_path(path, false) : std::nullopt;
  bool is_device_file = false;
  if (path.starts_with("/dev/"))
    if (const auto fd = sys::open_file(of_task(call, "root" + path), O_PATH))
      if (const auto status = sys::status_of(fd->get())) is_device_file = is_device(status->st_mode);
  return served_path(path, is_device_file);
}

std::vector<Operation> Judge::judge(const Call& call) const {
  const TracedCall* traced = find(call);
  if (traced == nullptr || !asks(*traced, call)) return {};
  if (traced->asks == Asks::capabilities) return capabilities(*traced, call);
  Operation out;
  out.call = traced;
  if (traced->asks == Asks::socket) return {out};
  Shown shown = show(*traced, call);
  out.path = std::move(shown.path);
  out.arguments = std::move(shown.arguments);
  if (traced->asks == Asks::opens || traced->asks == Asks::makes_directory) {
    const auto by = served_file(*traced, call, out.path);
    if (!by) return {};
    out.served = *by;
  } else {
    out.served = served_in_place(*traced, call);
  }
  if (traced->asks == Asks::namespaces_clone3) out.arguments = with_base("0x%llx", new_namespaces(*traced, call));
  return {std::move(out)};
}

}  // namespace caisson::trace

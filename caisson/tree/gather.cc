#include "caisson/tree/gather.h"

#include <fcntl.h>
#include <sys/utsname.h>

#include <algorithm>
#include <charconv>
#include <functional>

#include "caisson/sys/file.h"
#include "caisson/sys/namespace.h"

namespace caisson::tree {
namespace {

using sys::UniqueFd;

constexpr Namespace first_pid_namespace = 0xEFFFFFFCU;  // source: linux include/linux/proc_ns.h, PROC_PID_INIT_INO
// A user namespace that may not be seen is told from others by its map, which everybody may read.
constexpr Namespace by_map = Namespace{1} << 63U;

class Gatherer {
 public:
  Gatherer(int proc, Outermost outermost) : proc_(proc), outermost_(outermost) {}

  Result<Facts> run() {
    struct utsname name = {};
    if (::uname(&name) == 0) facts_.host_name = name.nodename;
    facts_.own_user_namespace = link("self/ns/user");
    facts_.own_pid_namespace = link("self/ns/pid");
    facts_.is_host = facts_.own_pid_namespace == first_pid_namespace;
    own_map_ = sys::read_start_at(proc_, "self/uid_map");
    facts_.hides_others = hides_others();
    const auto entries = TRY(sys::list_directory_at(proc_, "."));
    for (const sys::DirectoryEntry& entry : entries)
      if (entry.name[0] >= '1' && entry.name[0] <= '9') add(entry.name);
    for (const Process& process : facts_.processes)
      if (process.level() > 0 && process.is_init()) add_host_name(process);
    return std::move(facts_);
  }

 private:
  Namespace link(const std::string& path) const {
    const auto text = sys::read_link_at(proc_, path);
    return text ? sys::namespace_of_link(*text) : 0;
  }

  std::string cgroup_of(const std::string& pid) const {
    const auto text = sys::read_start_at(proc_, pid + "/cgroup");
    return text ? parse_cgroup(*text) : "";
  }

  bool hides_others() const {
    const auto mounts = sys::read_file_at(proc_, "self/mountinfo");
    if (!mounts) return false;
    const std::size_t at = mounts->find(" /proc ");
    const std::string line = at == mounts->npos ? "" : mounts->substr(at, mounts->find('\n', at) - at);
    return line.find("hidepid=") != line.npos && line.find("hidepid=0") == line.npos;
  }

  void add(const std::string& pid) {
    const auto status = sys::read_start_at(proc_, pid + "/status");
    Process process;
    if (!status || !parse_status(*status, process)) return;  // it has ended
    const bool describe = process.level() > 0 || outermost_ == Outermost::described;
    if (describe) {
      process.pid_namespace = link(pid + "/ns/pid");
      process.user_namespace = link(pid + "/ns/user");
      if (const auto command = sys::read_start_at(proc_, pid + "/cmdline")) process.command = parse_command(*command);
      if (process.user_namespace == 0) process.user_namespace = guess_user_namespace(pid);
      relate_pid_namespace(pid, process.pid_namespace);
      relate_user_namespace(pid, process.user_namespace);
    }
    if (process.level() > 0 && (process.is_init() || process.pid_namespace == 0)) process.cgroup = cgroup_of(pid);
    if (process.level() > 0 && process.is_init()) process.parent_cgroup = cgroup_of(std::to_string(process.parent));
    facts_.processes.push_back(std::move(process));
  }

  Namespace guess_user_namespace(const std::string& pid) {
    const auto map = sys::read_start_at(proc_, pid + "/uid_map");
    if (!map || !own_map_) return 0;
    if (*map == *own_map_) return facts_.own_user_namespace;
    const Namespace made = by_map | std::hash<std::string>()(*map) >> 1U;
    facts_.user_namespaces.try_emplace(made, UserNamespace{.parent = facts_.own_user_namespace, .map = {}});
    return made;
  }

  void relate_pid_namespace(const std::string& pid, Namespace id) {
    if (id == 0 || facts_.pid_parents.contains(id)) return;
    auto fd = sys::open_at(proc_, pid + "/ns/pid", O_RDONLY);
    while (fd && !facts_.pid_parents.contains(id)) {
      auto above = sys::parent_namespace(fd->get());
      const auto inode = above ? sys::namespace_inode(above->get()) : Result<std::uint64_t>(0);
      facts_.pid_parents[id] = inode ? *inode : 0;
      if (!inode || *inode == 0) return;
      id = *inode;
      fd = std::move(above);
    }
  }

  void relate_user_namespace(const std::string& pid, Namespace id) {
    if (id == 0 || id == facts_.own_user_namespace) return;
    UserNamespace& known = facts_.user_namespaces[id];
    if (!known.map)
      if (const auto map = sys::read_file_at(proc_, pid + "/uid_map")) known.map = parse_id_map(*map);
    if (known.parent != 0) return;
    auto fd = sys::open_at(proc_, pid + "/ns/user", O_RDONLY);
    while (fd && id != facts_.own_user_namespace && facts_.user_namespaces[id].parent == 0) {
      auto above = sys::parent_namespace(fd->get());
      const auto inode = above ? sys::namespace_inode(above->get()) : Result<std::uint64_t>(0);
      if (!inode || *inode == 0) return;
      facts_.user_namespaces[id].parent = *inode;
      id = *inode;
      fd = std::move(above);
    }
  }

  void add_host_name(const Process& process) {
    const std::string pid = std::to_string(process.pids[0]);
    const Namespace id = link(pid + "/ns/uts");
    if (id == 0 || id == link("self/ns/uts")) return;
    const auto uts = sys::open_at(proc_, pid + "/ns/uts", O_RDONLY);
    const auto home = sys::open_at(proc_, "self/ns/uts", O_RDONLY);
    if (!uts || !home) return;
    if (const auto name = sys::host_name_in(uts->get(), home->get())) facts_.host_names[process.pids[0]] = *name;
  }

  int proc_;
  Outermost outermost_;
  Result<std::string> own_map_ = Error::of(Kind::not_found, "");
  Facts facts_;
};

}  // namespace

Result<Facts> gather(Outermost outermost) {
  const UniqueFd proc = TRY(sys::open_file("/proc", O_RDONLY | O_DIRECTORY));
  return Gatherer(proc.get(), outermost).run();
}

}  // namespace caisson::tree

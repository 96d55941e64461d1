#include "caisson/tree/forest.h"

#include <algorithm>
#include <set>
#include <unordered_map>

#include "caisson/tree/names.h"

namespace caisson::tree {
namespace {

constexpr Namespace made_up = Namespace{1} << 62U;  // plus the pid of the first process, where the kernel's is not seen

class Grower {
 public:
  explicit Grower(const Facts& facts) : facts_(facts) {
    for (const Process& process : facts.processes) by_pid_[process.pids[0]] = &process;
    for (const Process& process : facts.processes)
      if (process.level() > 0 && process.is_init()) inits_.push_back(&process);
  }

  Forest run() {
    Forest out;
    for (const Process& process : facts_.processes) {
      const Namespace key = key_of(process);
      if (process.level() > 0 && process.pid_namespace == 0) ++out.guessed;
      members_[key].push_back(&process);
      if (process.level() > 0 && process.is_init()) init_of_[key] = &process;
    }
    for (const auto& [key, members] : members_)
      if (key != 0) children_[parent_of(key, *members.front())].push_back(key);
    out.root = container(0);
    out.root.host_name = facts_.host_name;
    out.root.pid_namespace = facts_.own_pid_namespace;
    out.root.user_namespace = facts_.own_user_namespace;
    return out;
  }

 private:
  // 0: none below us.
  Namespace key_of(const Process& process) const {
    if (process.level() == 0) return 0;
    if (process.pid_namespace != 0) return process.pid_namespace;
    const Process* init = init_above(process);
    if (init == nullptr) init = init_beside(process);
    if (init == nullptr) return made_up | static_cast<Namespace>(process.pids[0]);
    return init->pid_namespace != 0 ? init->pid_namespace : made_up | static_cast<Namespace>(init->pids[0]);
  }

  const Process* process_at(pid_t pid) const {
    const auto found = by_pid_.find(pid);
    return found == by_pid_.end() ? nullptr : found->second;
  }

  const Process* init_above(const Process& process) const {
    for (const Process* at = &process; at != nullptr && at->level() >= process.level(); at = process_at(at->parent))
      if (at->level() == process.level() && at->is_init()) return at;
    return nullptr;
  }

  // For one that entered from outside: its cgroup is that of the first process, or below.
  const Process* init_beside(const Process& process) const {
    const Process* best = nullptr;
    for (const Process* init : inits_)
      if (init->level() == process.level() && init->cgroup.size() > 1 && process.cgroup.starts_with(init->cgroup) &&
          (best == nullptr || init->cgroup.size() > best->cgroup.size()))
        best = init;
    return best;
  }

  Namespace parent_of(Namespace key, const Process& member) const {
    if (member.level() <= 1) return 0;
    if (const auto found = facts_.pid_parents.find(key); found != facts_.pid_parents.end() && found->second != 0)
      return members_.contains(found->second) ? found->second : 0;
    const auto init = init_of_.find(key);
    const Process* at = init != init_of_.end() ? init->second : &member;
    while (at != nullptr && at->level() >= member.level()) at = process_at(at->parent);
    return at != nullptr ? key_of(*at) : 0;
  }

  // Deep only as far as the kernel nests pid namespaces: 32.
  Container container(Namespace key) {
    Container out;
    if (const auto members = members_.find(key); members != members_.end()) out.processes = members->second;
    if (key != 0) describe(out, key);
    std::ranges::sort(out.processes, [](const Process* a, const Process* b) {
      return std::pair(a->pids.back() != 1, a->pids[0]) < std::pair(b->pids.back() != 1, b->pids[0]);
    });
    for (const Namespace child : children_[key]) out.containers.push_back(container(child));
    std::ranges::sort(out.containers, {}, [](const Container& c) { return c.processes.front()->pids[0]; });
    return out;
  }

  void describe(Container& out, Namespace key) const {
    const Process* first = out.processes.front();
    if (const auto init = init_of_.find(key); init != init_of_.end()) first = out.init = init->second;
    out.level = first->level();
    out.pid_namespace = (key & made_up) == 0 ? key : 0;
    out.user_namespace = first->user_namespace >> 63U == 0 ? first->user_namespace : 0;
    out.cgroup = first->cgroup;
    const EngineName engine = name_of_cgroup(first->cgroup);
    out.id = engine.id;
    out.runtime = engine.engine;
    // A directory of its own, which its parent is not in, is one that was made for it.
    if (out.id.empty() && first->cgroup != first->parent_cgroup) out.id = directory_of_cgroup(first->cgroup);
    if (const auto host = facts_.host_names.find(first->pids[0]); host != facts_.host_names.end())
      out.host_name = host->second;
    const auto known = facts_.known.find(first->pids[0]);
    if (known == facts_.known.end()) return;
    out.id = known->second.id;
    out.runtime = known->second.runtime;
    out.profile = known->second.profile;
    out.grants = known->second.grants;
  }

  const Facts& facts_;
  std::unordered_map<pid_t, const Process*> by_pid_;
  std::vector<const Process*> inits_;
  std::map<Namespace, std::vector<const Process*>> members_;
  std::map<Namespace, const Process*> init_of_;
  std::map<Namespace, std::vector<Namespace>> children_;
};

// Containers, outermost first.
void list(Container& at, std::vector<Container*>& out) {
  for (Container& child : at.containers) {
    out.push_back(&child);
    list(child, out);
  }
}

// Leaves the way to `target`. True if it is in `at`.
bool keep_way(Container& at, const Container* target) {
  if (&at == target) return true;
  at.shown = false;
  for (Container& child : at.containers) {
    if (!keep_way(child, target)) continue;
    Container kept = std::move(child);
    at.containers.clear();
    at.containers.push_back(std::move(kept));
    return true;
  }
  return false;
}

std::optional<pid_t> pid_of(const std::string& word) {
  if (word.empty() || word.size() > 9 || word.find_first_not_of("0123456789") != word.npos) return std::nullopt;
  return static_cast<pid_t>(std::stol(word));
}

Error not_there(const std::string& word, const std::vector<Container*>& all) {
  std::string known;
  for (const Container* container : all) known += (known.empty() ? "" : ", ") + title_of(*container);
  return Error::of(Kind::not_found, "no container or process \"" + word + "\" is to be seen; " +
                                        (known.empty() ? "there is no container" : "containers are " + known));
}

}  // namespace

Forest grow(const Facts& facts) { return Grower(facts).run(); }

Result<void> select(Forest& forest, const std::string& word) {
  std::vector<Container*> all;
  list(forest.root, all);
  std::vector<Container*> found;
  for (Container* c : all)
    if (c->id == word || (c->id.empty() && c->host_name == word)) found.push_back(c);
  if (found.empty())
    for (Container* c : all)
      if (!word.empty() && c->id.starts_with(word) && !pid_of(word)) found.push_back(c);
  if (const auto pid = pid_of(word); found.empty() && pid) {
    const auto has = [&](const Container& c) {
      return std::ranges::any_of(c.processes, [&](const Process* p) { return p->pids[0] == *pid; });
    };
    if (has(forest.root)) return Error::of(Kind::not_found, "process " + word + " is in no container: it is beside us");
    for (Container* c : all)
      if (has(*c)) found.push_back(c);
  }
  if (found.empty() && word.size() >= 3)  // the beginning of a long ID may be digits alone
    for (Container* c : all)
      if (c->id.starts_with(word)) found.push_back(c);
  if (found.empty()) return not_there(word, all);
  if (found.size() > 1)
    return Error::of(Kind::invalid, "\"" + word + "\" is " + std::to_string(found.size()) +
                                        " containers: say more of the ID, or a process");
  (void)keep_way(forest.root, found.front());
  return ok();
}

std::vector<std::optional<uid_t>> uids_of(const Process& process, const Facts& facts) {
  std::vector<std::optional<uid_t>> out;
  std::set<Namespace> seen;  // facts from different moments could go round
  for (Namespace at = process.user_namespace; at != facts.own_user_namespace && seen.insert(at).second;) {
    const auto found = facts.user_namespaces.find(at);
    if (found == facts.user_namespaces.end()) break;
    std::optional<uid_t> inside;
    for (const Extent& extent : found->second.map.value_or(std::vector<Extent>()))
      if (process.uid >= extent.ours && process.uid - extent.ours < extent.size)
        inside = extent.inside + (process.uid - extent.ours);
    out.insert(out.begin(), inside);
    at = found->second.parent;
  }
  out.insert(out.begin(), process.uid);
  return out;
}

std::string title_of(const Container& container) {
  if (container.id.size() == 64) return container.id.substr(0, 12);
  if (!container.id.empty()) return container.id;
  if (!container.host_name.empty()) return container.host_name;
  if (container.pid_namespace != 0) return "pid namespace " + std::to_string(container.pid_namespace);
  return "process " + std::to_string(container.processes.front()->pids[0]);
}

}  // namespace caisson::tree

// The JSON form. Layer: tree (pure). Declared in print.h; the schema is in packaging/man/caisson-tree.1.in.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/runtime/json.h"
#include "caisson/tree/print.h"

namespace caisson::tree {
namespace {

using runtime::JsonObject;

constexpr int schema = 1;

template <class Each, class Print>
std::string list(const Each& each, Print print) {
  std::string out = "[";
  for (const auto& one : each) out += (out.size() == 1 ? "" : ",") + print(one);
  return out + "]";
}

std::string pids_json(const Process& process) {
  return list(process.pids, [](pid_t pid) { return std::to_string(pid); });
}

std::string quoted(std::string_view text) {
  std::string out;
  runtime::append_quoted(out, text);
  return out;
}

std::string text_or_null(std::string_view text) { return text.empty() ? "null" : quoted(text); }
std::string inode_or_null(Namespace inode) { return inode == 0 ? "null" : std::to_string(inode); }

class Writer {
 public:
  Writer(const Facts& facts, const Look& look) : facts_(facts), look_(look) {}

  std::string container(const Container& c) const {
    const bool with_processes = c.shown && (c.level > 0 || look_.outermost);
    const Container* const at = &c;
    return JsonObject()
        .number("level", c.level)
        .text("title", c.level == 0 ? (facts_.is_host ? "host" : "here") : title_of(c))
        .raw("id", text_or_null(c.id))
        .raw("runtime", text_or_null(c.runtime))
        .raw("profile", text_or_null(c.profile))
        .raw("grants", text_or_null(c.grants))
        .raw("hostName", text_or_null(c.host_name))
        .raw("cgroup", text_or_null(c.cgroup))
        .raw("pidNamespace", inode_or_null(c.pid_namespace))
        .raw("userNamespace", inode_or_null(c.user_namespace))
        .raw("uidMap", map_of(c.user_namespace))
        .raw("init", c.init != nullptr ? pids_json(*c.init) : "null")
        .number("processCount", c.processes.size())
        .raw("processes", with_processes ? list(at->processes, [&](const Process* p) { return process(*p); }) : "[]")
        .raw("containers", list(at->containers, [&](const Container& child) { return container(child); }))
        .take();
  }

 private:
  std::string process(const Process& p) const {
    return JsonObject()
        .raw("pids", pids_json(p))
        .raw("uids", list(uids_of(p, facts_),
                          [](const std::optional<uid_t>& uid) { return uid ? std::to_string(*uid) : "null"; }))
        .text("name", p.name)
        .texts("command", p.command)
        .take();
  }

  std::string map_of(Namespace user) const {
    const auto found = facts_.user_namespaces.find(user);
    if (found == facts_.user_namespaces.end() || !found->second.map) return "null";
    return list(*found->second.map, [](const Extent& extent) {
      return JsonObject()
          .number("inside", extent.inside)
          .number("ours", extent.ours)
          .number("size", extent.size)
          .take();
    });
  }

  const Facts& facts_;
  const Look& look_;
};

}  // namespace

std::string print_json(const Forest& forest, const Facts& facts, const Look& look) {
  return JsonObject()
             .number("schema", schema)
             .raw("limits", list(limits_of(forest, facts, look), quoted))
             .raw("root", Writer(facts, look).container(forest.root))
             .take() +
         "\n";
}

}  // namespace caisson::tree

#include "caisson/runtime/rdt.h"

#include <fcntl.h>

#include <algorithm>
#include <map>

#include "caisson/sys/directory.h"
#include "caisson/sys/file.h"

namespace caisson::runtime {
namespace {

std::string_view take(std::string_view& left, char end) {
  const std::string_view part = left.substr(0, left.find(end));
  left.remove_prefix(std::min(part.size() + 1, left.size()));
  return part;
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const std::string_view line = take(text, '\n');
    if (!line.empty()) out.emplace_back(line);
  }
  return out;
}

// A value as it can be compared: without blanks and leading zeros, in lower case.
std::string plain(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == ' ' || c == '\t' || (c == '0' && out.empty())) continue;
    out += static_cast<char>(c >= 'A' && c <= 'F' ? c + 32 : c);
  }
  return out;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// "L3:0=ff;1=f" into {"L3:0": "ff", "L3:1": "f"}.
void read_schema(std::string_view line, std::map<std::string, std::string>& out) {
  const std::string resource(trimmed(take(line, ':')));
  while (!line.empty()) {
    std::string_view domain = take(line, ';');
    const std::string id = plain(take(domain, '='));
    out[resource + ":" + id] = plain(domain);
  }
}

// One line a write: the kernel stops at the first that is wrong, and says which only by the error.
Result<void> write_schema(const std::string& root, const std::string& directory,
                          const std::vector<std::string>& lines) {
  for (const std::string& line : lines) {
    auto written = sys::write_once(directory + "/schemata", line + "\n");
    if (written) continue;
    std::string why;
    if (auto status = sys::read_file(root + "/info/last_cmd_status", 4096)) why = std::move(*status);
    while (why.ends_with('\n')) why.pop_back();
    Error error = std::move(written).error().during("write \"" + line + "\"");
    return why.empty() ? error : std::move(error).during("resctrl says: " + why);
  }
  return ok();
}

Result<void> fill(const std::string& root, const RdtPlan& plan, RdtGroup& group) {
  const std::string& directory = group.directory;
  const bool asks = !plan.schema.empty() || !plan.extra.empty();
  if (!sys::exists(directory)) {
    if (!plan.group.empty() && !asks)
      return Error::of(Kind::not_found, "closID " + plan.group + ": " + directory + " must be there without a schema");
    TRY(sys::make_directory_at(AT_FDCWD, directory, 0755));
    group.made = true;
    TRY(write_schema(root, directory, plan.schema));
  } else if (!plan.schema.empty()) {
    const std::string present = TRY(sys::read_file(directory + "/schemata"));
    if (!has_schema(present, plan.schema))
      return Error::of(Kind::conflict, directory + " is there and its schemata are others");
  }
  return write_schema(root, directory, plan.extra);
}

}  // namespace

RdtPlan plan_rdt(const oci::IntelRdt& rdt) {
  RdtPlan out{
      .group = rdt.clos_id, .monitor = rdt.enable_monitoring, .schema = lines_of(rdt.l3_cache_schema), .extra = {}};
  if (!rdt.mem_bw_schema.empty()) std::erase_if(out.schema, [](const std::string& l) { return l.starts_with("MB:"); });
  for (std::string& line : lines_of(rdt.mem_bw_schema)) out.schema.push_back(std::move(line));
  for (const std::string& text : rdt.schemata)
    for (std::string& line : lines_of(text)) out.extra.push_back(std::move(line));
  return out;
}

std::string find_resctrl(std::string_view mountinfo) {
  while (!mountinfo.empty()) {
    std::string_view line = take(mountinfo, '\n');
    if (line.find(" - resctrl ") == line.npos) continue;
    for (int field = 0; field < 4; ++field) take(line, ' ');
    return std::string(take(line, ' '));
  }
  return "";
}

Result<std::string> resctrl_mount() {
  const std::string text = TRY(sys::read_file("/proc/self/mountinfo"));
  std::string found = find_resctrl(text);
  if (found.empty()) return Error::of(Kind::unsupported, "Intel RDT is not enabled: no resctrl file system is mounted");
  return found;
}

Result<RdtGroup> make_rdt_group(const std::string& root, const RdtPlan& plan, const std::string& id) {
  RdtGroup group{.directory = root + "/" + (plan.group.empty() ? id : plan.group), .monitor = "", .made = false};
  auto filled = fill(root, plan, group);
  if (filled && plan.monitor) {
    const std::string monitor = group.directory + "/mon_groups/" + id;
    filled = sys::make_directory_at(AT_FDCWD, monitor, 0755);
    if (filled) group.monitor = monitor;
  }
  if (filled) return group;
  (void)remove_rdt_group(group);
  return std::move(filled).error();
}

Result<void> join_rdt_group(const RdtGroup& group, pid_t pid) {
  TRY(sys::write_once(group.directory + "/tasks", std::to_string(pid)));
  if (group.monitor.empty()) return ok();
  return sys::write_once(group.monitor + "/tasks", std::to_string(pid));
}

Result<void> update_rdt_group(const RdtGroup& group, const std::vector<std::string>& schema) {
  return write_schema(group.directory.substr(0, group.directory.rfind('/')), group.directory, schema);
}

Result<void> remove_rdt_group(const RdtGroup& group) {
  auto remove = [](const std::string& directory) -> Result<void> {
    auto removed = sys::remove_directory(directory);
    if (!removed && removed.error().is(ENOENT)) return ok();
    return removed;
  };
  if (!group.monitor.empty()) TRY(remove(group.monitor));
  return group.made ? remove(group.directory) : ok();
}

bool has_schema(std::string_view present, const std::vector<std::string>& wanted) {
  std::map<std::string, std::string> there;
  std::map<std::string, std::string> asked;
  while (!present.empty()) read_schema(take(present, '\n'), there);
  for (const std::string& line : wanted) read_schema(line, asked);
  return std::ranges::all_of(asked, [&](const auto& entry) {
    const auto found = there.find(entry.first);
    return found != there.end() && found->second == entry.second;
  });
}

std::string print(const RdtGroup& group) {
  if (group.directory.empty()) return "";
  return group.directory + "\n" + group.monitor + "\n" + (group.made ? "made" : "found");
}

RdtGroup parse_rdt_group(std::string_view text) {
  RdtGroup out;
  out.directory = take(text, '\n');
  out.monitor = take(text, '\n');
  out.made = text == "made";
  return out;
}

}  // namespace caisson::runtime

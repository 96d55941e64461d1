// Parses /proc/self/mountinfo and /proc/self/cgroup into a Layout.
// Layer: cgroup. Used by the runtime and nest through layout.h.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/cgroup/layout.h"

#include <algorithm>
#include <array>
#include <utility>

#include "caisson/sys/file.h"

namespace caisson::cgroup {
namespace {

// One line of mountinfo; the texts borrow from the file's text and are still escaped.
struct MountLine {
  std::string_view id, parent, root, mount_point, filesystem, options;
};

std::string_view next_word(std::string_view& rest) {
  while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
  const std::string_view word = rest.substr(0, rest.find(' '));
  rest.remove_prefix(word.size());
  return word;
}

template <class Use>
void for_each_line(std::string_view text, Use use) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    use(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

// "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw": optional fields end at a lone "-".
bool parse_line(std::string_view line, MountLine& out) {
  out.id = next_word(line);
  out.parent = next_word(line);
  next_word(line);  // device
  out.root = next_word(line);
  out.mount_point = next_word(line);
  std::string_view word = next_word(line);  // mount options
  while (!word.empty() && word != "-") word = next_word(line);
  out.filesystem = next_word(line);
  next_word(line);  // source
  out.options = next_word(line);
  return !out.filesystem.empty();
}

bool is_octal(char c) { return c >= '0' && c <= '7'; }

// mountinfo writes space, tab, newline and backslash as \ooo.
std::string unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && is_octal(text[i + 1]) && is_octal(text[i + 2]) &&
        is_octal(text[i + 3])) {
      out += static_cast<char>(((text[i + 1] - '0') << 6) | ((text[i + 2] - '0') << 3) | (text[i + 3] - '0'));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

// True when `path` is `above` or lies below it.
bool is_within(std::string_view path, std::string_view above) {
  if (above == "/") return path.starts_with('/');
  return path.starts_with(above) && (path.size() == above.size() || path[above.size()] == '/');
}

const MountLine* parent_of(const std::vector<MountLine>& mounts, const MountLine& mount) {
  for (const MountLine& other : mounts)
    if (other.id == mount.parent && &other != &mount) return &other;
  return nullptr;
}

// A mount is hidden when it, or one it stands on, is covered by a mount that is not on its own chain: one stacked on
// the same point, or a later one of the same parent on a directory above.
bool is_hidden(const std::vector<MountLine>& mounts, const MountLine& mount) {
  const MountLine* below = nullptr;  // the chain's element that stands on `at`
  const MountLine* at = &mount;
  for (int depth = 0; at != nullptr && depth < 64; ++depth) {
    for (const MountLine& other : mounts) {
      if (&other == at || &other == below) continue;
      if (other.parent == at->id && other.id != at->id && other.mount_point == at->mount_point) return true;
      if (other.parent == at->parent && other.mount_point != at->mount_point &&
          is_within(at->mount_point, other.mount_point) && other.mount_point != "/")
        return true;
    }
    below = at;
    at = parent_of(mounts, *at);
  }
  return false;
}

constexpr std::array<std::string_view, 12> known_controllers = {"cpu",     "cpuacct",  "cpuset",     "memory",
                                                                "devices", "freezer",  "net_cls",    "blkio",
                                                                "hugetlb", "net_prio", "perf_event", "pids"};

bool is_v1_controller(std::string_view option) {
  if (option.starts_with("name=")) return true;
  if (option == "rdma" || option == "misc" || option == "debug" || option == "dmem") return true;
  return std::find(known_controllers.begin(), known_controllers.end(), option) != known_controllers.end();
}

std::vector<std::string> v1_controllers(std::string_view options) {
  std::vector<std::string> out;
  while (!options.empty()) {
    const std::size_t end = std::min(options.find(','), options.size());
    const std::string_view option = options.substr(0, end);
    if (is_v1_controller(option)) out.push_back(unescape(option));
    options.remove_prefix(std::min(end + 1, options.size()));
  }
  return out;
}

// The third field of the line of /proc/self/cgroup that names this hierarchy: "4:memory:/path", "0::/path".
std::string own_cgroup(std::string_view proc_cgroup, const Hierarchy& hierarchy) {
  std::string own;
  for_each_line(proc_cgroup, [&](std::string_view line) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == line.npos ? line.npos : line.find(':', first + 1);
    if (second == line.npos || !own.empty()) return;
    std::string_view list = line.substr(first + 1, second - first - 1);
    const std::string_view path = line.substr(second + 1);
    if (hierarchy.version == Version::v2) {
      if (list.empty() && line.starts_with("0:")) own = path;
      return;
    }
    while (!list.empty()) {
      const std::size_t end = std::min(list.find(','), list.size());
      if (list.substr(0, end) == hierarchy.controllers.front()) own = path;
      list.remove_prefix(std::min(end + 1, list.size()));
    }
  });
  return own.starts_with('/') ? own : "/";
}

// How well a mount serves to reach our own cgroup; the greater wins.
int rank(const Hierarchy& mount) {
  int points = 0;
  if (is_within(mount.own, mount.mount_root)) points += 4;
  if (is_within(mount.mount_point, "/sys/fs/cgroup")) points += 2;
  if (mount.mount_root == "/") points += 1;
  return points;
}

}  // namespace

bool Hierarchy::has(std::string_view controller) const {
  return std::find(controllers.begin(), controllers.end(), controller) != controllers.end();
}

const Hierarchy* Layout::find(std::string_view controller) const {
  const Hierarchy* found = nullptr;
  for (const Hierarchy& hierarchy : hierarchies) {
    if (!hierarchy.has(controller)) continue;
    if (hierarchy.version == Version::v1) return &hierarchy;
    found = &hierarchy;
  }
  return found;
}

const Hierarchy* Layout::unified() const {
  for (const Hierarchy& hierarchy : hierarchies)
    if (hierarchy.version == Version::v2) return &hierarchy;
  return nullptr;
}

Mode Layout::mode() const {
  if (hierarchies.empty()) return Mode::none;
  const bool v2 = unified() != nullptr;
  const bool v1 = hierarchies.size() > (v2 ? 1U : 0U);
  if (v1 && v2) return Mode::hybrid;
  return v1 ? Mode::v1 : Mode::v2;
}

Layout parse_layout(std::string_view mountinfo, std::string_view proc_cgroup) {
  std::vector<MountLine> mounts;
  for_each_line(mountinfo, [&](std::string_view line) {
    MountLine mount;
    if (parse_line(line, mount)) mounts.push_back(mount);
  });
  Layout layout;
  for (const MountLine& mount : mounts) {
    const bool v2 = mount.filesystem == "cgroup2";
    if (!v2 && mount.filesystem != "cgroup") continue;
    Hierarchy found;
    found.version = v2 ? Version::v2 : Version::v1;
    if (!v2) found.controllers = v1_controllers(mount.options);
    if (!v2 && found.controllers.empty()) continue;
    if (is_hidden(mounts, mount)) continue;
    found.mount_point = unescape(mount.mount_point);
    found.mount_root = unescape(mount.root);
    if (!found.mount_point.starts_with('/') || !found.mount_root.starts_with('/')) continue;
    found.own = own_cgroup(proc_cgroup, found);
    const auto same = std::find_if(layout.hierarchies.begin(), layout.hierarchies.end(), [&](const Hierarchy& known) {
      return known.version == found.version && (v2 || known.has(found.controllers.front()));
    });
    if (same == layout.hierarchies.end()) {
      layout.hierarchies.push_back(std::move(found));
    } else if (rank(found) > rank(*same)) {
      *same = std::move(found);
    }
  }
  return layout;
}

std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  for (const char c : text) {
    if (c != ' ' && c != '\n' && c != '\t') {
      word += c;
    } else if (!word.empty()) {
      words.push_back(std::exchange(word, {}));
    }
  }
  if (!word.empty()) words.push_back(std::move(word));
  return words;
}

Result<Layout> load_layout() {
  const std::string mountinfo = TRY(sys::read_file("/proc/self/mountinfo"));
  const std::string proc_cgroup = TRY(sys::read_file("/proc/self/cgroup"));
  Layout layout = parse_layout(mountinfo, proc_cgroup);
  for (Hierarchy& hierarchy : layout.hierarchies) {
    if (hierarchy.version != Version::v2) continue;
    auto text = sys::read_start_at(AT_FDCWD, hierarchy.mount_point + "/cgroup.controllers");
    if (text) hierarchy.controllers = split_words(*text);
    // Without the file the mount has no controllers for us: who needs one is told so.
    else if (!text.error().is(ENOENT) && !text.error().is(EACCES))
      return std::move(text).error();
  }
  return layout;
}

}  // namespace caisson::cgroup

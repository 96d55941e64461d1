// Draws the tree: a line a container, then a line a process, then the containers inside.
// Layer: tree (pure). Declared in print.h.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "caisson/tree/print.h"

namespace caisson::tree {
namespace {

struct Marks {
  std::string_view branch;
  std::string_view last;
  std::string_view down;
  std::string_view blank;
  std::string_view cut;
};
constexpr Marks utf8 = {"├─ ", "└─ ", "│  ", "   ", "…"};
constexpr Marks ascii = {"|- ", "`- ", "|  ", "   ", "~"};

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }

std::size_t columns_of(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return !continues(c); }));
}

std::string count_of(std::size_t number) { return std::to_string(number) + (number == 1 ? " process" : " processes"); }

class Drawer {
 public:
  Drawer(const Facts& facts, const Look& look)
      : facts_(facts), look_(look), marks_(look.lines == Lines::utf8 ? utf8 : ascii) {}

  std::string run(const Container& root) {
    line("", (facts_.is_host ? "host " : "here: ") + root.host_name + ", " + count_of(root.processes.size()) +
                 " in no container" + (facts_.is_host ? "" : " below"));
    inside(root, "");
    return std::move(out_);
  }

 private:
  void line(std::string_view before, const std::string& text) {
    std::string whole = std::string(before) + text;
    if (columns_of(whole) > look_.width) {
      std::size_t at = 0;
      for (std::size_t columns = 0; columns < look_.width && at < whole.size(); ++at)
        if (at + 1 == whole.size() || !continues(whole[at + 1])) ++columns;
      while (at > 0 && (continues(whole[at - 1]))) --at;  // the last character goes, whole
      whole.resize(at > 0 ? at - 1 : 0);
      whole += marks_.cut;
    }
    out_ += whole + "\n";
  }

  // Every process with its numbers in columns.
  void inside(const Container& container, const std::string& before) {
    const bool with_processes = container.shown && (container.level > 0 || look_.outermost);
    std::size_t pid_width = 0;
    std::size_t uid_width = 0;
    std::vector<std::pair<std::string, std::string>> numbers;
    if (with_processes) {
      for (const Process* process : container.processes) {
        numbers.emplace_back(print_pids(*process), print_uids(*process, facts_));
        pid_width = std::max(pid_width, numbers.back().first.size());
        uid_width = std::max(uid_width, numbers.back().second.size());
      }
    }
    const std::size_t total = numbers.size() + container.containers.size();
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      auto [pids, uids] = numbers[i];
      pids.resize(pid_width, ' ');
      uids.resize(uid_width, ' ');
      line(before + std::string(i + 1 == total ? marks_.last : marks_.branch),
           pids + "  " + uids + "  " + print_command(*container.processes[i]));
    }
    for (std::size_t i = 0; i < container.containers.size(); ++i) {
      const bool last = i + 1 == container.containers.size();
      line(before + std::string(last ? marks_.last : marks_.branch), header(container.containers[i]));
      inside(container.containers[i], before + std::string(last ? marks_.blank : marks_.down));
    }
  }

  static std::string header(const Container& container) {
    std::string out = "[" + std::to_string(container.level) + "] " + title_of(container);
    out += ": " + (container.runtime.empty() ? std::string("unknown runtime") : container.runtime);
    if (!container.profile.empty()) out += ", " + container.profile;
    out += ", " + count_of(container.processes.size());
    if (container.init != nullptr) out += ", init " + print_command(*container.init);
    return out;
  }

  const Facts& facts_;
  const Look& look_;
  const Marks& marks_;
  std::string out_;
};

template <class Numbers, class Print>
std::string joined(const Numbers& numbers, Print print) {
  std::string out;
  for (const auto& number : numbers) out += (out.empty() ? "" : "/") + print(number);
  return out;
}

}  // namespace

std::string print_pids(const Process& process) {
  return joined(process.pids, [](pid_t pid) { return std::to_string(pid); });
}

std::string print_uids(const Process& process, const Facts& facts) {
  return joined(uids_of(process, facts),
                [](const std::optional<uid_t>& uid) { return uid ? std::to_string(*uid) : std::string("?"); });
}

std::string print_command(const Process& process) {
  std::string out;
  for (const std::string& word : process.command) out += (out.empty() ? "" : " ") + word;
  if (process.command.empty()) out = "[" + process.name + "]";
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  return out;
}

std::vector<std::string> limits_of(const Forest& forest, const Facts& facts, const Look& look) {
  std::vector<std::string> out;
  if (facts.hides_others && !look.privileged) out.emplace_back("this /proc shows your own processes only (hidepid)");
  if (forest.guessed > 0)
    out.push_back("the namespaces of " + count_of(forest.guessed) +
                  " are not yours to see: placed by parent and cgroup" + (look.privileged ? "" : "; root sees all"));
  return out;
}

std::string print_text(const Forest& forest, const Facts& facts, const Look& look) {
  return Drawer(facts, look).run(forest.root);
}

}  // namespace caisson::tree

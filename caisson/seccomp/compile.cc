#include "caisson/seccomp/compile.h"

#include <linux/seccomp.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <map>
#include <span>

#include "caisson/seccomp/assembler.h"
#include "caisson/seccomp/rule.h"
#include "caisson/seccomp/syscall_table.h"

namespace caisson::seccomp {
namespace {

static_assert(std::endian::native == std::endian::little, "the halves of an argument are loaded by their place");

using Label = Assembler::Label;

constexpr std::uint32_t x32_first = 0x40000000;  // __X32_SYSCALL_BIT of <asm/unistd.h>
constexpr std::uint32_t no_call = 0xffffffff;    // -1: a tracer has skipped the call

// One rule as it applies to one system call number.
struct Applied {
  const Rule* rule;
  bool selected;  // only when the first argument is `selector`: the call came through socketcall or ipc
  std::uint32_t selector;
};

// What happens from one number on, up to the next range's: one action, or rules to be asked in order.
struct Range {
  std::uint32_t first;
  std::uint32_t action;
  std::span<const Applied> asked;  // non-empty: these decide, and `action` when none matches
  Width width = Width::wide;
};

using Calls = std::map<std::uint32_t, std::vector<Applied>>;

struct Profile {
  std::uint32_t default_action = 0;
  std::vector<std::vector<Rule>> rules;  // beside oci::Seccomp::syscalls
  std::vector<const Abi*> abis;
};

// One ABI's calls by number, and the newest that the profile mentions.
struct Table {
  const Abi* abi = nullptr;
  Calls calls;
  std::uint32_t newest = 0;
};

void add(std::vector<Applied>& to, const std::vector<Rule>& rules, std::uint32_t default_action,
         const Entry* selected) {
  for (const Rule& rule : rules) {
    if (rule.action == default_action) continue;
    // Behind a multiplexer the arguments are in memory, where no filter can look.
    if (selected != nullptr && !rule.conditions.empty()) continue;
    to.push_back({&rule, selected != nullptr, selected != nullptr ? selected->selector : 0});
  }
}

Table table_of(const Abi& abi, const oci::Seccomp& source, const Profile& profile) {
  Table out;
  out.abi = &abi;
  for (std::size_t i = 0; i < source.syscalls.size(); ++i) {
    for (const std::string& name : source.syscalls[i].names) {
      const std::optional<Entry> entry = find_call(abi, name);
      if (!entry) continue;
      if (entry->number >= 0) {
        const auto number = static_cast<std::uint32_t>(entry->number);
        out.newest = std::max(out.newest, number);
        add(out.calls[number], profile.rules[i], profile.default_action, nullptr);
      }
      if (entry->multiplexer >= 0) {
        const auto number = static_cast<std::uint32_t>(entry->multiplexer);
        add(out.calls[number], profile.rules[i], profile.default_action, &*entry);
      }
    }
  }
  return out;
}

bool lets_through(std::uint32_t action) {
  const std::uint32_t kind = action & SECCOMP_RET_ACTION_FULL;
  return kind == SECCOMP_RET_ALLOW || kind == SECCOMP_RET_LOG || kind == SECCOMP_RET_TRACE;
}

// Appends what one ABI does with the numbers from `first` on.
void append_ranges(std::vector<Range>& out, std::uint32_t first, const Table& table, std::uint32_t default_action) {
  auto append = [&out](Range range) {
    if (!out.empty() && out.back().first == range.first) out.pop_back();
    const bool same =
        !out.empty() && out.back().asked.empty() && range.asked.empty() && out.back().action == range.action;
    if (!same) out.push_back(range);
  };
  append({first, default_action, {}});
  for (const auto& [number, applied] : table.calls) {
    if (applied.empty()) continue;
    const auto plain =
        std::ranges::find_if(applied, [](const Applied& a) { return !a.selected && a.rule->conditions.empty(); });
    if (plain != applied.end())
      append({number, plain->rule->action, {}});
    else
      append({number, default_action, applied, table.abi->width});
    append({number + 1, default_action, {}});
  }
  // A number above the newest is a call the profile's author did not know: "no such call" makes libc take an older
  // one, where "not permitted" would fail the program. source: runc, libcontainer/seccomp/patchbpf
  if (table.newest != 0 && !lets_through(default_action)) append({table.newest + 1, SECCOMP_RET_ERRNO | ENOSYS, {}});
}

class Generator {
 public:
  // Binary search for the range that the number in the accumulator is in.
  Label search(std::span<const Range> ranges) {
    if (ranges.size() == 1) return decide(ranges.front());
    const std::size_t half = ranges.size() / 2;
    const Label above = search(ranges.subspan(half));
    const Label below = search(ranges.first(half));
    return out_.branch(BPF_JGE, ranges[half].first, above, below);
  }

  Assembler& assembler() { return out_; }

 private:
  Label decide(const Range& range) {
    if (range.asked.empty()) return out_.ret(range.action);
    Label next = out_.ret(range.action);
    for (auto rule = range.asked.rbegin(); rule != range.asked.rend(); ++rule) {
      Label yes = out_.ret(rule->rule->action);
      for (auto c = rule->rule->conditions.rbegin(); c != rule->rule->conditions.rend(); ++c)
        yes = test(*c, range.width, yes, next);
      if (rule->selected) yes = equal(Condition{.value = rule->selector}, Width::narrow, yes, next);
      next = yes;
    }
    return next;
  }

  Label test(const Condition& c, Width width, Label yes, Label no) {
    switch (c.op) {
      case Operator::eq:
        return equal(c, width, yes, no);
      case Operator::ne:
        return equal(c, width, no, yes);
      case Operator::gt:
        return greater(c, width, BPF_JGT, yes, no);
      case Operator::ge:
        return greater(c, width, BPF_JGE, yes, no);
      case Operator::le:
        return greater(c, width, BPF_JGT, no, yes);
      case Operator::lt:
        return greater(c, width, BPF_JGE, no, yes);
      case Operator::masked_eq:
        return equal_masked(c, width, yes, no);
    }
    return no;
  }

  static std::uint32_t low(std::uint64_t value) { return static_cast<std::uint32_t>(value); }
  static std::uint32_t high(std::uint64_t value) { return static_cast<std::uint32_t>(value >> 32); }
  static std::uint32_t low_of(const Condition& c) {
    return static_cast<std::uint32_t>(offsetof(seccomp_data, args) + c.index * sizeof(std::uint64_t));
  }
  static std::uint32_t high_of(const Condition& c) { return low_of(c) + 4; }

  Label equal(const Condition& c, Width width, Label yes, Label no) {
    const Label lower = out_.load(low_of(c), out_.branch(BPF_JEQ, low(c.value), yes, no));
    if (width == Width::narrow) return lower;
    return out_.load(high_of(c), out_.branch(BPF_JEQ, high(c.value), lower, no));
  }

  Label equal_masked(const Condition& c, Width width, Label yes, Label no) {
    Label lower = out_.then(BPF_ALU | BPF_AND | BPF_K, low(c.mask), out_.branch(BPF_JEQ, low(c.value), yes, no));
    lower = out_.load(low_of(c), lower);
    if (width == Width::narrow || high(c.mask) == 0) return lower;
    const Label upper =
        out_.then(BPF_ALU | BPF_AND | BPF_K, high(c.mask), out_.branch(BPF_JEQ, high(c.value), lower, no));
    return out_.load(high_of(c), upper);
  }

  Label greater(const Condition& c, Width width, std::uint16_t operation, Label yes, Label no) {
    const Label lower = out_.load(low_of(c), out_.branch(operation, low(c.value), yes, no));
    if (width == Width::narrow) return lower;
    const Label same = out_.branch(BPF_JEQ, high(c.value), lower, no);
    return out_.load(high_of(c), out_.branch(BPF_JGT, high(c.value), yes, same));
  }

  Assembler out_;
};

std::vector<sock_filter> generate(const oci::Seccomp& source, const Profile& profile) {
  Generator generator;
  Assembler& out = generator.assembler();
  std::vector<Table> tables;
  tables.reserve(profile.abis.size());
  for (const Abi* abi : profile.abis) tables.push_back(table_of(*abi, source, profile));

  Label entry = out.ret(SECCOMP_RET_KILL_THREAD);  // an architecture that is not in the profile
  std::vector<std::uint32_t> done;
  for (const Table& table : tables) {
    const std::uint32_t audit = table.abi->audit;
    if (std::ranges::find(done, audit) != done.end()) continue;
    done.push_back(audit);
    std::vector<Range> ranges;
    append_ranges(ranges, 0, table, profile.default_action);
    const auto x32 =
        std::ranges::find_if(tables, [&](const Table& t) { return t.abi->audit == audit && &t != &table; });
    if (x32 != tables.end()) {
      append_ranges(ranges, x32_first, *x32, profile.default_action);
    } else if (table.abi->width == Width::wide && machine_abis().size() == 3) {
      ranges.push_back({x32_first, SECCOMP_RET_KILL_THREAD, {}});
      ranges.push_back({no_call, profile.default_action, {}});
    }
    const Label section = out.load(offsetof(seccomp_data, nr), generator.search(ranges));
    entry = out.branch(BPF_JEQ, audit, section, entry);
  }
  out.load(offsetof(seccomp_data, arch), entry);
  return out.finish();
}

Result<std::vector<const Abi*>> abis_of(const oci::Seccomp& source) {
  std::vector<const Abi*> out{&machine_abis().front()};
  for (const std::string& name : source.architectures) {
    if (!is_architecture(name)) return Error::of(Kind::invalid, "string " + name + " is not a valid arch for seccomp");
    const auto found = std::ranges::find(machine_abis(), name, &Abi::name);
    if (found == machine_abis().end()) continue;  // another machine's: no call can come from it
    if (std::ranges::find(out, &*found) == out.end()) out.push_back(&*found);
  }
  return out;
}

Result<unsigned> flags_of(const oci::Seccomp& source, bool notify) {
  unsigned out = notify ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0;
  for (const std::string& name : source.flags) {
    if (name == "SECCOMP_FILTER_FLAG_TSYNC")
      // The kernel refuses TSYNC with a listener unless both say how to report. source: seccomp(2)
      out |= notify ? SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH : SECCOMP_FILTER_FLAG_TSYNC;
    else if (name == "SECCOMP_FILTER_FLAG_LOG")
      out |= SECCOMP_FILTER_FLAG_LOG;
    else if (name == "SECCOMP_FILTER_FLAG_SPEC_ALLOW")
      out |= SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    else if (name == "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV")
      out |= notify ? SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV : 0;  // without a listener it means nothing: EINVAL
    else
      return Error::of(Kind::invalid, "seccomp flag " + name + " is not known");
  }
  return out;
}

// The child writes the listener's number to its parent after the filter is there: that write must get through.
Result<bool> uses_notify(const oci::Seccomp& source, std::uint32_t default_action) {
  if (default_action == SECCOMP_RET_USER_NOTIF)
    return Error::of(Kind::invalid, "SCMP_ACT_NOTIFY cannot be used as default action");
  bool out = false;
  for (const oci::SyscallRule& rule : source.syscalls) {
    if (rule.action != "SCMP_ACT_NOTIFY") continue;
    out = true;
    if (std::ranges::find(rule.names, "write") != rule.names.end())
      return Error::of(Kind::invalid, "SCMP_ACT_NOTIFY cannot be used for the write syscall");
  }
  if (out && source.listener_path.empty()) return Error::of(Kind::invalid, "seccomp listenerPath is not set");
  return out;
}

}  // namespace

Result<Program> compile(const oci::Seccomp& source) {
  Profile profile;
  profile.default_action = TRY(action_value(source.default_action, source.default_errno_ret).during("defaultAction"));
  for (std::size_t i = 0; i < source.syscalls.size(); ++i) {
    auto rules = TRY(rules_of(source.syscalls[i]).during("syscalls[" + std::to_string(i) + "]"));
    profile.rules.push_back(std::move(rules));
  }
  profile.abis = TRY(abis_of(source).during("architectures"));

  Program out;
  out.notify = TRY(uses_notify(source, profile.default_action));
  out.flags = TRY(flags_of(source, out.notify).during("flags"));
  out.filter = generate(source, profile);
  if (out.filter.size() > BPF_MAXINSNS)
    return Error::of(Kind::invalid, "needs " + std::to_string(out.filter.size()) + " instructions, the kernel takes " +
                                        std::to_string(BPF_MAXINSNS));
  return out;
}

}  // namespace caisson::seccomp

#include "caisson/cgroup/devices.h"

#include <fcntl.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "caisson/cgroup/files.h"
#include "caisson/sys/bpf.h"
#include "caisson/sys/file.h"

namespace caisson::cgroup {
namespace {

constexpr std::int64_t any = -1;
constexpr unsigned all_access = BPF_DEVCG_ACC_MKNOD | BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE;

// One checked rule.
struct Rule {
  bool allow = false;
  char type = 'a';  // 'a', 'b', 'c'
  std::int64_t major = any;
  std::int64_t minor = any;
  unsigned access = 0;  // BPF_DEVCG_ACC_*

  bool is_everything() const { return type == 'a' && major == any && minor == any && access == all_access; }
};

std::string number(std::int64_t value) { return value == any ? "*" : std::to_string(value); }

std::string text_of(const Rule& rule) {
  std::string out = std::string(1, rule.type) + " " + number(rule.major) + ":" + number(rule.minor) + " ";
  if (rule.access & BPF_DEVCG_ACC_READ) out += 'r';
  if (rule.access & BPF_DEVCG_ACC_WRITE) out += 'w';
  if (rule.access & BPF_DEVCG_ACC_MKNOD) out += 'm';
  return out;
}

Result<std::int64_t> check_number(const std::optional<std::int64_t>& value, const char* field) {
  if (!value || *value == any) return any;
  // dev_t has 12 and 20 bits; the program compares with a 32-bit immediate.
  if (*value < 0 || *value > INT32_MAX)
    return Error::of(Kind::invalid, std::string("devices: ") + field + ": invalid number " + std::to_string(*value));
  return *value;
}

Result<Rule> check_rule(const oci::DeviceRule& from) {
  Rule rule;
  rule.allow = from.allow;
  const std::string type = from.type.empty() ? "a" : from.type == "u" ? "c" : from.type;
  if (type != "a" && type != "b" && type != "c")
    return Error::of(Kind::invalid, "devices: type: invalid device type \"" + from.type + "\"");
  rule.type = type[0];
  rule.major = TRY(check_number(from.major, "major"));
  rule.minor = TRY(check_number(from.minor, "minor"));
  for (const char c : from.access.empty() ? std::string("rwm") : from.access) {
    if (c == 'r')
      rule.access |= BPF_DEVCG_ACC_READ;
    else if (c == 'w')
      rule.access |= BPF_DEVCG_ACC_WRITE;
    else if (c == 'm')
      rule.access |= BPF_DEVCG_ACC_MKNOD;
    else
      return Error::of(Kind::invalid, "devices: access: invalid \"" + from.access + "\"");
  }
  return rule;
}

// Follows what security/device_cgroup.c makes of the lines, to find those that it would ignore.
class V1State {
 public:
  Result<void> add(const Rule& rule) {
    if (rule.is_everything()) {
      allows_ = rule.allow;
      exceptions_.clear();
      return ok();
    }
    if (rule.allow != allows_) {
      exceptions_[key(rule)] |= rule.access;
      return ok();
    }
    // The kernel removes from the exception with the same numbers only.
    for (const auto& [exception, access] : exceptions_) {
      const auto& [type, major, minor] = exception;
      const bool overlaps = type == rule.type && (access & rule.access) != 0 &&
                            (major == any || rule.major == any || major == rule.major) &&
                            (minor == any || rule.minor == any || minor == rule.minor);
      if (!overlaps || exception == key(rule)) continue;
      return Error::of(Kind::invalid, "devices: requested rule [" + text_of(rule) +
                                          "] not supported by devices cgroupv1 (cannot punch hole in existing rule [" +
                                          text_of({!allows_, type, major, minor, access}) + "])");
    }
    if (auto found = exceptions_.find(key(rule)); found != exceptions_.end()) found->second &= ~rule.access;
    return ok();
  }

 private:
  using Key = std::tuple<char, std::int64_t, std::int64_t>;
  static Key key(const Rule& rule) { return {rule.type, rule.major, rule.minor}; }

  bool allows_ = true;  // as the root cgroup, which everybody inherits from
  std::map<Key, unsigned> exceptions_;
};

// ---- the program. Registers: r2 type, r3 access bits not decided yet, r4 major, r5 minor.

bpf_insn instruction(int code, int destination, int source, int offset, std::int32_t immediate) {
  bpf_insn out{};
  out.code = static_cast<__u8>(code);
  out.dst_reg = static_cast<__u8>(destination & 15);
  out.src_reg = static_cast<__u8>(source & 15);
  out.off = static_cast<__s16>(offset);
  out.imm = immediate;
  return out;
}

bpf_insn load_word(int destination, int offset) {
  return instruction(BPF_LDX | BPF_MEM | BPF_W, destination, BPF_REG_1, offset, 0);
}
bpf_insn alu(int operation, int destination, std::int32_t immediate) {
  return instruction(BPF_ALU | BPF_K | operation, destination, 0, 0, immediate);
}
bpf_insn copy(int destination, int source) { return instruction(BPF_ALU | BPF_X | BPF_MOV, destination, source, 0, 0); }
bpf_insn jump(int condition, int reg, std::int32_t immediate, int offset) {
  return instruction(BPF_JMP | BPF_K | condition, reg, 0, offset, immediate);
}

void append_return(std::vector<bpf_insn>& out, bool allow) {
  out.push_back(alu(BPF_MOV, BPF_REG_0, allow ? 1 : 0));
  out.push_back(instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
}

void append_rule(std::vector<bpf_insn>& out, const Rule& rule) {
  std::vector<bpf_insn> body;
  std::vector<std::size_t> to_next;  // jumps whose target is the end of the body
  auto skip_unless = [&](int reg, std::int64_t value) {
    to_next.push_back(body.size());
    body.push_back(jump(BPF_JNE, reg, static_cast<std::int32_t>(value), 0));
  };
  if (rule.type != 'a') skip_unless(BPF_REG_2, rule.type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
  if (rule.major != any) skip_unless(BPF_REG_4, rule.major);
  if (rule.minor != any) skip_unless(BPF_REG_5, rule.minor);
  if (rule.allow) {  // these bits are decided; anything left is for the earlier rules
    body.push_back(alu(BPF_AND, BPF_REG_3, static_cast<std::int32_t>(all_access & ~rule.access)));
    to_next.push_back(body.size());
    body.push_back(jump(BPF_JNE, BPF_REG_3, 0, 0));
  } else {
    body.push_back(copy(BPF_REG_1, BPF_REG_3));
    body.push_back(alu(BPF_AND, BPF_REG_1, static_cast<std::int32_t>(rule.access)));
    to_next.push_back(body.size());
    body.push_back(jump(BPF_JEQ, BPF_REG_1, 0, 0));
  }
  append_return(body, rule.allow);
  for (const std::size_t at : to_next) body[at].off = static_cast<__s16>(body.size() - at - 1);
  out.insert(out.end(), body.begin(), body.end());
}

// ---- applying

// True unless we are in the initial user namespace: its map is the identity on all ids.
bool in_user_namespace() {
  auto text = sys::read_file("/proc/self/uid_map");
  if (!text) return false;
  std::string_view rest = *text;
  std::string_view line = take_line(rest);
  const bool whole = take_word(line) == "0" && take_word(line) == "0" && take_word(line) == "4294967295";
  return !whole;
}

Result<void> write_lines(const std::vector<DeviceLine>& lines, const std::string& directory) {
  sys::UniqueFd allow;
  sys::UniqueFd deny;
  for (const DeviceLine& line : lines) {
    sys::UniqueFd& file = line.allow ? allow : deny;
    const std::string path = directory + (line.allow ? "/devices.allow" : "/devices.deny");
    if (!file) {
      file = TRY(sys::open_file(path, O_WRONLY));
    }
    TRY(sys::write_all(file.get(), line.text).during("write \"" + line.text + "\" to: " + path));
  }
  return ok();
}

Result<void> attach(const std::vector<bpf_insn>& program, const std::string& directory, Attached attached) {
  sys::UniqueFd group = TRY(sys::open_file(directory, O_RDONLY | O_DIRECTORY));
  sys::UniqueFd loaded = TRY(sys::load_device_program(program));
  std::vector<std::uint32_t> old;
  if (attached == Attached::maybe) {
    old = TRY(sys::attached_device_programs(group.get()));
  }
  if (old.size() == 1) {
    sys::UniqueFd replaced = TRY(sys::bpf_program_by_id(old.front()));
    auto swapped = sys::attach_device_program(group.get(), loaded.get(), replaced.get());
    if (swapped || !swapped.error().is(EINVAL)) return swapped;  // EINVAL: before 5.6, or attached in another mode
  }
  // The new one first: in between both must allow.
  TRY(sys::attach_device_program(group.get(), loaded.get()));
  for (const std::uint32_t id : old) {
    sys::UniqueFd gone = TRY(sys::bpf_program_by_id(id));
    TRY(sys::detach_device_program(group.get(), gone.get()));
  }
  return ok();
}

}  // namespace

Result<std::vector<DeviceLine>> plan_device_lines(const std::vector<oci::DeviceRule>& rules) {
  std::vector<DeviceLine> lines;
  V1State state;
  for (const oci::DeviceRule& from : rules) {
    Rule rule = TRY(check_rule(from));
    const bool both = rule.type == 'a' && !rule.is_everything();
    for (const char type : both ? std::string("bc") : std::string(1, rule.type)) {
      rule.type = type;
      TRY(state.add(rule));
      DeviceLine line{rule.allow, text_of(rule)};
      const bool again = !lines.empty() && lines.back() == line;  // "deny all", by the runtime and by the config
      if (!again) lines.push_back(std::move(line));
    }
  }
  return lines;
}

Result<std::vector<bpf_insn>> plan_device_program(const std::vector<oci::DeviceRule>& rules) {
  std::vector<bpf_insn> out = {
      load_word(BPF_REG_2, 0),         copy(BPF_REG_3, BPF_REG_2), alu(BPF_RSH, BPF_REG_3, 16),
      alu(BPF_AND, BPF_REG_2, 0xffff), load_word(BPF_REG_4, 4),    load_word(BPF_REG_5, 8),
  };
  std::vector<Rule> checked;
  for (const oci::DeviceRule& from : rules) {
    const Rule rule = TRY(check_rule(from));
    if (rule.is_everything()) checked.clear();
    checked.push_back(rule);
  }
  for (auto rule = checked.rbegin(); rule != checked.rend(); ++rule) {
    if (!rule->is_everything()) {
      append_rule(out, *rule);
      continue;
    }
    append_return(out, rule->allow);
    return out;
  }
  append_return(out, false);
  return out;
}

Result<void> apply_device_rules(const std::vector<oci::DeviceRule>& rules, const Placement& placement,
                                Attached attached) {
  if (rules.empty()) return ok();
  const Directory* v1 = placement.find("devices");
  Result<void> done = ok();
  if (v1 != nullptr) {
    const std::vector<DeviceLine> lines = TRY(plan_device_lines(rules));
    done = write_lines(lines, v1->absolute());
  } else if (const Directory* v2 = placement.unified(); v2 != nullptr) {
    const std::vector<bpf_insn> program = TRY(plan_device_program(rules));
    done = attach(program, v2->absolute(), attached).during("device rules of " + v2->absolute());
  } else {
    return Error::of(Kind::unsupported, "cannot set devices: cgroup controller devices is not mounted");
  }
  if (!done && done.error().is(EPERM) && in_user_namespace()) return ok();
  return done;
}

}  // namespace caisson::cgroup

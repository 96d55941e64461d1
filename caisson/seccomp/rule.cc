#include "caisson/seccomp/rule.h"

#include <linux/seccomp.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace caisson::seccomp {
namespace {

constexpr std::uint32_t largest_errno = 4095;  // the kernel caps what is above. source: seccomp(2), SECCOMP_RET_ERRNO

enum class Data : unsigned char { none, error, trace };

struct Action {
  std::string_view name;
  std::uint32_t value;
  Data data;
  std::string_view text;
};

// The first name of a value is the one that action_text gives.
constexpr Action actions[] = {
    {"SCMP_ACT_KILL_THREAD", SECCOMP_RET_KILL_THREAD, Data::none, "kill-thread"},
    {"SCMP_ACT_KILL", SECCOMP_RET_KILL_THREAD, Data::none, "kill-thread"},
    {"SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS, Data::none, "kill-process"},
    {"SCMP_ACT_TRAP", SECCOMP_RET_TRAP, Data::none, "trap"},
    {"SCMP_ACT_ERRNO", SECCOMP_RET_ERRNO, Data::error, "errno"},
    {"SCMP_ACT_TRACE", SECCOMP_RET_TRACE, Data::trace, "trace"},
    {"SCMP_ACT_ALLOW", SECCOMP_RET_ALLOW, Data::none, "allow"},
    {"SCMP_ACT_LOG", SECCOMP_RET_LOG, Data::none, "log"},
    {"SCMP_ACT_NOTIFY", SECCOMP_RET_USER_NOTIF, Data::none, "notify"},
};

struct Comparison {
  std::string_view name;
  Operator op;
};

constexpr Comparison comparisons[] = {
    {"SCMP_CMP_NE", Operator::ne},
    {"SCMP_CMP_LT", Operator::lt},
    {"SCMP_CMP_LE", Operator::le},
    {"SCMP_CMP_EQ", Operator::eq},
    {"SCMP_CMP_GE", Operator::ge},
    {"SCMP_CMP_GT", Operator::gt},
    {"SCMP_CMP_MASKED_EQ", Operator::masked_eq},
};

Result<Condition> condition_of(const oci::SyscallArg& source) {
  const auto* found = std::ranges::find(comparisons, source.op, &Comparison::name);
  if (found == std::end(comparisons))
    return Error::of(Kind::invalid, "string " + source.op + " is not a valid operator for seccomp");
  if (source.index > 5)
    return Error::of(Kind::invalid,
                     "a system call has six arguments, there is no index " + std::to_string(source.index));
  if (found->op == Operator::masked_eq)
    return Condition{source.index, found->op, source.value_two & source.value, source.value};
  return Condition{source.index, found->op, source.value};
}

}  // namespace

Result<std::uint32_t> action_value(const std::string& action, std::optional<std::uint32_t> errno_ret) {
  const auto* found = std::ranges::find(actions, action, &Action::name);
  if (found == std::end(actions))
    return Error::of(Kind::invalid, "string " + action + " is not a valid action for seccomp");
  if (found->data == Data::none) {
    // runtime-spec: "When the action doesn't support an errno, the runtime MUST print an error and fail."
    if (errno_ret) return Error::of(Kind::invalid, "errnoRet has no meaning for " + action);
    return found->value;
  }
  const std::uint32_t limit = found->data == Data::error ? largest_errno : SECCOMP_RET_DATA;
  const std::uint32_t data = errno_ret.value_or(EPERM);
  if (data > limit)
    return Error::of(Kind::invalid, "errnoRet " + std::to_string(data) + " is above " + std::to_string(limit));
  return found->value | data;
}

std::string action_text(std::uint32_t action) {
  const auto* found = std::ranges::find(actions, action & SECCOMP_RET_ACTION_FULL, &Action::value);
  if (found == std::end(actions)) return std::to_string(action);
  std::string out(found->text);
  if (found->data != Data::none) out += "(" + std::to_string(action & SECCOMP_RET_DATA) + ")";
  return out;
}

Result<std::vector<Rule>> rules_of(const oci::SyscallRule& source) {
  Rule whole;
  whole.action = TRY(action_value(source.action, source.errno_ret));
  std::array<unsigned, 6> uses{};
  for (const oci::SyscallArg& arg : source.args) {
    const Condition condition = TRY(condition_of(arg));
    whole.conditions.push_back(condition);
    ++uses[arg.index];
  }
  std::vector<Rule> out;
  if (std::ranges::none_of(uses, [](unsigned n) { return n > 1; })) {
    out.push_back(std::move(whole));
    return out;
  }
  for (const Condition& condition : whole.conditions) out.push_back({whole.action, {condition}});
  return out;
}

}  // namespace caisson::seccomp

// Rules of this file, checked by tools/check_child_stage.py on its object code:
//   system calls only; no allocation, no locks, no exceptions, no logging;
//   no function from any other translation unit, ours or libc's, outside the allow-list;
//   every failure is reported and ends the process.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/runtime/child_stage.h"

#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#include "caisson/sys/raw.h"

namespace caisson::runtime {
namespace {

namespace raw = sys::raw;

// A line that is put together without the library.
struct Line {
  char text[512];
  unsigned length;
};

void add(Line& line, const char* text) noexcept {
  for (; *text != '\0' && line.length < sizeof line.text; ++text) line.text[line.length++] = *text;
}

// A filter that forbids even this must not leave a process that spins.
[[noreturn]] void end(int status) noexcept {
  raw::call(SYS_exit_group, status);
  __builtin_trap();
}

// As Go writes them, and engines look for them: "permission denied".
void add_lower(Line& line, const char* text) noexcept {
  for (; *text != '\0' && line.length < sizeof line.text; ++text)
    line.text[line.length++] = static_cast<char>(*text >= 'A' && *text <= 'Z' ? *text + 32 : *text);
}

void add_number(Line& line, unsigned number) noexcept {
  char digits[12];
  unsigned count = 0;
  do digits[count++] = static_cast<char>('0' + number % 10);
  while ((number /= 10) != 0);
  while (count > 0 && line.length < sizeof line.text) line.text[line.length++] = digits[--count];
}

[[noreturn]] void fail(const ChildPlan& plan, const char* step, long result) noexcept {
  const unsigned error = static_cast<unsigned>(-result);
  Line line;
  line.length = 0;
  if (plan.report_fd >= 0) {
    add(line, "e");
    add_number(line, error);
    add(line, " ");
  }
  add(line, step);
  add(line, ": ");
  if (error < plan.error_count) add_lower(line, plan.errors[error]);
  if (plan.report_fd < 0) add(line, "\n");
  raw::call_retrying(SYS_write, plan.report_fd >= 0 ? plan.report_fd : 2, line.text, line.length);
  end(plan.report_fd >= 0 ? 1 : 127);
}

void must(const ChildPlan& plan, const char* step, long result) noexcept {
  if (result < 0) fail(plan, step, result);
}

void set_capabilities(const ChildPlan& plan, const CapabilitySet& set) noexcept {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct data[2] = {{set.effective_low, set.permitted_low, set.inheritable_low},
                                          {set.effective_high, set.permitted_high, set.inheritable_high}};
  must(plan, "set capabilities", raw::call(SYS_capset, &header, data));
}

void load_filter(const ChildPlan& plan) noexcept {
  if (plan.filter == nullptr) return;
  must(plan, "load the seccomp filter",
       raw::call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, plan.filter_flags, plan.filter));
}

void wait_for_start(const ChildPlan& plan) noexcept {
  if (plan.start_fd < 0) return;
  char byte = 0;
  const long n = raw::call_retrying(SYS_read, plan.start_fd, &byte, 1UL);
  if (n == 0) end(1);  // whoever was to start it is gone
  must(plan, "wait for start", n);
}

}  // namespace

void run_child(const ChildPlan& plan) noexcept {
  wait_for_start(plan);
  if (plan.filter_first) {
    set_capabilities(plan, plan.before);
    load_filter(plan);
  }
  set_capabilities(plan, plan.after);
  for (unsigned i = 0; i < 64; ++i)
    if ((plan.ambient >> i & 1) != 0)
      must(plan, "raise ambient capabilities", raw::call(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0UL, 0UL));
  if (!plan.filter_first) load_filter(plan);
  const long r = raw::call(SYS_execve, plan.path, plan.argv, plan.envp);
  Line step;
  step.length = 0;
  add(step, "exec ");
  add(step, plan.path);
  step.text[step.length < sizeof step.text ? step.length : sizeof step.text - 1] = '\0';
  fail(plan, step.text, r);
}

}  // namespace caisson::runtime

#include "caisson/runtime/process_setup.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "caisson/runtime/child_stage.h"
#include "caisson/runtime/limits.h"
#include "caisson/runtime/passwd.h"
#include "caisson/runtime/terminal.h"
#include "caisson/sys/capability.h"
#include "caisson/sys/file.h"
#include "caisson/sys/path.h"
#include "caisson/sys/raw.h"

namespace caisson::runtime {
namespace {

namespace raw = sys::raw;

Error failure(long result, std::string_view call) { return Error::os(static_cast<int>(-result), call); }

CapabilitySet as_set(std::uint64_t effective, std::uint64_t permitted, std::uint64_t inheritable) {
  return {static_cast<std::uint32_t>(effective),       static_cast<std::uint32_t>(permitted),
          static_cast<std::uint32_t>(inheritable),     static_cast<std::uint32_t>(effective >> 32),
          static_cast<std::uint32_t>(permitted >> 32), static_cast<std::uint32_t>(inheritable >> 32)};
}

constexpr std::uint64_t admin = std::uint64_t{1} << CAP_SYS_ADMIN;

Result<void> set_ids(const ProcessPlan& plan, bool may_set_groups) {
  if (may_set_groups) {
    if (const long r = raw::call(SYS_setgroups, plan.groups.size(), plan.groups.data()); r < 0)
      return failure(r, "setgroups");
  } else if (!plan.groups.empty()) {
    return Error::of(Kind::denied, "process.user.additionalGids: this user namespace may not set groups");
  }
  if (const long r = raw::call(SYS_setresgid, plan.gid, plan.gid, plan.gid); r < 0) return failure(r, "setgid");
  if (plan.uid != 0) {  // for the switch only: what it keeps is cut down right after
    if (const long r = raw::call(SYS_prctl, PR_SET_KEEPCAPS, 1UL, 0UL, 0UL, 0UL); r < 0) return failure(r, "keepcaps");
  }
  if (const long r = raw::call(SYS_setresuid, plan.uid, plan.uid, plan.uid); r < 0) return failure(r, "setuid");
  if (plan.uid != 0) {
    if (const long r = raw::call(SYS_prctl, PR_SET_KEEPCAPS, 0UL, 0UL, 0UL, 0UL); r < 0) return failure(r, "keepcaps");
  }
  return ok();
}

}  // namespace

Result<void> ProcessSetup::begin() {
  if (const long r = raw::call(SYS_setsid); r < 0) return failure(r, "setsid");
  if (request_.plan->terminal) TRY(take_terminal().during("terminal"));
  if (!request_.keyring.empty()) {
    const long r = raw::call(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, request_.keyring.c_str());
    if (r < 0 && r != -ENOSYS) return failure(r, "join a new session keyring");
  }
  return label();
}

Result<void> ProcessSetup::take_terminal() {
  Terminal terminal = TRY(Terminal::open());
  if (request_.plan->console_size) TRY(terminal.resize(*request_.plan->console_size));
  if (request_.bind_console) TRY(terminal.bind_to_console());
  TRY(terminal.send_master(request_.console_socket));
  return terminal.become_stdio(request_.plan->uid);
}

// Security labels are written through a /proc that was there before the container's. CVE-2019-16884, CVE-2025-52881
Result<void> ProcessSetup::label() {
  const ProcessPlan& plan = *request_.plan;
  const std::string self = "self/attr/";
  if (!plan.apparmor_profile.empty()) {
    const std::string text = "exec " + plan.apparmor_profile;
    auto own = sys::write_once_at(request_.proc, self + "apparmor/exec", text);
    if (!own && own.error().is(ENOENT)) own = sys::write_once_at(request_.proc, self + "exec", text);
    TRY(std::move(own).during("apply the AppArmor profile " + plan.apparmor_profile));
  }
  if (!plan.selinux_label.empty() && !sys::is_absent("/sys/fs/selinux/enforce"))
    TRY(sys::write_once_at(request_.proc, self + "exec", plan.selinux_label).during("apply the SELinux label"));
  return ok();
}

// As runc: with the rights of the container's root, and only where these do not suffice with those of the user. What
// the program itself could not enter is its directory all the same.
Result<void> ProcessSetup::enter_directory(bool again) {
  const std::string& cwd = request_.plan->cwd;
  long r = entered_ ? 0 : raw::call(SYS_chdir, cwd.c_str());
  if (r == -ENOENT && !again && request_.make_cwd) {
    TRY(sys::make_directories(cwd, 0755).during("mkdir " + cwd));
    r = raw::call(SYS_chdir, cwd.c_str());
  }
  if (r == -EACCES && !again) return ok();  // the user may be allowed where its root is not
  if (r < 0) return failure(r, "chdir to cwd (\"" + cwd + "\") set in config.json failed");
  entered_ = true;
  // A descriptor from outside can make a directory of the host's the cwd: then the kernel says "(unreachable)".
  // CVE-2024-21626
  char where[4096];
  r = raw::call(SYS_getcwd, where, sizeof where);
  if (r < 0 && r != -ENOENT) return failure(r, "getcwd");
  if (r < 0 || where[0] != '/')
    return Error::of(Kind::denied, "current working directory is outside of container mount namespace root");
  return ok();
}

Result<void> ProcessSetup::settle() {
  const ProcessPlan& plan = *request_.plan;
  const CapabilityMasks& c = plan.capabilities;
  TRY(enter_directory(false));
  if (plan.umask)
    ::umask(*plan.umask);
  else
    ::umask(022);
  TRY(sys::drop_bounding(c.bounding));
  if (plan.no_new_privileges) {
    if (const long r = raw::call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL); r < 0)
      return failure(r, "no_new_privs");
  }
  if (request_.take_rlimits) TRY(set_rlimits(0, plan));
  TRY(set_ids(plan, request_.may_set_groups));
  // With the rights the program will have: it must be able to execute its file.
  TRY(sys::set_capabilities(
      {.effective = c.effective, .permitted = c.permitted | admin, .inheritable = c.inheritable}));
  TRY(enter_directory(true));
  program_ = TRY(find_program(plan.args[0], plan.env));
  if (request_.filter != nullptr && !plan.no_new_privileges)
    TRY(sys::set_capabilities(
        {.effective = c.effective | admin, .permitted = c.permitted | admin, .inheritable = c.inheritable}));
  return ok();
}

Result<std::optional<int>> ProcessSetup::load_listener() {
  if (request_.filter == nullptr || !request_.filter->notify) return std::optional<int>();
  const sock_fprog program{.len = static_cast<unsigned short>(request_.filter->filter.size()),
                           .filter = const_cast<sock_filter*>(request_.filter->filter.data())};
  const long r = raw::call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, request_.filter->flags, &program);
  if (r < 0) return failure(r, "load the seccomp filter");
  filter_loaded_ = true;
  return std::optional<int>(static_cast<int>(r));
}

namespace {

// The two descriptors that are still needed come right after the preserved ones; all others are closed now, not
// only on exec: whoever can look into this process while it waits must find nothing. CVE-2024-21626
bool keep_only(int preserved, int& start_fd, int& report) {
  const int first = 3 + preserved;
  int* const kept[] = {&start_fd, &report};
  bool good = true;
  for (int* fd : kept)
    if (*fd >= 0) good = (*fd = ::fcntl(*fd, F_DUPFD_CLOEXEC, first + 2)) >= 0 && good;
  int next = first;
  for (int* fd : kept)
    if (*fd >= 0) good = (*fd = ::dup3(*fd, next++, O_CLOEXEC)) >= 0 && good;
  return ::close_range(static_cast<unsigned>(next), ~0U, 0) == 0 && good;
}

std::vector<const char*> pointers(const std::vector<std::string>& texts) {
  std::vector<const char*> out;
  out.reserve(texts.size() + 1);
  for (const std::string& text : texts) out.push_back(text.c_str());
  out.push_back(nullptr);
  return out;
}

}  // namespace

void ProcessSetup::become(int start_fd, int report) {
  const ProcessPlan& plan = *request_.plan;
  const CapabilityMasks& c = plan.capabilities;
  const auto argv = pointers(plan.args);
  const auto envp = pointers(plan.env);
  static const char* errors[134];
  for (int i = 0; i < 134; ++i) {
    const char* text = ::strerrordesc_np(i);
    errors[i] = text != nullptr ? text : "unknown error";
  }
  sock_fprog program{};
  const bool filtered = request_.filter != nullptr && !filter_loaded_;
  if (filtered) {
    program.len = static_cast<unsigned short>(request_.filter->filter.size());
    program.filter = const_cast<sock_filter*>(request_.filter->filter.data());
  }
  const std::uint64_t extra = plan.no_new_privileges || !filtered ? 0 : admin;
  const bool heard = report >= 0;  // the creator tells that we died
  if (!keep_only(request_.preserved, start_fd, report)) {
    if (!heard) (void)sys::write_all(2, "start of the container: its descriptors cannot be put in order\n");
    ::_exit(1);
  }
  const ChildPlan child{.start_fd = start_fd,
                        .filter_first = filtered && !plan.no_new_privileges,
                        .filter = filtered ? &program : nullptr,
                        .filter_flags = filtered ? request_.filter->flags : 0,
                        .before = as_set(c.effective | extra, c.permitted | extra, c.inheritable),
                        .after = as_set(c.effective, c.permitted, c.inheritable),
                        .ambient = c.ambient,
                        .path = program_.c_str(),
                        .argv = argv.data(),
                        .envp = envp.data(),
                        .report_fd = report,
                        .errors = errors,
                        .error_count = 134};
  run_child(child);
}

namespace {

// What the machine lacks says nothing about the file that was asked for.
bool is_shortage(int error) { return error == ENOMEM || error == EMFILE || error == ENFILE || error == EIO; }

// What runc's exec.LookPath says of one candidate; empty: it can be executed.
std::string refusal(const std::string& path, int& error) {
  struct stat st{};
  error = 0;
  if (::stat(path.c_str(), &st) < 0) {
    error = errno;
    return "stat " + path;
  }
  if (S_ISDIR(st.st_mode)) {
    error = EISDIR;
    return "is a directory: permission denied";  // Docker 20 knows only the second half, Docker 26 both
  }
  const long r = raw::call(SYS_faccessat2, AT_FDCWD, path.c_str(), X_OK, AT_EACCESS);
  if (r < 0 && r != -EACCES) {
    error = static_cast<int>(-r);
    return "faccessat2 " + path;
  }
  if (r < 0 || (st.st_mode & 0111) == 0) {
    error = EACCES;
    return "permission denied";
  }
  return "";
}

std::string_view value_of(const std::vector<std::string>& env, std::string_view name) {
  for (const std::string& entry : env)
    if (entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=')
      return std::string_view(entry).substr(name.size() + 1);
  return {};
}

std::string lower_case(std::string text) {
  for (char& c : text) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  return text;
}

}  // namespace

Result<std::string> find_program(const std::string& name, const std::vector<std::string>& env) {
  const std::string quoted = "exec: \"" + name + "\": ";
  int error = 0;
  if (name.find('/') != std::string::npos) {
    const std::string why = refusal(name, error);
    if (why.empty()) return name;
    const char* text = ::strerrordesc_np(error);
    return Error::of(
        Kind::os,
        quoted + (why.starts_with("stat ") || why.starts_with("faccessat2 ") ? why + ": " + lower_case(text) : why));
  }
  std::string_view path = value_of(env, "PATH");
  bool forbidden = false;
  while (!path.empty() && !name.empty()) {
    const std::string_view part = path.substr(0, path.find(':'));
    path.remove_prefix(std::min(part.size() + 1, path.size()));
    const std::string candidate = std::string(part.empty() ? "." : part) + "/" + name;
    if (refusal(candidate, error).empty()) return candidate;
    if (is_shortage(error)) return Error::os(error, quoted + candidate);
    forbidden = forbidden || error == EACCES;
  }
  if (forbidden) return Error::of(Kind::os, quoted + "permission denied");
  return Error::of(Kind::os, quoted + "executable file not found in $PATH");
}

Result<void> add_home(std::vector<std::string>& env, std::uint32_t uid) {
  if (!value_of(env, "HOME").empty()) return ok();
  std::erase_if(env, [](const std::string& entry) { return entry.starts_with("HOME="); });
  std::string home = "/";
  const auto text = sys::read_file("/etc/passwd", 4 << 20);
  if (!text && (is_shortage(text.error().code()) || text.error().is(EPERM))) return text.error();
  if (text)
    if (const auto user = find_user(*text, uid); user && user->home.starts_with('/')) home = user->home;
  env.push_back("HOME=" + home);
  return ok();
}

}  // namespace caisson::runtime

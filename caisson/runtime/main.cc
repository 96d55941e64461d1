#include "caisson/runtime/main.h"

#include <unistd.h>

#include <cstdlib>

#include "caisson/runtime/command_table.h"
#include "caisson/runtime/commands.h"
#include "caisson/runtime/seal.h"
#include "caisson/runtime/version.h"
#include "caisson/sys/file.h"
#include "caisson/sys/standard_fds.h"
#include "caisson/sys/user_namespace.h"

namespace caisson::runtime {
namespace {

constexpr int failed = 1;
constexpr int exec_failed = 255;  // any lower number may be the process' own
constexpr int no_such_command = 3;

Result<int> no_function(Context&, const Arguments&) {
  return Error::of(Kind::internal, "a command without a function");
}

struct Entry {
  std::string_view name;
  CommandFunction function;
};

constexpr Entry entries[] = {
    {"create", create_command},
    {"start", start_command},
    {"run", run_command},
    {"exec", exec_command},
    {"state", state_command},
    {"kill", kill_command},
    {"delete", delete_command},
    {"list", list_command},
    {"ps", ps_command},
    {"pause", pause_command},
    {"resume", resume_command},
    {"update", update_command},
    {"events", events_command},
    {"spec", spec_command},
    {"features", features_command},
    {"plan", plan_command},
    {"checkpoint", checkpoint_command},
    {"restore", restore_command},
};

CommandFunction function_of(const Command& command) {
  for (const Entry& entry : entries)
    if (entry.name == command.name) return entry.function;
  return no_function;
}

// As runc: XDG_RUNTIME_DIR is for who is not root, or is root of a user namespace only and not called so.
Result<bool> honours_user_directory() {
  if (::geteuid() != 0) return true;
  const char* user = std::getenv("USER");
  if (user != nullptr && std::string_view(user) == "root") return false;
  return sys::in_user_namespace();
}

Result<std::string> state_root(const Arguments& globals) {
  std::string root = globals.text("root");
  if (root.empty()) {
    const char* user_directory = std::getenv("XDG_RUNTIME_DIR");
    bool own = user_directory != nullptr && *user_directory == '/';
    if (own) {
      own = TRY(honours_user_directory());
    }
    return std::string(own ? user_directory : "/run") + "/caisson/runtime";
  }
  if (root[0] == '/') return root;
  const std::string here = TRY(sys::read_link_at(AT_FDCWD, "/proc/self/cwd"));
  return here + "/" + root;
}

// Only these commands bring a process of ours to where a container could see it.
Result<void> seal_for(const Arguments& globals, char** argv) {
  const std::string_view name = globals.rest().empty() ? "" : std::string_view(globals.rest().front());
  if (name != "create" && name != "run" && name != "exec") return ok();
  return seal_executable(argv);
}

Result<Log> open_log(const Arguments& globals) {
  const std::string format = globals.text("log-format");
  if (format != "text" && format != "json") return Error::of(Kind::invalid, "invalid log-format: " + format);
  return Log::open(globals.text("log"), format == "json" ? Log::Format::json : Log::Format::text,
                   globals.on("debug") ? Log::Debug::yes : Log::Debug::no);
}

Result<void> fill(Context& context, const Arguments& globals) {
  const std::string root = TRY(state_root(globals));
  context.store = StateStore(root);
  const std::string manager = globals.text("cgroup-manager");
  if (manager != "cgroupfs" && manager != "systemd" && manager != "disabled")
    return Error::of(Kind::invalid, "invalid cgroup-manager: " + manager);
  if (manager == "disabled") context.cgroup_manager = CgroupManager::disabled;
  if (manager == "systemd" || globals.on("systemd-cgroup")) context.cgroup_manager = CgroupManager::systemd;
  const std::string rootless = globals.text("rootless");
  if (rootless != "auto" && rootless != "true" && rootless != "false")
    return Error::of(Kind::invalid, "invalid rootless: " + rootless);
  if (rootless != "auto") context.rootless = rootless == "true";
  return ok();
}

int print(std::string_view text) { return sys::write_all(STDOUT_FILENO, text) ? 0 : failed; }

int report(const Log& log, std::string_view message, int status) {
  log.error(message);
  return status;
}

int help(const Log& log, std::span<const std::string> names) {
  if (names.empty()) return print(global_help(global_flags(), commands()));
  const Command* command = find_command(commands(), names.front());
  if (command == nullptr) return report(log, "No help topic for '" + names.front() + "'", no_such_command);
  return print(command_help(*command));
}

int dispatch(Context& context, const Arguments& globals) {
  const Log& log = context.log;
  std::span<const std::string> line = globals.rest();
  if (globals.on("version")) return print(version_text());
  if (globals.on("help") || line.empty()) return help(log, {});
  const std::string& name = line.front();
  if (name == "help" || name == "h") return help(log, line.subspan(1));
  const Command* command = find_command(commands(), name);
  if (command == nullptr) return report(log, "No help topic for '" + name + "'", no_such_command);
  Arguments arguments;
  if (auto parsed = parse_command(*command, line.subspan(1), arguments); !parsed)
    return report(log, parsed.error().message(), failed);
  if (arguments.on("help")) return print(command_help(*command));
  auto result = function_of(*command)(context, arguments);
  if (result) return *result;
  const bool is_exec = command->name == "exec";
  return report(log, (is_exec ? "exec failed: " : "") + result.error().message(), is_exec ? exec_failed : failed);
}

}  // namespace

int runtime_main(int argc, char** argv) {
  if (auto opened = sys::open_standard_fds(); !opened) return report(Log(), opened.error().message(), failed);
  const std::vector<std::string> line(argv + (argc > 0 ? 1 : 0), argv + argc);
  Arguments globals;
  const auto parsed = parse_global(global_flags(), line, globals);
  if (auto sealed = seal_for(globals, argv); !sealed) return report(Log(), sealed.error().message(), failed);
  auto log = open_log(globals);
  if (!log) return report(Log(), log.error().message(), failed);
  Context context{.log = std::move(*log), .store = StateStore("")};
  if (!parsed) return report(context.log, parsed.error().message(), failed);
  if (auto filled = fill(context, globals); !filled) return report(context.log, filled.error().message(), failed);
  return dispatch(context, globals);
}

}  // namespace caisson::runtime

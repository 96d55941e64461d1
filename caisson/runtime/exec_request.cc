#include "caisson/runtime/exec_request.h"

#include <charconv>

#include "caisson/oci/process.h"
#include "caisson/oci/validate.h"
#include "caisson/sys/file.h"

namespace caisson::runtime {
namespace {

Result<std::uint32_t> parse_id(std::string_view text, std::string_view what) {
  std::uint32_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc() || end != text.data() + text.size() || id == 0xffffffffU)
    return Error::of(Kind::invalid, std::string(what) + ": not an id: \"" + std::string(text) + "\"");
  return id;
}

// --cap adds to the bounding, effective and permitted set, and to nothing that a child could inherit, unless
// config.json lets children inherit: then to the ambient set, which is cut to what is inheritable. A name that is not
// known gives nothing, as in config.json. source: runc's exec.go
void add_capabilities(const std::vector<std::string>& names, oci::Process& process) {
  if (names.empty()) return;
  if (!process.capabilities) process.capabilities.emplace();
  oci::Capabilities& sets = *process.capabilities;
  for (const std::string& name : names) {
    sets.bounding.push_back(name);
    sets.effective.push_back(name);
    sets.permitted.push_back(name);
    if (!sets.inheritable.empty()) sets.ambient.push_back(name);
  }
}

}  // namespace

Result<void> parse_user(const std::string& text, oci::User& user) {
  const std::size_t colon = text.find(':');
  user.uid = TRY(parse_id(std::string_view(text).substr(0, colon), "--user"));
  if (colon != std::string::npos) user.gid = TRY(parse_id(std::string_view(text).substr(colon + 1), "--user"));
  return ok();
}

Result<oci::Process> exec_process(const Arguments& arguments, const oci::Spec& spec) {
  if (arguments.given("process")) {
    const std::string text = TRY(sys::read_file(arguments.text("process")));
    oci::Process process = TRY(oci::parse_process(text));
    TRY(oci::validate_process(process));
    return process;
  }
  if (!spec.process) return Error::of(Kind::invalid, "the container's config.json has no process");
  oci::Process process = *spec.process;
  process.args.assign(arguments.rest().begin() + 1, arguments.rest().end());
  if (process.args.empty()) return Error::of(Kind::invalid, "process args cannot be empty");
  process.terminal = arguments.on("tty");
  process.console_size.reset();
  if (arguments.given("cwd")) process.cwd = arguments.text("cwd");
  for (const std::string& entry : arguments.texts("env")) process.env.push_back(entry);
  if (arguments.given("user")) TRY(parse_user(arguments.text("user"), process.user));
  for (const std::string& group : arguments.texts("additional-gids")) {
    const std::uint32_t id = TRY(parse_id(group, "--additional-gids"));
    process.user.additional_gids.push_back(id);
  }
  add_capabilities(arguments.texts("cap"), process);
  if (arguments.given("no-new-privs")) process.no_new_privileges = arguments.on("no-new-privs");
  if (arguments.given("apparmor")) process.apparmor_profile = arguments.text("apparmor");
  if (arguments.given("process-label")) process.selinux_label = arguments.text("process-label");
  TRY(oci::validate_process(process));
  return process;
}

}  // namespace caisson::runtime

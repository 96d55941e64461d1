#include "caisson/runtime/criu.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <charconv>
#include <cstdlib>
#include <set>

#include "caisson/runtime/foreground.h"
#include "caisson/runtime/json.h"
#include "caisson/sys/execute.h"
#include "caisson/sys/file.h"
#include "caisson/sys/mount.h"
#include "caisson/sys/path.h"
#include "caisson/sys/process.h"
#include "caisson/sys/raw.h"

namespace caisson::runtime {
namespace {

namespace raw = sys::raw;
using Words = std::vector<std::string>;

Error failure(long result, std::string_view call) { return Error::os(static_cast<int>(-result), call); }

Result<std::string> find_criu() {
  const char* variable = std::getenv("PATH");
  std::string_view path = variable != nullptr ? variable : "/usr/sbin:/usr/bin:/sbin:/bin";
  while (!path.empty()) {
    const std::string_view part = path.substr(0, path.find(':'));
    path.remove_prefix(std::min(part.size() + 1, path.size()));
    const std::string candidate = std::string(part) + "/criu";
    if (part.starts_with('/') && ::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return Error::of(Kind::not_found, "checkpoint and restore need CRIU: no criu in $PATH");
}

// The last line of its log that tells of an error, and not of what that led to.
std::string last_error(const std::string& log) {
  const auto text = sys::read_file(log);
  if (!text) return "";
  std::string out;
  for (std::string_view left = *text; !left.empty();) {
    const std::string_view line = left.substr(0, left.find('\n'));
    left.remove_prefix(std::min(line.size() + 1, left.size()));
    const std::size_t at = line.find("Error (");
    if (at == line.npos || line.ends_with("FAILED.") || line.find("cgroupd: ") != line.npos) continue;
    out = ": " + std::string(line.substr(at));
  }
  return out;
}

Error criu_failed(int status, const std::string& log) {
  return Error::of(Kind::os,
                   "criu failed: exit status " + std::to_string(status) + last_error(log) + "\nlog file: " + log);
}

void add_mounts(const std::vector<ExternalMount>& mounts, bool restore, Words& out) {
  for (const ExternalMount& m : mounts) {
    out.push_back("--external");
    out.push_back("mnt[" + m.point + "]:" + (restore ? m.source : m.point));
  }
}

std::string joined_network(const Plan& plan) {
  for (const NamespaceJoin& j : plan.namespaces.join)
    if (j.flag == CLONE_NEWNET) return j.path;
  return "";
}

constexpr char network_key[] = "extRootNetNS";  // runc's

struct Switch {
  const char* ours;
  const char* criu;
};
constexpr Switch switches[] = {
    {"tcp-established", "--tcp-established"},
    {"tcp-skip-in-flight", "--skip-in-flight"},
    {"ext-unix-sk", "--ext-unix-sk"},
    {"link-remap", "--link-remap"},
    {"shell-job", "--shell-job"},
    {"lazy-pages", "--lazy-pages"},
    {"file-locks", "--file-locks"},
    {"auto-dedup", "--auto-dedup"},
    {"tcp-close", "--tcp-close"},
};

// What CRIU cannot be told on its command line, or what it would not bring back as it was.
Result<void> refuse(const Plan& plan) {
  if (plan.process.terminal)
    return Error::of(Kind::unsupported, "a container with a terminal cannot be checkpointed or restored");
  if (plan.namespaces.locked_mounts)
    return Error::of(Kind::unsupported, "a container with io.caisson.locked-mounts cannot be checkpointed or restored");
  if ((plan.namespaces.create & CLONE_NEWNS) == 0)
    return Error::of(Kind::unsupported, "checkpoint and restore need a mount namespace");
  return ok();
}

// In a mount namespace of its own: the root must be a mount, and that is nobody else's business.
Error become_criu(const std::string& program, const Words& words, const std::string& root, const std::string& place,
                  int inherited) {
  reset_signals();
  if (const long r = raw::call(SYS_unshare, CLONE_NEWNS); r < 0) return failure(r, "unshare the mount namespace");
  if (auto done = sys::set_propagation("/", MS_SLAVE | MS_REC); !done) return std::move(done).error();
  const long bound = raw::call(SYS_mount, root.c_str(), place.c_str(), nullptr, MS_BIND | MS_REC, nullptr);
  if (bound < 0) return failure(bound, "bind the root").during(root);
  if (auto done = sys::set_propagation(place, MS_PRIVATE); !done) return std::move(done).error();
  if (inherited >= 0) raw::call(SYS_fcntl, inherited, F_SETFD, 0);
  return sys::become(program, words);
}

}  // namespace

std::vector<ExternalMount> external_mounts(const Plan& plan, const std::vector<CgroupMount>& cgroups,
                                           const std::vector<std::string>& masked) {
  std::vector<ExternalMount> out;
  for (const MountStep& step : plan.mounts) {
    if (step.kind == MountKind::bind) out.push_back({step.target, step.source});
    if (step.kind != MountKind::cgroup) continue;
    for (const CgroupMount& c : cgroups)
      out.push_back({c.name.empty() ? step.target : step.target + "/" + c.name, c.directory});
  }
  if (plan.namespaces.has_user())
    for (const DeviceNode& device : plan.devices)
      if (device.type != S_IFIFO) out.push_back({device.path, device.path});
  for (const std::string& path : masked) out.push_back({path, "/dev/null"});
  return out;
}

std::vector<std::string> masked_files(const Plan& plan, std::string_view mountinfo) {
  const std::set<std::string> asked(plan.masked_paths.begin(), plan.masked_paths.end());
  std::vector<std::string> out;
  while (!mountinfo.empty()) {
    std::string_view line = mountinfo.substr(0, mountinfo.find('\n'));
    mountinfo.remove_prefix(std::min(line.size() + 1, mountinfo.size()));
    std::string_view fields[5];
    for (std::string_view& field : fields) {
      field = line.substr(0, line.find(' '));
      line.remove_prefix(std::min(field.size() + 1, line.size()));
    }
    std::string point(fields[4]);
    if (fields[3].ends_with("/null") && asked.contains(point)) out.push_back(std::move(point));
  }
  return out;
}

Result<std::vector<std::string>> outer_descriptors(pid_t pid) {
  std::vector<std::string> out;
  const std::string process = "/proc/" + std::to_string(pid);
  struct stat inside{};
  const bool rooted = ::stat((process + "/root").c_str(), &inside) == 0;
  for (const char* number : {"0", "1", "2"}) {
    auto name = sys::read_link_at(AT_FDCWD, process + "/fd/" + number);
    if (!name) name = std::string();
    struct stat st{};
    const bool known = name->starts_with('/') && ::stat((process + "/fd/" + number).c_str(), &st) == 0;
    if (!known) {
      out.push_back(name->starts_with("pipe:") ? *name : "");
      continue;
    }
    // A file of a mount that the container does not have can only be given to it again from outside.
    const std::string info = TRY(sys::read_file(process + "/fdinfo/" + number));
    const std::size_t at = info.find("mnt_id:");
    const std::string id = at == info.npos ? "" : std::to_string(std::strtol(info.c_str() + at + 7, nullptr, 10));
    const std::string mounts = TRY(sys::read_file(process + "/mountinfo"));
    const bool has = mounts.starts_with(id + " ") || mounts.find("\n" + id + " ") != mounts.npos;
    char text[64];
    std::snprintf(text, sizeof text, "file[%lx:%lx]", std::strtoul(id.c_str(), nullptr, 10),
                  static_cast<unsigned long>(st.st_ino));
    out.push_back(has || !rooted ? "" : text);
  }
  return out;
}

Result<CriuImages> criu_images(const Arguments& arguments) {
  CriuImages out{arguments.text("image-path"), arguments.text("work-path")};
  if (out.images.empty()) out.images = "checkpoint";
  for (std::string* path : {&out.images, &out.work}) {
    if (path->empty()) *path = out.images;
    auto made = sys::make_directory_at(AT_FDCWD, *path, 0700);
    if (!made && !made.error().is(EEXIST)) return std::move(made).error();
    char* real = ::realpath(path->c_str(), nullptr);
    if (real == nullptr) return Error::os(errno, *path);
    *path = real;
    std::free(real);
  }
  return out;
}

Result<Words> common_options(const Arguments& arguments, const CriuImages& images) {
  Words out = {"-D", images.images, "-W", images.work, "-v4"};
  for (const Switch& s : switches)
    if (arguments.on(s.ours)) out.emplace_back(s.criu);
  const std::string mode = arguments.text("manage-cgroups-mode");
  if (mode != "" && mode != "soft" && mode != "full" && mode != "strict" && mode != "ignore")
    return Error::of(Kind::invalid, "Invalid manage-cgroups-mode value: " + mode);
  out.push_back("--manage-cgroups=" + (mode.empty() ? "soft" : mode));
  for (const std::string& name : arguments.texts("empty-ns")) {
    if (name != "network") return Error::of(Kind::invalid, "--empty-ns: namespace " + name + " is not supported");
    out.insert(out.end(), {"--empty-ns", "net"});
  }
  return out;
}

Result<void> criu_dump(const Arguments& arguments, const CriuImages& images, const CriuDump& dump) {
  const Plan& plan = *dump.plan;
  TRY(refuse(plan));
  const std::string program = TRY(find_criu());
  const bool before = arguments.on("pre-dump");
  Words words = {
      "criu", before ? "pre-dump" : "dump", "-t", std::to_string(dump.pid), "-o", "dump.log", "--root", plan.root.path};
  const Words common = TRY(common_options(arguments, images));
  words.insert(words.end(), common.begin(), common.end());
  add_mounts(dump.mounts, false, words);
  if (!dump.frozen.empty()) words.insert(words.end(), {"--freeze-cgroup", dump.frozen});
  for (const std::string& name : dump.descriptors)
    if (name.starts_with("file[")) words.insert(words.end(), {"--external", name});
  if (const std::string network = joined_network(plan); !network.empty()) {
    struct stat st{};
    if (::stat(network.c_str(), &st) < 0) return Error::os(errno, "stat " + network);
    words.insert(words.end(), {"--external", "net[" + std::to_string(st.st_ino) + "]:" + network_key});
  }
  if (arguments.on("leave-running") && !before) words.emplace_back("--leave-running");
  if (before || arguments.given("parent-path")) words.emplace_back("--track-mem");
  if (const std::string parent = arguments.text("parent-path"); !parent.empty()) {
    if (parent.starts_with('/')) return Error::of(Kind::invalid, "--parent-path must be relative to --image-path");
    if (!sys::exists(images.images + "/" + parent)) return Error::of(Kind::not_found, "--parent-path " + parent);
    words.insert(words.end(), {"--prev-images-dir", parent});
  }
  if (const std::string server = arguments.text("page-server"); !server.empty()) {
    const std::size_t colon = server.rfind(':');
    if (colon == std::string::npos)
      return Error::of(Kind::invalid, "Use --page-server ADDRESS:PORT to specify page server");
    words.insert(words.end(),
                 {"--page-server", "--address", server.substr(0, colon), "--port", server.substr(colon + 1)});
  }
  if (arguments.given("status-fd")) words.insert(words.end(), {"--status-fd", arguments.text("status-fd")});
  const sys::Finished done = TRY(sys::execute(program, words, sys::Stdout::capture));
  if (done.status != 0) return criu_failed(done.status, images.work + "/dump.log");
  return ok();
}

Result<pid_t> criu_restore(const Arguments& arguments, const CriuImages& images, const CriuRestore& restore) {
  const Plan& plan = *restore.plan;
  TRY(refuse(plan));
  const std::string program = TRY(find_criu());
  const std::string place = restore.directory + "/criu-root";
  const std::string pid_file = restore.directory + "/criu.pid";
  TRY(sys::make_directory_at(AT_FDCWD, place, 0700));
  Words words = {"criu", "restore", "-o", "restore.log", "--root", place, "--restore-detached", "--pidfile", pid_file};
  const Words common = TRY(common_options(arguments, images));
  words.insert(words.end(), common.begin(), common.end());
  add_mounts(restore.mounts, true, words);
  std::set<std::string> given;
  for (std::size_t i = 0; i < restore.descriptors.size(); ++i) {
    const std::string& name = restore.descriptors[i];
    const bool outer = name.starts_with("pipe:") || name.starts_with("file[");
    if (outer && given.insert(name).second)
      words.insert(words.end(), {"--inherit-fd", "fd[" + std::to_string(i) + "]:" + name});
  }
  for (const CgroupMount& c : restore.cgroups) {
    const std::string controller = c.v2 ? "" : c.options.starts_with("none,") ? c.options.substr(5) : c.options;
    if (!c.path.empty())
      words.insert(words.end(), {"--cgroup-root", controller.empty() ? c.path : controller + ":" + c.path});
  }
  sys::UniqueFd network;
  if (const std::string path = joined_network(plan); !path.empty()) {
    network = TRY(sys::open_file(path, O_RDONLY).during("join namespace"));
    words.insert(words.end(), {"--inherit-fd", "fd[" + std::to_string(network.get()) + "]:" + network_key});
  }
  for (const char* name : {"lsm-profile", "lsm-mount-context"})
    if (arguments.given(name)) words.insert(words.end(), {std::string("--") + name, arguments.text(name)});
  const pid_t child = TRY(sys::clone_process(0));
  if (child == 0) {
    const Error error = become_criu(program, words, plan.root.path, place, network.get());
    (void)sys::write_all(2, error.message() + "\n");
    ::_exit(127);
  }
  sys::Process process(child);
  const int status = TRY(process.wait());
  if (status != 0) return criu_failed(sys::shell_status(status), images.work + "/restore.log");
  const std::string text = TRY(sys::read_file(pid_file));
  pid_t pid = 0;
  std::from_chars(text.data(), text.data() + text.size(), pid);
  if (pid <= 0) return Error::of(Kind::os, "criu wrote no pid");
  TRY(sys::remove_tree_at(AT_FDCWD, pid_file));
  raw::call(SYS_unlinkat, AT_FDCWD, place.c_str(), AT_REMOVEDIR);
  return pid;
}

Result<void> make_mount_points(const Plan& plan) {
  const sys::UniqueFd root = TRY(sys::open_file(plan.root.path, O_PATH | O_DIRECTORY));
  for (std::size_t i = 0; i < plan.mounts.size(); ++i) {
    const MountStep& step = plan.mounts[i];
    bool covered = false;
    for (std::size_t j = 0; j < i; ++j) covered = covered || step.target.starts_with(plan.mounts[j].target + "/");
    if (covered || step.kind == MountKind::remount) continue;
    struct stat st{};
    const bool file = step.kind == MountKind::bind && ::stat(step.source.c_str(), &st) == 0 && !S_ISDIR(st.st_mode);
    auto made = file ? sys::make_file_in_root(root.get(), step.target, 0644)
                     : sys::make_directories_in_root(root.get(), step.target, 0755);
    const sys::UniqueFd point = TRY(std::move(made).during(step.target));
  }
  return ok();
}

std::string print_descriptors(const std::vector<std::string>& descriptors) {
  std::string out = "[";
  for (const std::string& name : descriptors) {
    if (out.size() > 1) out += ",";
    append_quoted(out, name);
  }
  return out + "]";
}

Result<std::vector<std::string>> parse_descriptors(std::string_view text) {
  boost::json::error_code error;
  const boost::json::value value = boost::json::parse(boost::json::string_view(text.data(), text.size()), error);
  if (error || !value.is_array()) return Error::of(Kind::invalid, "descriptors.json is damaged");
  std::vector<std::string> out;
  for (const boost::json::value& element : *value.if_array()) {
    const auto* string = element.if_string();
    out.emplace_back(string != nullptr ? std::string(string->data(), string->size()) : "");
  }
  return out;
}

}  // namespace caisson::runtime

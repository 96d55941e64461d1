#include "caisson/nest/gather.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <charconv>

#include "caisson/nest/plan.h"
#include "caisson/oci/document.h"
#include "caisson/oci/kernel_names.h"
#include "caisson/oci/mount_options.h"
#include "caisson/sys/file.h"
#include "caisson/sys/map_namespace.h"
#include "caisson/sys/mount.h"
#include "caisson/sys/path.h"

namespace caisson::nest {
namespace {

std::string absolute(const std::string& path, const std::string& base) {
  return path.starts_with("/") ? path : base + "/" + path;
}

std::string parent_of(const std::string& path) { return path.substr(0, std::max<std::size_t>(path.rfind('/'), 1)); }

bool all_exist(const std::vector<std::string>& layers, const std::string& base) {
  return std::ranges::all_of(layers, [&](const std::string& layer) { return sys::exists(absolute(layer, base)); });
}

// Engines with many layers mount from a directory of theirs and name the layers from there, which mountinfo does not
// tell: Docker from the driver's home (".../overlay2": "l/ABC", "ID/diff"), containerd from ".../snapshots" ("12/fs").
Result<void> make_absolute(Overlay& overlay, const std::string& root) {
  const std::string above = parent_of(parent_of(root));
  std::vector<std::string> bases = {above};
  if (overlay.upper.starts_with("/")) bases.push_back(parent_of(parent_of(overlay.upper)));
  std::vector<std::string> all = overlay.lower;
  if (!overlay.upper.empty()) all.insert(all.end(), {overlay.upper, overlay.work});
  const auto base = std::ranges::find_if(bases, [&](const std::string& b) { return all_exist(all, b); });
  if (base == bases.end())
    return Error::of(Kind::unsupported, "the layers of the overlay at " + root + " cannot be found");
  for (std::string& layer : overlay.lower) layer = absolute(layer, *base);
  if (overlay.upper.empty()) return ok();
  overlay.upper = absolute(overlay.upper, *base);
  overlay.work = absolute(overlay.work, *base);
  return ok();
}

Result<Idmapping> try_idmap(const std::string& path, int userns) {
  for (const auto recursive : {sys::Recursive::yes, sys::Recursive::no}) {
    auto clone = sys::open_tree_clone(AT_FDCWD, path, recursive);
    if (!clone && sys::is_shortage(clone.error())) return std::move(clone).error();
    if (!clone) continue;
    const sys::MountAttributes idmap{.set = MOUNT_ATTR_IDMAP, .userns = userns};
    auto set = sys::set_mount_attributes(clone->get(), idmap, recursive);
    if (set) return recursive == sys::Recursive::yes ? Idmapping::recursive : Idmapping::top;
    if (sys::is_shortage(set.error())) return std::move(set).error();
  }
  return Idmapping::no;
}

// About the file that was to be opened.
bool says_nothing(const Error& error) { return error.is(EPERM) || sys::is_shortage(error); }

Result<SourceKind> kind_of(const std::string& path) {
  auto fd = sys::open_file(path, O_PATH);
  if (!fd && says_nothing(fd.error())) return std::move(fd).error();
  if (!fd) return SourceKind::missing;
  const struct stat status = TRY(sys::status_of(fd->get()).during(path));
  if (S_ISDIR(status.st_mode)) return SourceKind::directory;
  if (S_ISREG(status.st_mode)) return SourceKind::file;
  return S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode) ? SourceKind::device : SourceKind::other;
}

// Empty where there is none, or where it is masked.
Result<std::string> first_word(const std::string& path) {
  auto text = sys::read_file(path);
  if (!text && (text.error().is(ENOENT) || text.error().is(EACCES))) return std::string();
  if (!text) return std::move(text).error();
  return text->substr(0, text->find('\n'));
}

// Read with care (it may be a FIFO, a device, or huge), and only believed if it makes sense: else empty.
Result<std::string> read_from_image(int root, const std::string& path) {
  constexpr std::size_t most = 1 << 20;
  auto file = sys::open_in_root(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!file && says_nothing(file.error())) return std::move(file).error();
  if (!file) return std::string();
  const struct stat status = TRY(sys::status_of(file->get()).during(path));
  if (!S_ISREG(status.st_mode)) return std::string();
  auto text = sys::read_all(file->get(), most).during(path);
  return text || sys::is_shortage(text.error()) ? std::move(text) : std::string();
}

template <class Number>
Number number(std::string_view text, Number fallback, int base = 10) {
  Number out = fallback;
  std::from_chars(text.data(), text.data() + text.size(), out, base);
  return out;
}

}  // namespace

Result<RootFacts> gather_root(const oci::Spec& spec, const std::string& bundle) {
  if (spec.root.path.empty()) return Error::of(Kind::invalid, "config.json: root.path: must not be empty");
  const sys::UniqueFd dir =
      TRY(sys::open_file(absolute(spec.root.path, bundle), O_PATH | O_DIRECTORY).during("root file system"));
  RootFacts out;
  out.path = TRY(sys::read_link_at(AT_FDCWD, "/proc/self/fd/" + std::to_string(dir.get())));
  const std::string mountinfo = TRY(sys::read_file("/proc/self/mountinfo"));
  const std::optional<MountLine> mount = mount_of(mountinfo, out.path);
  if (!mount) return Error::of(Kind::unsupported, "root file system " + out.path + ": not in mountinfo");
  out.filesystem = mount->type;
  out.is_mount = mount->point == out.path;
  if (mount->type != "overlay" || !out.is_mount || mount->root != "/") return out;
  auto layers = parse_overlay(mount->super_options).during("root file system " + out.path);
  auto found = layers ? make_absolute(*layers, out.path) : ok();
  if (layers && found) {
    out.overlay = *std::move(layers);
    return out;
  }
  // Whoever brings the ids has mapped the layers too (podman unmounts its mapped ones at once): they stay as they are.
  if (owner_of(spec) != Owner::nest) return out;
  if (!layers) return std::move(layers).error();
  return std::move(found).error();
}

Result<void> gather_limits(Facts& facts) {
  for (const oci::Name& name : oci::rlimits()) {
    rlimit own{};
    if (::getrlimit(static_cast<__rlimit_resource>(name.number), &own) < 0)
      return Error::os(errno, "getrlimit").during(std::string(name.text));
    facts.hard_limits[std::string(name.text)] = own.rlim_max;
  }
  const std::string oom_score_adj = TRY(first_word("/proc/self/oom_score_adj"));
  facts.oom_score_adj = number(oom_score_adj, 0);
  const std::string last_capability = TRY(first_word("/proc/sys/kernel/cap_last_cap"));
  facts.last_capability = number(last_capability, 40);
  constexpr int cap_sys_resource = 24;
  const std::string status = TRY(sys::read_file("/proc/self/status"));
  const std::size_t at = status.find("CapEff:\t");
  if (at == std::string::npos) return ok();
  const auto caps = number<std::uint64_t>(std::string_view(status).substr(at + 8, 16), 0, 16);
  facts.may_raise_limits = (caps >> cap_sys_resource & 1U) != 0;
  return ok();
}

Result<void> gather_sources(Facts& facts, const oci::Spec& spec) {
  const bool own_ids = owner_of(spec) == Owner::nest;
  const std::uint32_t first =
      own_ids || spec.linux.uid_mappings.empty() ? facts.first_id : spec.linux.uid_mappings.front().host_id;
  if (first == 0) return ok();  // joined, and we are not told its maps: nothing can be tried
  const auto is_bind = [](const oci::Mount& mount) {
    return oci::is_bind(mount, oci::parse_mount_options(mount.options));
  };
  const bool binds = own_ids && std::ranges::any_of(spec.mounts, is_bind);
  if (!facts.root.overlay && !binds && facts.root.filesystem != "overlay") {
    facts.root.can_idmap = true;  // nothing else to try, and the runtime tries the root itself
    return ok();
  }
  const std::string map = "0 " + std::to_string(first) + " " + std::to_string(ids_per_nest) + "\n";
  const sys::UniqueFd userns = TRY(sys::make_map_namespace(map, map));
  if (!facts.root.overlay && facts.root.filesystem != "overlay") {
    const Idmapping whole = TRY(try_idmap(facts.root.path, userns.get()));
    facts.root.can_idmap = whole != Idmapping::no;
  }
  if (!facts.data_directory.empty()) {
    const Idmapping data = TRY(try_idmap(facts.data_directory, userns.get()));
    facts.data_can_idmap = data != Idmapping::no;
  }
  if (!own_ids) return ok();
  for (const oci::Mount& mount : spec.mounts) {
    if (!is_bind(mount)) continue;
    Source source;
    source.kind = TRY(kind_of(mount.source));
    if (source.kind != SourceKind::missing && source.kind != SourceKind::device)
      source.idmapping = TRY(try_idmap(mount.source, userns.get()));
    facts.sources[mount.source] = source;
  }
  return ok();
}

Result<void> gather_devices(Facts& facts) {
  for (const char* path : {"/dev/fuse", "/dev/net/tun"}) {
    const SourceKind kind = TRY(kind_of(path));
    if (kind == SourceKind::missing) facts.absent_devices.emplace_back(path);
  }
  return ok();
}

namespace {

// Power over the whole machine. source: Documentation/admin-guide/devices.txt in linux
bool is_memory(const oci::Device& device) {
  return device.type == "c" && device.major == 1 && (device.minor == 1 || device.minor == 2 || device.minor == 4);
}

Result<oci::Device> device_at(const std::string& path, const std::string& grant) {
  const std::string what = "grant " + grant + ": " + path;
  auto fd = sys::open_file(path, O_PATH);
  if (!fd && (fd.error().is(ENOENT) || fd.error().is(ENOTDIR)))
    return Error::of(Kind::unsupported, what + " is needed, and this host has none");
  if (!fd) return std::move(fd).error().during(what);
  const struct stat status = TRY(sys::status_of(fd->get()));
  if (!S_ISCHR(status.st_mode) && !S_ISBLK(status.st_mode)) return Error::of(Kind::invalid, what + " is no device");
  oci::Device out{.type = S_ISCHR(status.st_mode) ? "c" : "b",
                  .path = path,
                  .major = major(status.st_rdev),
                  .minor = minor(status.st_rdev),
                  .file_mode = status.st_mode & 0777U,
                  .uid = 0,
                  .gid = 0};
  if (is_memory(out)) return Error::of(Kind::denied, what + " is the host's memory and never given");
  return out;
}

}  // namespace

Result<std::vector<oci::Device>> gather_granted(const GrantSet& given) {
  std::vector<oci::Device> out;
  for (const GrantRow& row : grants()) {
    if (row.given == Given::by_default || !given.has(row.grant)) continue;
    for (const char* path : row.devices) {
      auto device = device_at(path, row.name);
      const bool is_first = path == row.devices.front();
      if (device)
        out.push_back(*std::move(device));
      else if (is_first || device.error().kind() != Kind::unsupported)
        return std::move(device).error();
    }
  }
  for (const std::string& path : given.devices()) {
    if (std::ranges::find(out, path, &oci::Device::path) != out.end()) continue;
    oci::Device device = TRY(device_at(path, "device:" + path));
    out.push_back(std::move(device));
  }
  return out;
}

Result<void> gather_image(Facts& facts) {
  const sys::UniqueFd root = TRY(sys::open_file(facts.root.path, O_PATH | O_DIRECTORY));
  const std::string text = TRY(read_from_image(root.get(), "/etc/docker/daemon.json"));
  if (auto document = oci::Document::parse(text, "daemon.json")) {
    for (const char* name : {"data-root", "graph"}) {
      auto path = document->get_string({name});
      if (path && *path && (*path)->starts_with("/")) facts.docker_data_root = clean_path(**path);
      if (!facts.docker_data_root.empty()) break;
    }
  }
  for (const char* kernel : {"/proc", "/sys", "/dev"})
    if (is_at_or_below(facts.docker_data_root, kernel)) facts.docker_data_root.clear();
  if (facts.docker_data_root == "/") facts.docker_data_root.clear();
  if (facts.root.filesystem != "overlay") return ok();
  for (const std::string& path : data_root_paths(facts)) {
    auto directory = sys::open_in_root(root.get(), path, O_RDONLY | O_DIRECTORY);
    if (!directory && says_nothing(directory.error())) return std::move(directory).error();
    if (!directory) continue;
    const auto entries = TRY(sys::list_directory_at(directory->get(), ".").during(path));
    if (!entries.empty()) facts.preloaded.push_back(path);
  }
  return ok();
}

void make_sources_absolute(oci::Spec& spec, const std::string& bundle) {
  spec.root.path = absolute(spec.root.path, bundle);
  for (oci::Mount& mount : spec.mounts)
    if (oci::is_bind(mount, oci::parse_mount_options(mount.options))) mount.source = absolute(mount.source, bundle);
}

}  // namespace caisson::nest

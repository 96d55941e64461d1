#include "caisson/nest/create.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "caisson/nest/gather.h"
#include "caisson/nest/plan.h"
#include "caisson/nest/quarters.h"
#include "caisson/nest/report.h"
#include "caisson/oci/document.h"
#include "caisson/oci/validate.h"
#include "caisson/procview/procview.h"
#include "caisson/seccomp/notify.h"
#include "caisson/shim/shim.h"
#include "caisson/sys/copy_tree.h"
#include "caisson/sys/directory.h"
#include "caisson/sys/execute.h"
#include "caisson/sys/file.h"
#include "caisson/sys/link.h"
#include "caisson/sys/mount.h"
#include "caisson/sys/path.h"
#include "caisson/sys/process_stat.h"
#include "caisson/sys/user_namespace.h"

namespace caisson::nest {
namespace {

constexpr std::uint64_t overlayfs_magic = 0x794c7630;

// The bundle as an absolute path without links, so that it means the same to everybody.
Result<std::string> bundle_of(const CommandLine& line) {
  const std::string given = line.bundle.empty() ? "." : line.bundle;
  const sys::UniqueFd dir = TRY(sys::open_file(given, O_PATH | O_DIRECTORY).during("--bundle"));
  return sys::read_link_at(AT_FDCWD, "/proc/self/fd/" + std::to_string(dir.get()));
}

Result<oci::Document> read_config(const std::string& bundle) {
  auto text = sys::read_file(bundle + "/config.json");
  if (!text && text.error().is(ENOENT))
    return Error::of(Kind::not_found, "JSON specification file config.json not found");
  if (!text) return std::move(text).error();
  return oci::Document::parse(*text, "config.json");
}

std::string identity_of(const RootFacts& root) {
  return root.overlay && !root.overlay->upper.empty() ? root.overlay->upper : root.path;
}

// Ours, beside the engine's: two overlays must not share one, and the engine's own is still mounted.
std::string work_directory(const RootFacts& root) {
  if (!root.overlay || root.overlay->upper.empty()) return "";
  return root.overlay->upper.substr(0, root.overlay->upper.rfind('/')) + "/caisson-work";
}

Result<void> make_data_roots(const Plan& plan, const Facts& facts) {
  for (const DataRoot& root : plan.data_roots) {
    if (root.preload) continue;
    auto made = sys::make_directory_at(AT_FDCWD, root.directory, 0711);
    if (!made && !made.error().is(EEXIST)) return made;
    if (made && !facts.data_can_idmap)
      TRY(sys::change_owner_at(AT_FDCWD, root.directory, facts.first_id, facts.first_id));
  }
  return ok();
}

Result<void> copy_from_image(const DataRoot& root, const std::string& image, const std::string& copy) {
  const sys::UniqueFd top = TRY(sys::open_file(image, O_PATH | O_DIRECTORY));
  const sys::UniqueFd from = TRY(sys::open_in_root(top.get(), root.destination, O_RDONLY | O_DIRECTORY));
  TRY(sys::make_directory_at(AT_FDCWD, copy, 0711));
  const sys::UniqueFd to = TRY(sys::open_file(copy, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  return sys::copy_tree(from.get(), to.get());
}

// Not under the lock: it takes as long as the image is big. Whole or not at all, by rename.
Result<void> preload(const std::vector<DataRoot>& roots, const std::string& image) {
  for (const DataRoot& root : roots) {
    if (!root.preload || sys::exists(root.directory)) continue;
    const std::string copy = root.directory + ".partial";
    TRY(sys::remove_tree_at(AT_FDCWD, copy));
    auto copied = copy_from_image(root, image, copy);
    if (!copied) {
      (void)sys::remove_tree_at(AT_FDCWD, copy);
      return std::move(copied).during("copy what the image has in " + root.destination);
    }
    TRY(sys::rename_path(copy, root.directory));
  }
  return ok();
}

// An ID that is in use is refused before anything of its nest is touched. What a crash left is cleared away.
Result<void> check_name(Store& store, const Name& name) {
  auto live = store.find_live(name);
  if (!live) return live.error().kind() == Kind::not_found ? ok() : Result<void>(Error(live.error()));
  if (store.is_alive(*live)) return Error::of(Kind::conflict, "container with given ID already exists");
  return store.release(name);
}

void plan_release_hook(Facts& facts, const Context& context, const Name& name) {
  facts.program = context.program;
  facts.release_arguments = {"caisson-nest", "--root", name.runtime_root, "release", name.id};
  facts.release_environment = {"CAISSON_NEST_STATE=" + context.places.state, "CAISSON_NEST_RUN=" + context.places.run};
}

bool carries_overlays(const std::string& directory) {
  auto fd = sys::open_file(directory, O_PATH | O_DIRECTORY);
  if (!fd) return false;
  auto magic = sys::filesystem_magic(fd->get());
  return magic && *magic != overlayfs_magic;
}

// In a user namespace there are no ranges to give, and every id is the nest's own that we are in: the one inside has
// them all, under the same numbers. That goes on to any depth.
Result<void> share_ids(oci::Spec& spec) {
  const auto same = [](const std::string& path) -> Result<std::vector<oci::IdMapping>> {
    const std::vector<sys::IdExtent> all = TRY(sys::read_id_map(path));
    std::vector<oci::IdMapping> out;
    for (const sys::IdExtent& extent : all)
      out.push_back({.container_id = extent.inside, .host_id = extent.inside, .size = extent.count});
    return out;
  };
  oci::Linux& linux = spec.linux;
  linux.uid_mappings = TRY(same("/proc/self/uid_map"));
  linux.gid_mappings = TRY(same("/proc/self/gid_map"));
  if (!linux.has(oci::NamespaceType::user)) linux.namespaces.push_back({.type = oci::NamespaceType::user, .path = ""});
  return ok();
}

std::uint32_t host_root(const std::vector<oci::IdMapping>& maps) {
  const auto root = std::ranges::find(maps, 0U, &oci::IdMapping::container_id);
  return root == maps.end() ? 0 : root->host_id;
}

// From here on something is on disk: the caller releases it on an error.
Result<std::vector<DataRoot>> write_nest(Store& store, const Context& context, oci::Document& document, oci::Spec spec,
                                         Facts& facts, Live& live) {
  const bool own_ids = owner_of(spec) == Owner::nest;
  // Only on an overlay does a nest have data of its own: see plan_mounts.cc.
  const bool keeps = facts.root.filesystem == "overlay";
  const std::string identity = identity_of(facts.root);
  const Record record =
      TRY(keeps ? store.make(live.name.id, identity, own_ids) : store.make_passing(live.name, identity, own_ids));
  if (keeps) TRY(store.check_key(record.key, live.name));
  live.key = record.key;
  facts.first_id = record.first_id;
  facts.root_uid = own_ids ? record.first_id : host_root(spec.linux.uid_mappings);
  facts.root_gid = own_ids ? record.first_id : host_root(spec.linux.gid_mappings);
  const std::string data = store.directory(record.key) + "/data";
  if (keeps && carries_overlays(data)) facts.data_directory = data;
  if (!facts.listener.empty()) facts.listener = store.run_directory(live.name) + "/" + shim::socket_name;
  facts.view = store.run_directory(live.name) + "/" + view_name;
  TRY(gather_sources(facts, spec));
  Plan plan = TRY(plan_nest(std::move(spec), facts));
  TRY(make_data_roots(plan, facts));
  TRY(store.claim(live, plan.exclusive));
  if (!live.work.empty() && own_ids) TRY(sys::make_directories(live.work, 0700));
  document.put(plan.spec);
  TRY(sys::replace_file(store.run_directory(live.name) + "/config.json", document.print(), 0600));
  for (const std::string& warning : plan.warnings) report(context.line, Level::warning, warning);
  return std::move(plan.data_roots);
}

// Holds the lock as long as the records are in the making.
Result<std::vector<DataRoot>> write_locked(const Context& context, oci::Document& document, oci::Spec spec,
                                           Facts& facts, Live& live) {
  Store store = TRY(Store::open(context.places));
  TRY(store.prune());
  TRY(check_name(store, live.name));
  auto written = write_nest(store, context, document, std::move(spec), facts, live);
  // Before the claims there is only the record, which another container of the same root and ID may have left.
  if (!written && !store.release(live.name) && !live.key.empty()) (void)store.drop_if_empty(live.key);
  return written;
}

// A nest without it sees the host's memory and processors, and cannot set what has no namespace.
Result<procview::Connection> connect_view(Facts& facts, const oci::Spec& spec) {
  const bool owner_known = owner_of(spec) == Owner::nest || !spec.linux.uid_mappings.empty();
  if (facts.listener.empty() || !owner_known || facts.terms.profile == Profile::minimal) return procview::Connection();
  auto view = procview::connect().during("view of /proc and /sys");
  if (!view && sys::is_shortage(view.error())) return view;
  if (!view) return procview::Connection();  // not on this kernel, or not for us
  const auto may_exist = [](const std::string& path) { return !sys::is_absent(path); };
  facts.overmounts = procview::overmounts(may_exist, procview::PidMax::global);
  return view;
}

// Above whatever an engine hands on.
constexpr int inherited_least = 1000;

// Mounted below the nest's run directory, so that the runtime can bind its parts and the supervisor its copies.
Result<void> mount_view(const std::string& directory, const procview::Connection& view, std::uint32_t uid,
                        std::uint32_t gid) {
  const std::string values = directory + "/" + values_name;
  const std::string place = directory + "/" + view_name;
  TRY(sys::make_directories(values, 0700));
  TRY(sys::change_owner_at(AT_FDCWD, values, uid, gid));
  TRY(sys::make_directories(place, 0700));
  const sys::UniqueFd target = TRY(sys::open_file(place, O_PATH | O_DIRECTORY));
  return sys::attach_mount(view.mount.get(), target.get());
}

// With `flag` before each descriptor that the shim gets.
Result<void> pass_on(int fd, const char* flag, std::vector<std::string>& argv, std::vector<sys::UniqueFd>& inherited) {
  sys::UniqueFd copy = TRY(sys::duplicate_inherited(fd, inherited_least));
  inherited.push_back(std::move(copy));
  argv.insert(argv.end(), {flag, std::to_string(inherited.back().get())});
  return ok();
}

Result<void> start_shim(const std::string& directory, const procview::Connection& view, std::uint32_t uid,
                        std::uint32_t gid) {
  std::vector<std::string> argv = {"caisson-shim", "--directory", directory, "--creator", std::to_string(::getpid())};
  std::vector<sys::UniqueFd> inherited;
  if (view.fuse) {
    TRY(mount_view(directory, view, uid, gid).during("view of /proc and /sys"));
    TRY(pass_on(view.fuse.get(), "--view", argv, inherited));
  }
  const Quarters quarters = TRY(make_quarters(directory).during("cgroup of the nest's supervisor"));
  for (const sys::UniqueFd& tasks : quarters.tasks) TRY(pass_on(tasks.get(), "--tasks", argv, inherited));
  if (quarters.unified) TRY(pass_on(quarters.unified.get(), "--unified", argv, inherited));
  const auto started = TRY(sys::execute("/proc/self/exe", argv, sys::Stdout::inherit));
  if (started.status == 0) return ok();
  if (started.status < 128 && ::strerrorname_np(started.status) != nullptr)
    return Error::os(started.status, "start the nest's shim");
  return Error::of(Kind::internal, "the nest's shim died as it started");
}

}  // namespace

Result<std::vector<std::string>> prepare(const Context& context) {
  const CommandLine& line = context.line;
  if (::geteuid() != 0) return Error::of(Kind::denied, "caisson-nest must be started by root");
  TRY(oci::validate_id(line.id));
  const std::string bundle = TRY(bundle_of(line));
  oci::Document document = TRY(read_config(bundle));
  oci::Spec spec = TRY(document.spec());
  const bool nested = TRY(sys::in_user_namespace());
  if (owner_of(spec) == Owner::nest && nested) TRY(share_ids(spec));
  make_sources_absolute(spec, bundle);

  Facts facts;
  facts.bundle = bundle;
  facts.terms = TRY(choose_terms(spec.annotations, line.terms));
  facts.granted = TRY(gather_granted(facts.terms.grants));
  facts.root = TRY(gather_root(spec, bundle));
  TRY(gather_limits(facts));
  TRY(gather_image(facts));
  TRY(gather_devices(facts));
  // Below another's listener (a nest in a nest) that one's supervisor answers for us too.
  if (!nested || seccomp::can_listen()) facts.listener = shim::socket_name;
  const procview::Connection view = TRY(connect_view(facts, spec));

  Live live;
  live.name = {.runtime_root = context.runtime_root, .id = line.id};
  live.creator = ::getpid();
  const sys::ProcessStat self = TRY(sys::process_stat(::getpid()));
  live.creator_start = self.start_time;
  live.work = work_directory(facts.root);
  if (facts.root.overlay && owner_of(spec) == Owner::nest) facts.root.overlay->work = live.work;
  if (owner_of(spec) != Owner::nest) live.work.clear();
  plan_release_hook(facts, context, live.name);

  auto written = write_locked(context, document, std::move(spec), facts, live);
  if (!written) {
    (void)sweep(context.places);
    return std::move(written).error();
  }
  const std::vector<DataRoot> roots = *std::move(written);
  auto loaded = preload(roots, facts.root.path);
  if (!loaded) {
    (void)release(context, line.id);
    return std::move(loaded).error();
  }
  auto started = facts.listener.empty()
                     ? ok()
                     : start_shim(run_directory(context.places, live.name), view, facts.root_uid, facts.root_gid);
  if (!started) {
    (void)release(context, line.id);
    return std::move(started).error();
  }
  std::vector<std::string> argv = {"caisson-runtime"};
  argv.insert(argv.end(), line.global.begin(), line.global.end());
  argv.push_back(line.command);
  for (std::string& word : with_flag(line, "bundle", run_directory(context.places, live.name)))
    argv.push_back(std::move(word));
  return argv;
}

Result<void> release(const Context& context, const std::string& id) {
  {
    Store store = TRY(Store::open(context.places));
    TRY(store.release({.runtime_root = context.runtime_root, .id = id}));
    TRY(store.prune());
  }
  return sweep(context.places);
}

Result<void> clear(const Context& context, const std::string& id) {
  const Name name{.runtime_root = context.runtime_root, .id = id};
  if (!sys::is_absent(name.runtime_root + "/" + id)) return ok();
  {
    Store store = TRY(Store::open(context.places));
    TRY(store.clear(name));
  }
  return sweep(context.places);
}

namespace {

Result<void> give_up(const Context& context, const std::string& id) {
  Store store = TRY(Store::open(context.places));
  const Name name{.runtime_root = context.runtime_root, .id = id};
  if (auto live = store.find_live(name)) {
    if (store.is_alive(*live))
      return Error::of(Kind::conflict, "nest " + id + " still has its container: delete it first");
    TRY(store.release(name));
  }
  const auto records = TRY(store.all());
  bool found = false;
  for (const Record& record : records) {
    if (record.id != id) continue;
    found = true;
    if (store.has_live(record.key))
      return Error::of(Kind::conflict, "nest " + id + " still has its container: delete it first");
    TRY(store.remove(record.key));
  }
  if (!found) return Error::of(Kind::not_found, "nest " + id + " does not exist");
  return ok();
}

}  // namespace

Result<void> forget(const Context& context, const std::string& id) {
  TRY(give_up(context, id));
  return sweep(context.places);
}

}  // namespace caisson::nest

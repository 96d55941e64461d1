#include "caisson/nest/quarters.h"

#include <algorithm>
#include <string_view>

#include "caisson/cgroup/group.h"
#include "caisson/cgroup/layout.h"
#include "caisson/sys/directory.h"
#include "caisson/sys/file.h"

namespace caisson::nest {
namespace {

constexpr char place_name[] = "/supervisor.cgroup";
constexpr std::string_view top = "/caisson";

// What is counted or limited there. Of the others it stays a member as its caller is.
bool matters(const cgroup::Hierarchy& hierarchy) {
  return hierarchy.version == cgroup::Version::v2 || hierarchy.has("cpu") || hierarchy.has("memory") ||
         hierarchy.has("pids");
}

// RUN/HASH/ID is /caisson/HASH-ID.
std::string path_of(const std::string& directory) {
  std::string name = directory.substr(directory.rfind('/', directory.rfind('/') - 1) + 1);
  std::ranges::replace(name, '/', '-');
  return std::string(top) + "/" + name;
}

Result<Quarters> make(const std::string& directory) {
  cgroup::Layout layout = TRY(cgroup::load_layout());
  std::erase_if(layout.hierarchies, [](const auto& hierarchy) { return !matters(hierarchy); });
  cgroup::Placement placement = TRY(cgroup::place(layout, path_of(directory), {}));
  TRY(sys::replace_file(directory + place_name, cgroup::print(placement), 0600));
  cgroup::Group group = TRY(cgroup::Group::create(std::move(placement), nullptr, {.denied = cgroup::Denied::skip}));
  auto doors = group.join_fds();
  if (!doors) {
    group.discard();
    return std::move(doors).error();
  }
  return Quarters{.tasks = std::move(doors->tasks), .unified = std::move(doors->unified)};
}

}  // namespace

Result<Quarters> make_quarters(const std::string& directory) {
  auto made = make(directory);
  if (!made && !sys::is_shortage(made.error())) return Quarters();
  return made;
}

void remove_quarters(const std::string& directory) {
  auto text = sys::read_file(directory + place_name);
  if (!text) return;
  auto placement = cgroup::parse_placement(*text);
  if (!placement) return;
  (void)cgroup::Group::open(*placement).remove();
  for (const cgroup::Directory& each : placement->directories)
    (void)sys::remove_directory(each.mount_point + std::string(top));  // the last one takes it along
}

}  // namespace caisson::nest

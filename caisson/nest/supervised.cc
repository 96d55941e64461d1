#include "caisson/nest/supervised.h"

#include <fcntl.h>

#include <algorithm>
#include <charconv>

#include "caisson/nest/caller.h"
#include "caisson/sys/file.h"

namespace caisson::nest {
namespace {

// Lines of "INSIDE HOST COUNT". source: user_namespaces(7)
std::vector<HostRange> parse_ranges(std::string_view text) {
  std::vector<HostRange> out;
  while (!text.empty()) {
    std::uint32_t numbers[3] = {};
    for (std::uint32_t& number : numbers) {
      text.remove_prefix(std::min(text.find_first_not_of(" \n"), text.size()));
      const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
      text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()));
    }
    if (numbers[2] != 0) out.push_back({.first = numbers[1], .count = numbers[2]});
    text.remove_prefix(std::min(text.find_first_not_of(" \n"), text.size()));
  }
  return out;
}

}  // namespace

bool Supervised::owns(uid_t uid) const {
  return std::ranges::any_of(uids, [&](const HostRange& r) { return uid >= r.first && uid - r.first < r.count; });
}

Result<void> learn(Supervised& nest, pid_t init) {
  const std::string at = "/proc/" + std::to_string(init);
  nest.host_mounts = TRY(sys::open_file("/proc/self/ns/mnt", O_RDONLY));
  nest.host_network = TRY(sys::open_file("/proc/self/ns/net", O_RDONLY));
  const sys::UniqueFd user = TRY(sys::open_file(at + "/ns/user", O_RDONLY));
  nest.user_namespace = TRY(namespace_id(user.get()));
  const std::string map = TRY(sys::read_file(at + "/uid_map"));
  nest.uids = parse_ranges(map);
  nest.init = init;
  return ok();
}

}  // namespace caisson::nest

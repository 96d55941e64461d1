#include "caisson/runtime/net_devices.h"

#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <sys/stat.h>

#include <algorithm>
#include <set>

#include "caisson/sys/file.h"
#include "caisson/sys/raw.h"

namespace caisson::runtime {
namespace {

namespace raw = sys::raw;

Result<void> enter(int network_namespace) {
  const long r = raw::call(SYS_setns, network_namespace, CLONE_NEWNET);
  if (r < 0) return Error::os(static_cast<int>(-r), "setns");
  return ok();
}

// A socket belongs to the namespace it was made in: we are there for no longer than that.
Result<sys::RouteSocket> socket_inside(int network_namespace, int home) {
  TRY(enter(network_namespace).during("join the container's network namespace"));
  auto socket = sys::RouteSocket::open();
  TRY(enter(home).during("return to the network namespace"));
  return socket;
}

Result<void> must_differ(int a, int b) {
  const struct stat first = TRY(sys::status_of(a));
  const struct stat second = TRY(sys::status_of(b));
  if (first.st_dev != second.st_dev || first.st_ino != second.st_ino) return ok();
  return Error::of(Kind::invalid, "the container's network namespace is the one the devices are in");
}

bool is_template(const std::string& name) { return name.find('%') != std::string::npos; }

// What was configured for this device, and not what the network gave it or the kernel made up for a link.
bool goes_with_it(const sys::NetAddress& address) {
  return (address.flags & IFA_F_PERMANENT) != 0 && address.scope == RT_SCOPE_UNIVERSE;
}

}  // namespace

Result<std::vector<NetDeviceMove>> plan_net_devices(const oci::Linux& linux) {
  std::vector<NetDeviceMove> out;
  std::set<std::string> names;
  for (const auto& [name, device] : linux.net_devices) {
    const std::string inside = device.name.empty() ? name : device.name;
    if (!is_template(inside) && !names.insert(inside).second)
      return Error::of(Kind::invalid, "linux.netDevices: two devices named " + inside);
    out.push_back({name, inside});
  }
  return out;
}

Result<NetDevices> NetDevices::move(const std::vector<NetDeviceMove>& moves, int network_namespace) {
  sys::UniqueFd home = TRY(sys::open_file("/proc/self/ns/net", O_RDONLY));
  TRY(must_differ(home.get(), network_namespace));
  sys::RouteSocket here = TRY(sys::RouteSocket::open());
  sys::RouteSocket inside = TRY(socket_inside(network_namespace, home.get()));
  NetDevices out(std::move(home), std::move(here), std::move(inside));
  for (const NetDeviceMove& m : moves) TRY(out.look_up(m).during("network device " + m.name));
  for (Device& device : out.devices_) {
    auto moved = out.bring_in(device, network_namespace).during("network device " + device.move.name);
    if (moved) continue;
    out.give_back();
    return std::move(moved).error();
  }
  return out;
}

Result<void> NetDevices::look_up(const NetDeviceMove& move) {
  Device device{.move = move, .before = {}, .addresses = {}};
  device.before = TRY(here_.device(move.name));
  auto addresses = TRY(here_.addresses(device.before.index).during("addresses"));
  std::ranges::copy_if(addresses, std::back_inserter(device.addresses), goes_with_it);
  if (!is_template(move.inside) && inside_.device(move.inside))
    return Error::os(EEXIST, "the container has a device " + move.inside);
  devices_.push_back(std::move(device));
  return ok();
}

Result<int> NetDevices::index_of(const Device& device, const std::vector<sys::NetDevice>& before) const {
  if (!is_template(device.move.inside)) {
    const sys::NetDevice found = TRY(inside_.device(device.move.inside));
    return found.index;
  }
  const auto after = TRY(inside_.devices());
  for (const sys::NetDevice& found : after) {
    const bool there = std::ranges::any_of(before, [&](const sys::NetDevice& d) { return d.index == found.index; });
    if (!there) return found.index;
  }
  return Error::os(ENODEV, "not found in the container");
}

Result<void> NetDevices::bring_in(Device& device, int network_namespace) const {
  std::vector<sys::NetDevice> before;
  if (is_template(device.move.inside)) before = TRY(inside_.devices());
  TRY(here_.move(device.before.index, device.move.inside, network_namespace).during("move to the container"));
  device.index_inside = TRY(index_of(device, before));
  for (const sys::NetAddress& address : device.addresses)
    TRY(inside_.add_address(device.index_inside, address).during("set an address"));
  return inside_.set_up(device.index_inside).during("set up");
}

void NetDevices::give_back() {
  for (Device& device : devices_) {
    if (device.index_inside == 0) continue;
    if (!inside_.move(device.index_inside, device.move.name, home_.get())) continue;
    device.index_inside = 0;
    const auto found = here_.device(device.move.name);
    if (!found) continue;
    for (const sys::NetAddress& address : device.addresses) (void)here_.add_address(found->index, address);
    if (device.before.up) (void)here_.set_up(found->index);
  }
}

}  // namespace caisson::runtime

#include "caisson/cgroup/unit_manager.h"

#include <charconv>
#include <chrono>

namespace caisson::cgroup {
namespace {

using std::chrono_literals::operator""s;

constexpr std::chrono::seconds patience = 30s;  // for a job, as runc
constexpr char service[] = "org.freedesktop.systemd1";
constexpr char object[] = "/org/freedesktop/systemd1";
constexpr char manager[] = "org.freedesktop.systemd1.Manager";
constexpr char unit_exists[] = "org.freedesktop.systemd1.UnitExists";
constexpr char no_such_unit[] = "org.freedesktop.systemd1.NoSuchUnit";

bool is_error(const dbus::Message& message, std::string_view name) {
  return message.type == dbus::Type::error && message.error_name == name;
}

Error refusal(const dbus::Message& message) {
  const Kind kind = message.error_name == unit_exists ? Kind::conflict : Kind::os;
  return Error::of(kind, dbus::error_text(message));
}

std::string quoted(const std::string& unit) { return "\"" + unit + "\""; }

}  // namespace

std::vector<Endpoint> endpoints(Systemd systemd, const BusEnvironment& environment) {
  std::vector<Endpoint> out;
  auto add = [&](const std::string& address, const std::string& fallback) {
    for (std::string& path : dbus::socket_paths(address)) out.push_back({std::move(path), dbus::Peer::bus});
    if (address.empty() && !fallback.empty()) out.push_back({fallback, dbus::Peer::bus});
  };
  if (systemd == Systemd::system) {
    add(environment.system_address, "/run/dbus/system_bus_socket");
    out.push_back({"/run/systemd/private", dbus::Peer::direct});
    return out;
  }
  const std::string& directory = environment.runtime_directory;
  add(environment.session_address, directory.empty() ? "" : directory + "/bus");
  if (!directory.empty()) out.push_back({directory + "/systemd/private", dbus::Peer::direct});
  return out;
}

Result<UnitManager> UnitManager::connect(const std::vector<Endpoint>& endpoints) {
  Error last = Error::of(Kind::unsupported, "neither DBUS_SESSION_BUS_ADDRESS nor XDG_RUNTIME_DIR is set");
  for (const Endpoint& endpoint : endpoints) {
    const sys::Instant deadline = sys::now() + patience;
    auto connection = dbus::Connection::open(endpoint.socket, endpoint.peer, deadline);
    if (!connection) {
      last = std::move(connection).error();
      continue;
    }
    UnitManager out(std::move(*connection));
    auto version = out.property("Version", deadline);
    if (!version) {  // a bus without systemd
      last = std::move(version).error().during(endpoint.socket);
      continue;
    }
    const std::size_t digit = std::min((*version).find_first_of("0123456789"), (*version).size());
    std::from_chars((*version).data() + digit, (*version).data() + (*version).size(), out.version_);
    out.cgroup_ = TRY(out.property("ControlGroup", deadline).during(endpoint.socket));
    return out;
  }
  return std::move(last).during("systemd cannot be reached");
}

Result<dbus::Message> UnitManager::call(const char* member, dbus::Body body, sys::Instant deadline) {
  return connection_.call({service, object, manager, member, std::move(body)}, deadline);
}

Result<std::string> UnitManager::property(const char* name, sys::Instant deadline) {
  dbus::Body body;
  body.text(manager).text(name);
  dbus::Message reply =
      TRY(connection_.call({service, object, "org.freedesktop.DBus.Properties", "Get", std::move(body)}, deadline));
  if (reply.type == dbus::Type::error) return refusal(reply);
  auto text = dbus::Reader(reply).text();
  if (!text) return Error::of(Kind::invalid, std::string("D-Bus: ") + name + " is not a string");
  owner_ = std::move(reply.sender);
  return std::move(*text);
}

// A bus tells nobody of jobs who has not asked, and systemd tells a bus only if somebody there has.
Result<void> UnitManager::subscribe(sys::Instant deadline) {
  if (subscribed_) return ok();
  TRY(connection_.subscribe(service, manager, "JobRemoved", deadline));
  const dbus::Message reply = TRY(call("Subscribe", {}, deadline));
  if (reply.type == dbus::Type::error && !is_error(reply, "org.freedesktop.systemd1.AlreadySubscribed"))
    return refusal(reply).during("Subscribe");
  subscribed_ = true;
  return ok();
}

// Whether somebody's failure is remembered, or the unit there, does not matter.
void UnitManager::reset_failed(const std::string& unit) {
  dbus::Body body;
  body.text(unit);
  (void)call("ResetFailedUnit", std::move(body), sys::now() + patience);
}

// The job's result, "done" or another. Anybody on a bus may send such a signal: only systemd's own counts.
Result<std::string> UnitManager::wait_job(const dbus::Message& reply, sys::Instant deadline) {
  const auto job = dbus::Reader(reply).text();
  if (!job) return Error::of(Kind::invalid, "D-Bus: the reply names no job");
  for (;;) {
    const dbus::Message signal = TRY(connection_.wait_signal("JobRemoved", deadline));
    if (signal.sender != owner_) continue;
    dbus::Reader reader(signal);
    (void)reader.number();
    const auto which = reader.text();
    (void)reader.text();
    auto result = reader.text();
    if (which == job && result) return std::move(*result);
  }
}

Result<void> UnitManager::start(const std::string& unit, const Properties& properties) {
  const sys::Instant deadline = sys::now() + patience;
  TRY(subscribe(deadline));
  auto ask = [&] {
    dbus::Body body;
    body.text(unit).text("replace").properties(properties).no_units();
    return call("StartTransientUnit", std::move(body), deadline);
  };
  dbus::Message reply = TRY(ask());
  if (is_error(reply, unit_exists)) {
    reset_failed(unit);
    reply = TRY(ask());
  }
  if (reply.type == dbus::Type::error) return refusal(reply).during("unable to start unit " + quoted(unit));
  auto result = wait_job(reply, deadline);
  if (result && *result == "done") return ok();
  reset_failed(unit);
  if (result) return Error::of(Kind::os, "error creating systemd unit `" + unit + "`: got `" + *result + "`");
  if (result.error().is(ETIMEDOUT)) return Error::os(ETIMEDOUT, "Timeout waiting for systemd to create " + unit);
  return std::move(result).error().during("unable to start unit " + quoted(unit));
}

Result<void> UnitManager::set_properties(const std::string& unit, const Properties& properties) {
  if (properties.empty()) return ok();
  dbus::Body body;
  body.text(unit).boolean(true).properties(properties);  // until the next boot only
  const dbus::Message reply = TRY(call("SetUnitProperties", std::move(body), sys::now() + patience));
  if (reply.type == dbus::Type::error) return refusal(reply).during("unable to set unit properties of " + quoted(unit));
  return ok();
}

Result<void> UnitManager::stop(const std::string& unit) {
  const sys::Instant deadline = sys::now() + patience;
  TRY(subscribe(deadline));
  dbus::Body body;
  body.text(unit).text("replace");
  const dbus::Message reply = TRY(call("StopUnit", std::move(body), deadline));
  if (reply.type == dbus::Type::error && !is_error(reply, no_such_unit))
    return refusal(reply).during("unable to stop unit " + quoted(unit));
  if (reply.type == dbus::Type::error) return ok();
  auto result = wait_job(reply, deadline);
  reset_failed(unit);
  // A stop that another job overtook, or that failed: what is left of it is the caller's to kill and remove.
  if (result) return ok();
  return std::move(result).error().during("unable to stop unit " + quoted(unit));
}

Result<void> UnitManager::attach(const std::string& unit, pid_t pid) {
  dbus::Body body;
  const std::uint32_t pids[] = {static_cast<std::uint32_t>(pid)};
  body.text(unit).text("").numbers(pids);
  const dbus::Message reply = TRY(call("AttachProcessesToUnit", std::move(body), sys::now() + patience));
  if (reply.type == dbus::Type::error) return refusal(reply).during("unable to attach to unit " + quoted(unit));
  return ok();
}

}  // namespace caisson::cgroup

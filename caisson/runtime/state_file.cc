// state.json and the runtime-spec's state: text to struct and back. Pure.
// Layer: runtime. Declared in state.h; used by the state store and by hooks.
// SPDX-License-Identifier: Apache-2.0
#include <boost/json.hpp>

#include "caisson/runtime/json.h"
#include "caisson/runtime/state.h"

namespace caisson::runtime {
namespace {

Error damaged(std::string_view why) { return Error::of(Kind::invalid, "state.json is damaged: " + std::string(why)); }

// Reads members of one object; remembers the first thing that is wrong.
class Reader {
 public:
  explicit Reader(const boost::json::object& object) : object_(object) {}

  void text(const char* key, std::string& out) {
    const auto* value = object_.if_contains(key);
    const auto* string = value != nullptr ? value->if_string() : nullptr;
    if (string == nullptr) return wrong(key);
    out.assign(string->data(), string->size());
  }

  void text_if_there(const char* key, std::string& out) {
    if (object_.contains(key)) text(key, out);
  }

  void boolean(const char* key, bool& out) {
    const auto* value = object_.if_contains(key);
    const auto* boolean = value != nullptr ? value->if_bool() : nullptr;
    if (boolean == nullptr) return wrong(key);
    out = *boolean;
  }

  template <class Number>
  void number(const char* key, Number& out) {
    const auto* value = object_.if_contains(key);
    const auto* number = value != nullptr ? value->if_int64() : nullptr;
    if (number == nullptr || *number < 0 || !std::in_range<Number>(*number)) return wrong(key);
    out = static_cast<Number>(*number);
  }

  void texts(const char* key, std::map<std::string, std::string>& out) {
    const auto* value = object_.if_contains(key);
    const auto* members = value != nullptr ? value->if_object() : nullptr;
    if (members == nullptr) return wrong(key);
    for (const auto& member : *members) {
      const auto* string = member.value().if_string();
      if (string == nullptr) return wrong(key);
      out.emplace(std::string(member.key().data(), member.key().size()), std::string(string->data(), string->size()));
    }
  }

  bool has(const char* key) const { return object_.contains(key); }
  const std::string& problem() const { return problem_; }

 private:
  void wrong(const char* key) {
    if (problem_.empty()) problem_ = key;
  }
  const boost::json::object& object_;
  std::string problem_;
};

}  // namespace

std::string print_state_file(const ContainerState& state) {
  JsonObject out(Bytes::keep);
  out.text("ociVersion", state.oci_version)
      .text("id", state.id)
      .number("pid", state.pid)
      .number("startTime", state.start_time)
      .text("created", state.created)
      .text("bundle", state.bundle)
      .text("rootfs", state.rootfs)
      .text("owner", state.owner)
      .text("cgroup", state.cgroup)
      .boolean("systemdCgroup", state.systemd_cgroup)
      .text("systemdUnit", state.systemd_unit)
      .boolean("systemdUser", state.systemd_user)
      .boolean("ownPidNamespace", state.own_pid_namespace)
      .texts("annotations", state.annotations);
  if (!state.rdt.empty()) out.text("rdt", state.rdt);
  return out.take();
}

Result<ContainerState> parse_state_file(std::string_view text) {
  boost::json::parse_options options;
  options.allow_invalid_utf8 = true;  // a bundle's path need not be UTF-8
  boost::json::error_code error;
  unsigned char buffer[4096];
  boost::json::monotonic_resource memory(buffer);
  const boost::json::value document =
      boost::json::parse(boost::json::string_view(text.data(), text.size()), error, &memory, options);
  if (error) return damaged("not JSON");
  if (!document.is_object()) return damaged("not an object");
  Reader reader(*document.if_object());
  ContainerState out;
  reader.text("ociVersion", out.oci_version);
  reader.text("id", out.id);
  reader.number("pid", out.pid);
  reader.number("startTime", out.start_time);
  reader.text("created", out.created);
  reader.text("bundle", out.bundle);
  reader.text("rootfs", out.rootfs);
  reader.text("owner", out.owner);
  reader.text("cgroup", out.cgroup);
  reader.text_if_there("rdt", out.rdt);
  reader.boolean("systemdCgroup", out.systemd_cgroup);
  if (reader.has("systemdUnit")) {  // not of a container that an older version made
    reader.text("systemdUnit", out.systemd_unit);
    reader.boolean("systemdUser", out.systemd_user);
  }
  reader.boolean("ownPidNamespace", out.own_pid_namespace);
  reader.texts("annotations", out.annotations);
  if (!reader.problem().empty()) return damaged(reader.problem());
  return out;
}

std::string_view name_of(Status status) {
  switch (status) {
    case Status::creating:
      return "creating";
    case Status::created:
      return "created";
    case Status::running:
      return "running";
    case Status::paused:
      return "paused";
    case Status::stopped:
      return "stopped";
  }
  return "stopped";
}

oci::State oci_state(const ContainerState& state, Status status) {
  oci::State out;
  out.version = state.oci_version;
  out.id = state.id;
  out.pid = status == Status::stopped ? 0 : state.pid;
  out.status = name_of(status);
  out.bundle = state.bundle;
  out.annotations = state.annotations;
  return out;
}

std::string print_oci_state(const ContainerState& state, Status status) {
  return oci::print_state(oci_state(state, status), oci::Layout::line);
}

}  // namespace caisson::runtime

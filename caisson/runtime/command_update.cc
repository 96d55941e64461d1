// The command update: other limits for a container that is there.
// Layer: runtime. Declared in commands.h.
// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <optional>

#include "caisson/runtime/commands.h"
#include "caisson/runtime/rdt.h"
#include "caisson/runtime/status.h"
#include "caisson/runtime/systemd_unit.h"
#include "caisson/runtime/update_flags.h"
#include "caisson/sys/file.h"

namespace caisson::runtime {
namespace {

constexpr std::size_t resources_limit = 1 << 20;  // bytes of JSON

// Reads given flags into optional fields; remembers the first value that is wrong.
class FlagReader {
 public:
  explicit FlagReader(const Arguments& arguments) : arguments_(arguments) {}

  template <class Number>
  void number(std::string_view name, std::optional<Number>& out) {
    if (!arguments_.given(name)) return;
    const std::string text = arguments_.text(name);
    Number value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return wrong(name, text);
    out = value;
  }

  void bytes(std::string_view name, std::optional<std::int64_t>& out) {
    if (!arguments_.given(name)) return;
    const std::string text = arguments_.text(name);
    const auto value = parse_bytes(text);
    if (!value) return wrong(name, text);
    out = value;
  }

  void text(std::string_view name, std::string& out) {
    if (arguments_.given(name)) out = arguments_.text(name);
  }

  const std::string& problem() const { return problem_; }

 private:
  void wrong(std::string_view name, const std::string& text) {
    if (problem_.empty()) problem_ = "invalid value for " + std::string(name) + ": \"" + text + "\"";
  }
  const Arguments& arguments_;
  std::string problem_;
};

Result<oci::Resources> read_resources(const std::string& path) {
  std::string text;
  if (path == "-") {
    text = TRY(sys::read_all(STDIN_FILENO, resources_limit).during("stdin"));
  } else {
    text = TRY(sys::read_file(path, resources_limit));
  }
  oci::Resources out = TRY(oci::parse_resources(text));
  // Engines send what they once put into config.json, which starts with a rule that denies all devices. What the
  // container may use is decided when it is created, together with the devices it always has.
  out.devices.clear();
  return out;
}

}  // namespace

Result<oci::Resources> resources_of(const Arguments& arguments) {
  FlagReader reader(arguments);
  oci::Cpu cpu;
  reader.number("cpu-period", cpu.period);
  reader.number("cpu-quota", cpu.quota);
  reader.number("cpu-burst", cpu.burst);
  reader.number("cpu-share", cpu.shares);
  reader.number("cpu-rt-period", cpu.realtime_period);
  reader.number("cpu-rt-runtime", cpu.realtime_runtime);
  reader.number("cpu-idle", cpu.idle);
  reader.text("cpuset-cpus", cpu.cpus);
  reader.text("cpuset-mems", cpu.mems);
  oci::Memory memory;
  reader.bytes("memory", memory.limit);
  reader.bytes("memory-reservation", memory.reservation);
  reader.bytes("memory-swap", memory.swap);
  oci::Pids pids;
  oci::BlockIo block_io;
  if (arguments.given("pids-limit")) reader.number("pids-limit", pids.limit);
  if (arguments.number("blkio-weight") != 0) reader.number("blkio-weight", block_io.weight);
  if (!reader.problem().empty()) return Error::of(Kind::invalid, reader.problem());
  oci::Resources out;
  if (cpu != oci::Cpu()) out.cpu = cpu;
  if (memory != oci::Memory()) out.memory = memory;
  if (pids != oci::Pids()) out.pids = pids;
  if (block_io != oci::BlockIo()) out.block_io = block_io;
  return out;
}

namespace {

Result<void> update_rdt(const Arguments& arguments, const ContainerState& state) {
  const oci::IntelRdt rdt{.clos_id = "",
                          .schemata = {},
                          .l3_cache_schema = arguments.text("l3-cache-schema"),
                          .mem_bw_schema = arguments.text("mem-bw-schema"),
                          .enable_monitoring = false};
  if (rdt == oci::IntelRdt()) return ok();
  if (state.rdt.empty()) return Error::of(Kind::unsupported, "the container was created without linux.intelRdt");
  return update_rdt_group(parse_rdt_group(state.rdt), plan_rdt(rdt).schema);
}

}  // namespace

Result<int> update_command(Context& context, const Arguments& arguments) {
  const Container container = TRY(find_container(context.store, arguments.id()));
  oci::Resources resources;
  if (arguments.given("resources")) {
    resources = TRY(read_resources(arguments.text("resources")));
  } else {
    resources = TRY(resources_of(arguments));
  }
  if (container.status == Status::stopped) return not_running();
  if (!arguments.given("resources")) TRY(update_rdt(arguments, container.state).during("Intel RDT"));
  cgroup::Group group = TRY(group_of(container.state));
  TRY(update_unit(container.state, group, resources).during("failed to set the container's limits"));
  TRY(group.apply_resources(resources).during("failed to set the container's limits"));
  return 0;
}

}  // namespace caisson::runtime

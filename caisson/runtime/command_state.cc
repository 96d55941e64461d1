// The commands state and list: what containers there are, and what they are doing.
// Layer: runtime. Declared in commands.h.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "caisson/runtime/commands.h"
#include "caisson/runtime/status.h"
#include "caisson/sys/file.h"

namespace caisson::runtime {
namespace {

// runc's containerState: what Go callers decode.
oci::State full_state(const ContainerState& state, Status status) {
  oci::State out = oci_state(state, status);
  out.rootfs = state.rootfs;
  out.created = state.created;
  out.owner = state.owner;
  return out;
}

Result<int> print(std::string_view text) {
  TRY(sys::write_all(STDOUT_FILENO, text));
  return 0;
}

struct Row {  // a Container without its descriptor: there may be thousands
  ContainerState state;
  Status status;
};

// A container that is being created or deleted while we look is left out, a damaged one as well: the log says why.
std::vector<Row> all_containers(const Context& context, const std::vector<std::string>& ids) {
  std::vector<Row> out;
  for (const std::string& id : ids) {
    auto found = find_container(context.store, id);
    if (found) {
      out.push_back({std::move(found->state), found->status});
    } else if (found.error().kind() != Kind::not_found) {
      context.log.warning(found.error().message());
    }
  }
  return out;
}

// Columns of at least 12, two blanks apart, as Go's tabwriter(12, 1, 3) prints runc's list.
std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths(rows.front().size(), 12);
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size() + 3);
  std::string out;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      out += row[i];
      if (i + 1 < row.size()) out.append(widths[i] - row[i].size(), ' ');
    }
    out += '\n';
  }
  return out;
}

std::string table_of(const std::vector<Row>& containers) {
  std::vector<std::vector<std::string>> rows = {{"ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"}};
  for (const Row& c : containers)
    rows.push_back({c.state.id, std::to_string(c.status == Status::stopped ? 0 : c.state.pid),
                    std::string(name_of(c.status)), c.state.bundle, c.state.created, c.state.owner});
  return table(rows);
}

std::string json_of(const std::vector<Row>& containers) {
  std::vector<oci::State> states;
  for (const Row& c : containers) states.push_back(full_state(c.state, c.status));
  return oci::print_states(states) + "\n";
}

}  // namespace

Result<int> state_command(Context& context, const Arguments& arguments) {
  const Container container = TRY(find_container(context.store, arguments.id()));
  return print(oci::print_state(full_state(container.state, container.status), oci::Layout::indented));
}

Result<int> list_command(Context& context, const Arguments& arguments) {
  const std::string format = arguments.text("format");
  if (format != "table" && format != "json") return Error::of(Kind::invalid, "invalid format option");
  const std::vector<std::string> ids = TRY(context.store.ids());
  const std::vector<Row> containers = all_containers(context, ids);
  if (!arguments.on("quiet")) return print(format == "json" ? json_of(containers) : table_of(containers));
  std::string out;
  for (const Row& container : containers) out += container.state.id + "\n";
  return print(out);
}

}  // namespace caisson::runtime

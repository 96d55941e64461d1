// What the runtime tells about a container: the `state` command's output, and what hooks read on stdin.
// Layer: oci (pure). Used by runtime (state, list, hooks) and nest.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/oci/state.h"

#include "caisson/oci/json_reader.h"
#include "caisson/oci/json_writer.h"

namespace caisson::oci {

template <class V, Of<State> S>
void fields(V& v, S& s) {
  v.must("ociVersion", s.version);
  v.must("id", s.id);
  v.keep("pid", s.pid);
  v.must("status", s.status);
  v.must("bundle", s.bundle);
  v.may("rootfs", s.rootfs);
  v.may("created", s.created);
  v.may("annotations", s.annotations);
  v.may("owner", s.owner);
}

std::string print_state(const State& state, Layout layout) {
  json::value value;
  write(value, state);
  return layout == Layout::line ? print_line(value) : print_indented(value, "  ");
}

std::string print_states(const std::vector<State>& states) {
  if (states.empty()) return "null";
  json::value value;
  write(value, states);
  return print_line(value);
}

Result<State> parse_state(std::string_view text) {
  json::value value = TRY(parse_json(text, "state", {}));
  return read_document<State>(value, "state");
}

}  // namespace caisson::oci

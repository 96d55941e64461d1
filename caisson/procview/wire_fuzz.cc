// Fuzz: any bytes from the FUSE descriptor are a request, a malformed one, or nothing; what they name lies within them.
// Layer: procview, fuzz target.
// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "caisson/procview/tree.h"
#include "caisson/procview/wire.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace procview = caisson::procview;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto parsed = procview::wire::parse_request(bytes);
  if (!parsed) return 0;
  const auto within = [&](std::string_view part) {
    return part.empty() || (part.data() >= bytes.data() && part.data() + part.size() <= bytes.data() + bytes.size());
  };
  if (!within(parsed->request.name) || !within(parsed->request.data)) std::abort();
  if (parsed->request.name.find('\0') != std::string_view::npos) std::abort();
  // A node that the id names has that id, and so has what is looked up in it.
  static const procview::Tree tree;
  const auto node = tree.find(parsed->request.node);
  if (!node) return 0;
  if (tree.id_of(*node) != parsed->request.node) std::abort();
  const auto child = tree.look_up(*node, parsed->request.name);
  if (child && (!tree.find(tree.id_of(*child)) || !tree.path_of(*child).ends_with(parsed->request.name))) std::abort();
  return 0;
}

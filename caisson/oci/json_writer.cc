// Writes structs into JSON objects by the tables of fields.h. Members that no table knows are left as they are.
// Layer: oci (private to it). Used by print.cc and document.cc.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/oci/json_writer.h"

namespace caisson::oci {

void Writer::leave_out(std::string_view key) {
  auto member = object_.find(key);
  if (member != object_.end()) object_.stable_erase(member);
}

json::value take_matching(json::array& old, const FirstMember& first) {
  for (json::value& element : old) {
    const json::object* object = element.if_object();
    if (object == nullptr) continue;
    const json::value* member = object->if_contains(first.key);
    if (member == nullptr || *member != first.value) continue;
    json::value found = std::move(element);
    element = nullptr;
    return found;
  }
  return nullptr;
}

}  // namespace caisson::oci

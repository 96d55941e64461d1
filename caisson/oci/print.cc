// The printers that spec.h, process.h, resources.h and default_spec.h promise.
// Layer: oci (pure). Used by whoever includes those headers.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/oci/default_spec.h"
#include "caisson/oci/json_writer.h"

namespace caisson::oci {
namespace {

template <class T>
json::value to_json(const T& fields_of) {
  json::value value;
  write(value, fields_of);
  return value;
}

}  // namespace

std::string print_spec(const Spec& spec) { return print_line(to_json(spec)); }

std::string print_process(const Process& process) { return print_line(to_json(process)); }

std::string print_resources(const Resources& resources) { return print_line(to_json(resources)); }

std::string print_indented(const Spec& spec) { return print_indented(to_json(spec), "\t"); }

}  // namespace caisson::oci

// JSON text to Boost.JSON values and back: the one place that meets Boost's parser, its errors and its exceptions.
// Layer: oci (private to it: no other library includes this). Used by parse.cc, print.cc, document.cc and others here.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <string>
#include <string_view>

#include "caisson/base/result.h"

namespace caisson::oci {

namespace json = boost::json;

// errors: invalid "NAME: not valid JSON at byte N: why"
Result<json::value> parse_json(std::string_view text, std::string_view name, json::storage_ptr storage);

std::string print_line(const json::value& value);

// As Go's MarshalIndent prints: no newline at the end.
std::string print_indented(const json::value& value, std::string_view indent);

}  // namespace caisson::oci

// JSON text written by hand: objects of a few known fields need no document model.
// Layer: runtime. Used by log, state, hooks and the commands that print.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace caisson::runtime {

enum class Bytes : bool {
  keep,     // our own files: a path comes back as it was
  replace,  // what others read: every byte that is not UTF-8 becomes U+FFFD, as Go prints it
};

// `text` between quotes, escaped.
void append_quoted(std::string& out, std::string_view text, Bytes bytes = Bytes::replace);

// Members in the order of the calls: JsonObject().text("id", id).number("pid", 7).take() == {"id":"…","pid":7}
class JsonObject {
 public:
  explicit JsonObject(Bytes bytes = Bytes::replace) : bytes_(bytes) {}
  JsonObject& text(std::string_view name, std::string_view value);
  JsonObject& number(std::string_view name, std::integral auto value) { return raw(name, std::to_string(value)); }
  JsonObject& boolean(std::string_view name, bool value) { return raw(name, value ? "true" : "false"); }
  JsonObject& texts(std::string_view name, const std::vector<std::string>& values);
  JsonObject& texts(std::string_view name, const std::map<std::string, std::string>& values);
  JsonObject& raw(std::string_view name, std::string_view json);  // json is a JSON value already
  std::string take();

 private:
  void key(std::string_view name);
  std::string out_ = "{";
  Bytes bytes_;
};

}  // namespace caisson::runtime

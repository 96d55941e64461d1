// A JSON document that is read, changed in places and printed again, keeping every member nobody knows.
// Layer: oci (pure). Used by nest (config.json in, config.json out) and by whoever reads small JSON texts.
// SPDX-License-Identifier: Apache-2.0
//
// To rewrite a config.json:
//   Document document = TRY(Document::parse(text, "config.json"));
//   Spec spec = TRY(document.spec());   // change the struct ...
//   document.put(spec);                 // ... and write its fields back: members Spec does not know stay
//   write(document.print());
// Inside an array of objects the unknown members stay with the element whose first field (a mount's destination, a
// namespace's type, a device's path, a hook's path) is the same as before.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "caisson/base/result.h"
#include "caisson/oci/spec.h"

namespace caisson::oci {

// Member names from the outside in: {"linux", "cgroupsPath"}. Names may hold dots, as annotations do.
using Path = std::initializer_list<std::string_view>;

class Document {
 public:
  Document();  // {}
  ~Document();
  Document(Document&&) noexcept;
  Document& operator=(Document&&) noexcept;
  Document(const Document&) = delete;
  Document& operator=(const Document&) = delete;

  // `name` goes before every error. The outermost value must be an object.
  // errors: invalid "NAME: not valid JSON at byte N: why"
  static Result<Document> parse(std::string_view text, std::string_view name);

  Result<Spec> spec() const;
  void put(const Spec& spec);

  // Absent when there is no such member or it is null.
  // errors: invalid "NAME: a.b: must be a string"
  Result<std::optional<std::string>> get_string(Path path) const;
  Result<std::optional<std::int64_t>> get_integer(Path path) const;
  Result<std::optional<bool>> get_bool(Path path) const;
  Result<std::vector<std::string>> get_strings(Path path) const;
  // The member as JSON text, whatever it is.
  std::optional<std::string> get_json(Path path) const;

  // Objects on the way are made when absent, and replace what is not an object.
  void set(Path path, std::string_view text);
  void set(Path path, const char* text) { set(path, std::string_view(text)); }
  void set(Path path, std::int64_t number);
  void set(Path path, bool flag);
  void set(Path path, const std::vector<std::string>& texts);
  // errors: invalid when `text` is not JSON
  Result<void> set_json(Path path, std::string_view text);
  void erase(Path path);

  std::string print() const;  // one line, members in their old order

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace caisson::oci

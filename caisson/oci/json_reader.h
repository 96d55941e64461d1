// Reads JSON objects into structs by the tables of fields.h; keeps the first thing that is wrong and where it is.
// Layer: oci (private to it). Used by parse.cc and document.cc.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "caisson/base/result.h"
#include "caisson/oci/fields.h"
#include "caisson/oci/json.h"

namespace caisson::oci {

// Where a value is: a list on the stack, printed only when something is wrong: "linux.namespaces[2].type".
struct Place {
  const Place* outer = nullptr;
  std::string_view key;  // empty: an array element
  std::size_t index = 0;
  std::string text() const;
};

// The first problem of a document. Everything after it is skipped.
class Problem {
 public:
  explicit Problem(std::string_view name) : name_(name) {}
  void report(const Place& place, std::string_view what);
  bool any() const { return error_.has_value(); }
  Error take() { return *std::move(error_); }

 private:
  std::string_view name_;
  std::optional<Error> error_;
};

// What a struct's fields may not be; `key` is the member at fault.
struct Flaw {
  std::string_view key;
  std::string what;
};
template <class T>
std::optional<Flaw> flaw(const T&) {
  return std::nullopt;
}
std::optional<Flaw> flaw(const HugepageLimit& limit);
std::optional<Flaw> flaw(const Hook& hook);
std::optional<Flaw> flaw(const Device& device);
std::optional<Flaw> flaw(const SyscallRule& rule);
std::optional<Flaw> flaw(const Linux& linux);

void read(const json::value& value, const Place& place, Problem& problem, bool& field);
void read(const json::value& value, const Place& place, Problem& problem, std::string& field);
void read(const json::value& value, const Place& place, Problem& problem, NamespaceType& field);
void read(const json::value& value, const Place& place, Problem& problem, std::chrono::seconds& field);
std::int64_t read_signed(const json::value& value, const Place& place, Problem& problem, std::int64_t low,
                         std::int64_t high);
std::uint64_t read_unsigned(const json::value& value, const Place& place, Problem& problem, std::uint64_t high);
const json::object* read_object(const json::value& value, const Place& place, Problem& problem);
const json::array* read_array(const json::value& value, const Place& place, Problem& problem);

class Reader {
 public:
  Reader(const json::object& object, const Place& place, Problem& problem)
      : object_(object), place_(place), problem_(problem) {}

  template <class T>
  void must(std::string_view key, T& field);
  template <class T>
  void may(std::string_view key, T& field);
  template <class T>
  void keep(std::string_view key, T& field) {
    may(key, field);
  }

 private:
  // nullptr: absent, null, or there is a problem already.
  const json::value* find(std::string_view key) const;

  const json::object& object_;
  const Place& place_;
  Problem& problem_;
};

template <std::integral T>
void read(const json::value& value, const Place& place, Problem& problem, T& field) {
  using Limits = std::numeric_limits<T>;
  if constexpr (std::is_signed_v<T>) {
    field = static_cast<T>(read_signed(value, place, problem, Limits::min(), Limits::max()));
  } else {
    field = static_cast<T>(read_unsigned(value, place, problem, Limits::max()));
  }
}

template <class T>
  requires std::is_class_v<T>
void read(const json::value& value, const Place& place, Problem& problem, T& field) {
  const json::object* object = read_object(value, place, problem);
  if (object == nullptr) return;
  Reader reader(*object, place, problem);
  fields(reader, field);
  if (problem.any()) return;
  if (std::optional<Flaw> wrong = flaw(field)) problem.report({&place, wrong->key}, wrong->what);
}

template <class T>
void read(const json::value& value, const Place& place, Problem& problem, std::optional<T>& field) {
  read(value, place, problem, field.emplace());
}

template <class T>
void read(const json::value& value, const Place& place, Problem& problem, std::vector<T>& field) {
  const json::array* array = read_array(value, place, problem);
  if (array == nullptr) return;
  field.resize(array->size());
  for (std::size_t i = 0; i < array->size() && !problem.any(); ++i) {
    read((*array)[i], {&place, {}, i}, problem, field[i]);
  }
}

template <class T>
void read(const json::value& value, const Place& place, Problem& problem, std::map<std::string, T>& field) {
  const json::object* object = read_object(value, place, problem);
  if (object == nullptr) return;
  for (const json::key_value_pair& member : *object) {
    if (problem.any()) return;
    read(member.value(), {&place, member.key()}, problem, field[std::string(member.key())]);
  }
}

template <class T>
void Reader::must(std::string_view key, T& field) {
  const json::value* value = find(key);
  if (value != nullptr) {
    read(*value, {&place_, key}, problem_, field);
  } else {
    problem_.report({&place_, key}, "is required");
  }
}

template <class T>
void Reader::may(std::string_view key, T& field) {
  const json::value* value = find(key);
  if (value != nullptr) read(*value, {&place_, key}, problem_, field);
}

// A whole document into a struct.
template <class T>
Result<T> read_document(const json::value& value, std::string_view name) {
  Problem problem(name);
  T struct_read;
  read(value, Place(), problem, struct_read);
  if (problem.any()) return problem.take();
  return struct_read;
}

}  // namespace caisson::oci

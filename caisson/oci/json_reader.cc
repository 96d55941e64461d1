// Reads JSON objects into structs by the tables of fields.h; keeps the first thing that is wrong and where it is.
// Layer: oci (private to it). Used by parse.cc and document.cc.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/oci/json_reader.h"

#include "caisson/oci/kernel_names.h"

namespace caisson::oci {
namespace {

// ^[1-9][0-9]*[KMG]B$, as the kernel names its hugetlb files.
bool is_page_size(std::string_view text) {
  if (!text.ends_with("KB") && !text.ends_with("MB") && !text.ends_with("GB")) return false;
  text.remove_suffix(2);
  return !text.empty() && text[0] != '0' && text.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

std::string Place::text() const {
  std::string path = outer != nullptr ? outer->text() : std::string();
  if (outer == nullptr) return path;
  if (key.data() == nullptr) return path + "[" + std::to_string(index) + "]";
  if (!path.empty()) path += '.';
  return path.append(key);
}

void Problem::report(const Place& place, std::string_view what) {
  if (error_) return;
  std::string text(name_);
  std::string path = place.text();
  if (!path.empty()) text.append(": ").append(path);
  error_ = Error::of(Kind::invalid, text.append(": ").append(what));
}

std::optional<Flaw> flaw(const HugepageLimit& limit) {
  if (is_page_size(limit.page_size)) return std::nullopt;
  return Flaw("pageSize", "must be a size such as 2MB");
}

std::optional<Flaw> flaw(const Hook& hook) {
  if (!hook.timeout || hook.timeout->count() > 0) return std::nullopt;
  return Flaw("timeout", "must be greater than zero");
}

std::optional<Flaw> flaw(const Device& device) {
  if (device.type.size() == 1 && std::string_view("cbup").find(device.type[0]) != std::string_view::npos) {
    return std::nullopt;
  }
  return Flaw("type", "invalid device type \"" + device.type + "\"");
}

std::optional<Flaw> flaw(const SyscallRule& rule) {
  if (!rule.names.empty()) return std::nullopt;
  return Flaw("names", "must not be empty");
}

std::optional<Flaw> flaw(const Linux& linux) {
  unsigned seen = 0;
  for (const Namespace& ns : linux.namespaces) {
    unsigned bit = 1U << static_cast<unsigned>(ns.type);
    if ((seen & bit) != 0) {
      return Flaw("namespaces", "malformed spec file: duplicated ns \"" + std::string(name_of(ns.type)) + "\"");
    }
    seen |= bit;
  }
  return std::nullopt;
}

void read(const json::value& value, const Place& place, Problem& problem, bool& field) {
  if (const bool* flag = value.if_bool()) {
    field = *flag;
  } else {
    problem.report(place, "must be true or false");
  }
}

void read(const json::value& value, const Place& place, Problem& problem, std::string& field) {
  const json::string* text = value.if_string();
  if (text == nullptr) return problem.report(place, "must be a string");
  // Every string ends up in a system call or a file; the kernel would see only what is before the null byte.
  std::string_view view(text->data(), text->size());
  if (view.find('\0') != std::string_view::npos) return problem.report(place, "must not contain a null byte");
  field = view;
}

void read(const json::value& value, const Place& place, Problem& problem, NamespaceType& field) {
  std::string name;
  read(value, place, problem, name);
  if (problem.any()) return;
  if (std::optional<NamespaceType> type = namespace_type(name)) {
    field = *type;
  } else {
    problem.report(place, "namespace \"" + name + "\" does not exist");
  }
}

void read(const json::value& value, const Place& place, Problem& problem, std::chrono::seconds& field) {
  field = std::chrono::seconds(read_signed(value, place, problem, std::numeric_limits<std::int32_t>::min(),
                                           std::numeric_limits<std::int32_t>::max()));
}

std::int64_t read_signed(const json::value& value, const Place& place, Problem& problem, std::int64_t low,
                         std::int64_t high) {
  const std::int64_t* number = value.if_int64();
  if (number != nullptr && *number >= low && *number <= high) return *number;
  if (number == nullptr && !value.is_uint64()) {
    problem.report(place, "must be an integer");
  } else {
    problem.report(place, "must be between " + std::to_string(low) + " and " + std::to_string(high));
  }
  return 0;
}

std::uint64_t read_unsigned(const json::value& value, const Place& place, Problem& problem, std::uint64_t high) {
  // Boost keeps an integer as int64 whenever it fits, and as uint64 only above that.
  const std::int64_t* small = value.if_int64();
  const std::uint64_t* big = value.if_uint64();
  std::uint64_t number = big != nullptr ? *big : small != nullptr ? static_cast<std::uint64_t>(*small) : 0;
  if ((big != nullptr || (small != nullptr && *small >= 0)) && number <= high) return number;
  if (small == nullptr && big == nullptr) {
    problem.report(place, "must be an integer");
  } else {
    problem.report(place, "must be between 0 and " + std::to_string(high));
  }
  return 0;
}

const json::object* read_object(const json::value& value, const Place& place, Problem& problem) {
  const json::object* object = value.if_object();
  if (object == nullptr) problem.report(place, "must be an object");
  return object;
}

const json::array* read_array(const json::value& value, const Place& place, Problem& problem) {
  const json::array* array = value.if_array();
  if (array == nullptr) problem.report(place, "must be an array");
  return array;
}

const json::value* Reader::find(std::string_view key) const {
  if (problem_.any()) return nullptr;
  const json::value* value = object_.if_contains(key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

}  // namespace caisson::oci

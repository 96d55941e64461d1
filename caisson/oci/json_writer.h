// Writes structs into JSON objects by the tables of fields.h. Members that no table knows are left as they are.
// Layer: oci (private to it). Used by print.cc and document.cc.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "caisson/oci/fields.h"
#include "caisson/oci/json.h"
#include "caisson/oci/kernel_names.h"

namespace caisson::oci {

inline void write(json::value& target, bool field) { target = field; }
inline void write(json::value& target, const std::string& field) { target = json::string_view(field); }
inline void write(json::value& target, NamespaceType field) { target = json::string_view(name_of(field)); }
inline void write(json::value& target, std::chrono::seconds field) { target = std::int64_t{field.count()}; }
template <std::integral T>
void write(json::value& target, T field) {
  if constexpr (std::is_signed_v<T>) {
    target = std::int64_t{field};
  } else {
    target = std::uint64_t{field};
  }
}

class Writer {
 public:
  explicit Writer(json::object& object) : object_(object) {}

  template <class T>
  void must(std::string_view key, const T& field);
  template <class T>
  void keep(std::string_view key, const T& field) {
    must(key, field);
  }
  template <class T>
  void may(std::string_view key, const T& field) {
    if (field == T()) {
      leave_out(key);
    } else {
      must(key, field);
    }
  }
  // Part of its parent rather than present or absent: what is unknown in it outlives its known fields.
  void may(std::string_view key, const Hooks& field) { must_or_empty(key, field); }
  void may(std::string_view key, const Linux& field) { must_or_empty(key, field); }

 private:
  void leave_out(std::string_view key);
  template <class T>
  void must_or_empty(std::string_view key, const T& field) {
    if (field == T() && !object_.contains(key)) return;
    must(key, field);
    if (object_[key].get_object().empty()) leave_out(key);
  }

  json::object& object_;
};

// Keeps an object's first member: what tells the elements of an array apart.
class FirstMember {
 public:
  template <class T>
  void must(std::string_view member, const T& field);
  template <class T>
  void keep(std::string_view member, const T& field) {
    must(member, field);
  }
  template <class T>
  void may(std::string_view member, const T& field) {
    must(member, field);
  }
  std::string_view key;
  json::value value;
};

// Moves out of `old` the first object that has this member.
json::value take_matching(json::array& old, const FirstMember& first);

template <class T>
  requires std::is_class_v<T>
void write(json::value& target, const T& field) {
  if (!target.is_object()) target.emplace_object();
  Writer writer(target.get_object());
  fields(writer, field);
}

template <class T>
void write(json::value& target, const std::vector<T>& field);

template <class T>
void write(json::value& target, const std::optional<T>& field) {
  if (field) write(target, *field);
}

template <class T>
void write(json::value& target, const std::vector<T>& field) {
  json::array old;
  if (target.is_array()) old = std::move(target.get_array());
  json::array& array = target.emplace_array();
  array.reserve(field.size());
  for (const T& element : field) {
    json::value value;
    if constexpr (requires(FirstMember& f) { fields(f, element); }) {
      if (!old.empty()) {
        FirstMember first;
        fields(first, element);
        value = take_matching(old, first);
      }
    }
    write(value, element);
    array.push_back(std::move(value));
  }
}

template <class T>
void write(json::value& target, const std::map<std::string, T>& field) {
  json::object old;
  if (target.is_object()) old = std::move(target.get_object());
  json::object& object = target.emplace_object();
  for (const auto& [key, element] : field) {
    json::value* before = old.if_contains(key);
    write(object[key] = before != nullptr ? std::move(*before) : json::value(), element);
  }
}

template <class T>
void Writer::must(std::string_view key, const T& field) {
  write(object_[key], field);
}

template <class T>
void FirstMember::must(std::string_view member, const T& field) {
  if (!key.empty()) return;
  key = member;
  write(value, field);
}

}  // namespace caisson::oci

// One D-Bus message as bytes and back: the little of the protocol that talking to systemd takes.
// Layer: dbus (pure). Used by connection.h; cgroup's systemd driver makes bodies and reads replies with it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "caisson/base/result.h"

namespace caisson::dbus {

// The types of systemd's properties: s b u t ay au as a(ss).
using Value =
    std::variant<std::string, bool, std::uint32_t, std::uint64_t, std::vector<std::uint8_t>, std::vector<std::uint32_t>,
                 std::vector<std::string>, std::vector<std::pair<std::string, std::string>>>;

struct Property {
  std::string name;
  Value value;
  bool operator==(const Property&) const = default;
};

// As busctl(1) writes them: "MemoryMax t 1048576", `Wants as 1 "a.slice"`.
std::string to_text(const Property& property);

// Arguments of a call, one after another. Strings are UTF-8 without NUL: a bus hangs up on any other.
class Body {
 public:
  Body& text(std::string_view value);                   // s
  Body& boolean(bool value);                            // b
  Body& numbers(std::span<const std::uint32_t> value);  // au
  Body& properties(std::span<const Property> value);    // a(sv)
  Body& no_units();                                     // a(sa(sv)): StartTransientUnit's auxiliary units

  const std::string& signature() const { return signature_; }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string signature_;
  std::string bytes_;
};

enum class Type : unsigned char { invalid, call, reply, error, signal };

struct Message {
  Type type = Type::invalid;
  std::uint32_t serial = 0;
  std::uint32_t reply_serial = 0;
  std::string path, interface, member, error_name, destination, sender, signature;
  std::string body;
  bool big_endian = false;  // of the body
};

// Little-endian, whatever `big_endian` says.
std::string serialize(const Message& message);

// Removes the first whole message from `buffer`; nothing while it is incomplete. Header fields nobody knows are
// skipped. Whatever the bytes are, nothing outside them is read, and no more than their length is allocated.
//   errors  invalid: not D-Bus, or longer than `limit`
inline constexpr std::size_t message_limit = 4 << 20;
Result<std::optional<Message>> take_message(std::string& buffer, std::size_t limit = message_limit);

// Reads a body's values in order; the first one that is not there or not of the type makes all that follow so.
class Reader {
 public:
  explicit Reader(const Message& message) : message_(message) {}
  std::optional<std::string> text();  // s, o, or v of one of them
  std::optional<std::uint32_t> number();

 private:
  const Message& message_;
  std::size_t type_ = 0;  // in the signature
  std::size_t at_ = 0;
  bool failed_ = false;
};

// "org.freedesktop.systemd1.NoSuchUnit: Unit x.scope not loaded."
std::string error_text(const Message& message);

}  // namespace caisson::dbus

// Marshalling. source: D-Bus Specification 0.43, "Type System", "Marshaling", "Message Protocol"
// Layer: dbus (pure). Used by connection.cc and cgroup through message.h.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/dbus/message.h"

#include <limits>

namespace caisson::dbus {
namespace {

constexpr std::size_t fixed_header = 16;   // up to and with the length of the field array
constexpr std::size_t max_fields = 65536;  // bytes of header fields; a bus takes more than anybody sends
constexpr unsigned max_depth = 16;         // of containers in a value that is skipped
enum Field : unsigned char { path = 1, interface, member, error_name, reply_serial, destination, sender, signature };

void align(std::string& out, std::size_t to) { out.resize((out.size() + to - 1) / to * to, '\0'); }

void put32(std::string& out, std::uint32_t value) {
  align(out, 4);
  for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(value >> shift);
}

void put64(std::string& out, std::uint64_t value) {
  align(out, 8);
  for (int shift = 0; shift < 64; shift += 8) out += static_cast<char>(value >> shift);
}

void put_text(std::string& out, std::string_view text) {
  put32(out, static_cast<std::uint32_t>(text.size()));
  out.append(text).append(1, '\0');
}

void put_signature(std::string& out, std::string_view text) {
  out += static_cast<char>(text.size());
  out.append(text).append(1, '\0');
}

// An array's length counts from its first element, which is aligned even when there is none.
template <class Fill>
void put_array(std::string& out, std::size_t alignment, Fill fill) {
  put32(out, 0);
  const std::size_t length_at = out.size() - 4;
  align(out, alignment);
  const std::size_t start = out.size();
  fill();
  std::string length;
  put32(length, static_cast<std::uint32_t>(out.size() - start));
  out.replace(length_at, 4, length);
}

struct ValueSignature {
  const char* operator()(const std::string&) const { return "s"; }
  const char* operator()(bool) const { return "b"; }
  const char* operator()(std::uint32_t) const { return "u"; }
  const char* operator()(std::uint64_t) const { return "t"; }
  const char* operator()(const std::vector<std::uint8_t>&) const { return "ay"; }
  const char* operator()(const std::vector<std::uint32_t>&) const { return "au"; }
  const char* operator()(const std::vector<std::string>&) const { return "as"; }
  const char* operator()(const std::vector<std::pair<std::string, std::string>>&) const { return "a(ss)"; }
};

struct PutValue {
  std::string& out;
  void operator()(const std::string& value) const { put_text(out, value); }
  void operator()(bool value) const { put32(out, value ? 1 : 0); }
  void operator()(std::uint32_t value) const { put32(out, value); }
  void operator()(std::uint64_t value) const { put64(out, value); }
  void operator()(const std::vector<std::uint8_t>& value) const {
    put_array(out, 1, [&] { out.append(value.begin(), value.end()); });
  }
  void operator()(const std::vector<std::uint32_t>& value) const {
    put_array(out, 4, [&] {
      for (const std::uint32_t number : value) put32(out, number);
    });
  }
  void operator()(const std::vector<std::string>& value) const {
    put_array(out, 4, [&] {
      for (const std::string& text : value) put_text(out, text);
    });
  }
  void operator()(const std::vector<std::pair<std::string, std::string>>& value) const {
    put_array(out, 8, [&] {
      for (const auto& [first, second] : value) {
        align(out, 8);
        put_text(out, first);
        put_text(out, second);
      }
    });
  }
};

struct ValueText {
  std::string operator()(const std::string& value) const { return "\"" + value + "\""; }
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(std::uint32_t value) const { return std::to_string(value); }
  std::string operator()(std::uint64_t value) const { return std::to_string(value); }
  template <class Element>
  std::string operator()(const std::vector<Element>& value) const {
    std::string out = std::to_string(value.size());
    for (const Element& element : value) out += " " + one(element);
    return out;
  }

 private:
  static std::string one(std::uint32_t value) { return std::to_string(value); }
  static std::string one(const std::string& value) { return "\"" + value + "\""; }
  static std::string one(const std::pair<std::string, std::string>& value) {
    return one(value.first) + " " + one(value.second);
  }
};

// Reads within [0, end) of the bytes. Every read says whether it could.
class Cursor {
 public:
  Cursor(std::string_view bytes, std::size_t at, bool big_endian) : bytes_(bytes), at_(at), big_(big_endian) {}

  std::size_t at() const { return at_; }

  bool align(std::size_t to) {
    const std::size_t aligned = (at_ + to - 1) / to * to;
    if (aligned > bytes_.size()) return false;
    at_ = aligned;
    return true;
  }

  bool byte(unsigned char& out) {
    if (at_ >= bytes_.size()) return false;
    out = static_cast<unsigned char>(bytes_[at_++]);
    return true;
  }

  bool number(std::uint32_t& out) {
    if (!align(4) || bytes_.size() - at_ < 4) return false;
    out = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      const std::uint32_t part = static_cast<unsigned char>(bytes_[at_ + i]);
      out |= part << (8 * (big_ ? 3 - i : i));
    }
    at_ += 4;
    return true;
  }

  bool text(std::string& out) {
    std::uint32_t length = 0;
    return number(length) && chars(length, out);
  }

  bool signature(std::string& out) {
    unsigned char length = 0;
    return byte(length) && chars(length, out);
  }

  bool skip(std::size_t count) {
    if (bytes_.size() - at_ < count) return false;
    at_ += count;
    return true;
  }

 private:
  bool chars(std::size_t length, std::string& out) {
    if (bytes_.size() - at_ <= length || bytes_[at_ + length] != '\0') return false;
    out.assign(bytes_.substr(at_, length));
    at_ += length + 1;
    return true;
  }

  std::string_view bytes_;
  std::size_t at_;
  bool big_;
};

std::size_t alignment_of(char type) {
  switch (type) {
    case 'y':
    case 'g':
    case 'v':
      return 1;
    case 'n':
    case 'q':
      return 2;
    case 'x':
    case 't':
    case 'd':
    case '(':
    case '{':
      return 8;
    default:
      return 4;
  }
}

// Advances `type` over one complete type of the signature.
bool skip_type(std::string_view signature, std::size_t& type, unsigned depth) {
  if (depth > max_depth || type >= signature.size()) return false;
  const char c = signature[type++];
  if (c == 'a') return skip_type(signature, type, depth + 1);
  if (c != '(' && c != '{') return std::string_view("ybnqiuxtdhsogv").find(c) != std::string_view::npos;
  const char close = c == '(' ? ')' : '}';
  while (type < signature.size() && signature[type] != close)
    if (!skip_type(signature, type, depth + 1)) return false;
  return type++ < signature.size();
}

// Skips one value; `type` advances over its type.
bool skip_value(Cursor& in, std::string_view signature, std::size_t& type, unsigned depth) {
  if (depth > max_depth || type >= signature.size()) return false;
  const char c = signature[type];
  std::string text;
  std::uint32_t length = 0;
  switch (c) {
    case 's':
    case 'o':
      ++type;
      return in.text(text);
    case 'g':
      ++type;
      return in.signature(text);
    case 'v': {
      ++type;
      std::size_t inner = 0;
      return in.signature(text) && skip_value(in, text, inner, depth + 1) && inner == text.size();
    }
    case 'a':
      ++type;
      if (!in.number(length) || type >= signature.size() || !in.align(alignment_of(signature[type]))) return false;
      return in.skip(length) && skip_type(signature, type, depth + 1);
    case '(':
    case '{': {
      const char close = c == '(' ? ')' : '}';
      if (!in.align(8)) return false;
      ++type;
      while (type < signature.size() && signature[type] != close)
        if (!skip_value(in, signature, type, depth + 1)) return false;
      return type++ < signature.size();
    }
    case 'y':
      ++type;
      return in.skip(1);
    default: {
      if (std::string_view("bnqiuxtdh").find(c) == std::string_view::npos) return false;
      ++type;
      const std::size_t size = alignment_of(c);  // of these, the same
      return in.align(size) && in.skip(size);
    }
  }
}

bool read_field(Cursor& in, Message& out) {
  unsigned char code = 0;
  std::string type;
  if (!in.align(8) || !in.byte(code) || !in.signature(type)) return false;
  std::string* text = code == Field::path          ? &out.path
                      : code == Field::interface   ? &out.interface
                      : code == Field::member      ? &out.member
                      : code == Field::error_name  ? &out.error_name
                      : code == Field::destination ? &out.destination
                      : code == Field::sender      ? &out.sender
                                                   : nullptr;
  if (text != nullptr) return type == (code == Field::path ? "o" : "s") && in.text(*text);
  if (code == Field::signature) return type == "g" && in.signature(out.signature);
  if (code == Field::reply_serial) return type == "u" && in.number(out.reply_serial);
  std::size_t at = 0;
  return skip_value(in, type, at, 0) && at == type.size();
}

Error not_dbus() { return Error::of(Kind::invalid, "D-Bus: not a message"); }

}  // namespace

std::string to_text(const Property& property) {
  return property.name + " " + std::visit(ValueSignature{}, property.value) + " " +
         std::visit(ValueText{}, property.value);
}

Body& Body::text(std::string_view value) {
  signature_ += 's';
  put_text(bytes_, value);
  return *this;
}

Body& Body::boolean(bool value) {
  signature_ += 'b';
  put32(bytes_, value ? 1 : 0);
  return *this;
}

Body& Body::numbers(std::span<const std::uint32_t> value) {
  signature_ += "au";
  put_array(bytes_, 4, [&] {
    for (const std::uint32_t number : value) put32(bytes_, number);
  });
  return *this;
}

Body& Body::properties(std::span<const Property> value) {
  signature_ += "a(sv)";
  put_array(bytes_, 8, [&] {
    for (const Property& property : value) {
      align(bytes_, 8);
      put_text(bytes_, property.name);
      put_signature(bytes_, std::visit(ValueSignature{}, property.value));
      std::visit(PutValue{bytes_}, property.value);
    }
  });
  return *this;
}

Body& Body::no_units() {
  signature_ += "a(sa(sv))";
  put_array(bytes_, 8, [] {});
  return *this;
}

std::string serialize(const Message& message) {
  std::string out = "l";
  out += static_cast<char>(message.type);
  out += '\0';  // flags
  out += '\1';  // version
  put32(out, static_cast<std::uint32_t>(message.body.size()));
  put32(out, message.serial);
  put_array(out, 8, [&] {
    auto field = [&](Field code, const char* type, const std::string& text) {
      if (text.empty()) return;
      align(out, 8);
      out += static_cast<char>(code);
      put_signature(out, type);
      if (*type == 'g')
        put_signature(out, text);
      else
        put_text(out, text);
    };
    field(Field::path, "o", message.path);
    field(Field::interface, "s", message.interface);
    field(Field::member, "s", message.member);
    field(Field::error_name, "s", message.error_name);
    field(Field::destination, "s", message.destination);
    field(Field::signature, "g", message.signature);
    if (message.reply_serial != 0) {
      align(out, 8);
      out += static_cast<char>(Field::reply_serial);
      put_signature(out, "u");
      put32(out, message.reply_serial);
    }
  });
  align(out, 8);
  return out + message.body;
}

Result<std::optional<Message>> take_message(std::string& buffer, std::size_t limit) {
  if (buffer.size() < fixed_header) return std::optional<Message>();
  if ((buffer[0] != 'l' && buffer[0] != 'B') || buffer[3] != 1) return not_dbus();
  Message out;
  out.big_endian = buffer[0] == 'B';
  Cursor lengths(buffer, 4, out.big_endian);
  std::uint32_t body = 0;
  std::uint32_t fields = 0;
  if (!lengths.number(body) || !lengths.number(out.serial) || !lengths.number(fields)) return not_dbus();
  if (fields > max_fields || body > limit) return Error::of(Kind::invalid, "D-Bus: a message is too long");
  const std::size_t header = (fixed_header + fields + 7) / 8 * 8;
  if (buffer.size() < header + body) return std::optional<Message>();
  const auto type = static_cast<unsigned char>(buffer[1]);
  if (type >= 1 && type <= 4) out.type = static_cast<Type>(type);  // others are to be ignored
  Cursor in(std::string_view(buffer).substr(0, fixed_header + fields), fixed_header, out.big_endian);
  while (in.at() < fixed_header + fields)
    if (!read_field(in, out)) return not_dbus();
  out.body = buffer.substr(header, body);
  buffer.erase(0, header + body);
  return std::optional<Message>(std::move(out));
}

std::optional<std::string> Reader::text() {
  Cursor in(message_.body, at_, message_.big_endian);
  std::string out;
  const char type = type_ < message_.signature.size() ? message_.signature[type_] : '\0';
  bool read = (type == 's' || type == 'o') && in.text(out);
  if (type == 'v') {
    std::string inner;
    read = in.signature(inner) && (inner == "s" || inner == "o") && in.text(out);
  }
  if (failed_ || !read) {
    failed_ = true;
    return std::nullopt;
  }
  ++type_;
  at_ = in.at();
  return out;
}

std::optional<std::uint32_t> Reader::number() {
  Cursor in(message_.body, at_, message_.big_endian);
  std::uint32_t out = 0;
  if (failed_ || type_ >= message_.signature.size() || message_.signature[type_] != 'u' || !in.number(out)) {
    failed_ = true;
    return std::nullopt;
  }
  ++type_;
  at_ = in.at();
  return out;
}

std::string error_text(const Message& message) {
  const auto text = Reader(message).text();
  return message.error_name + (text && !text->empty() ? ": " + *text : "");
}

}  // namespace caisson::dbus

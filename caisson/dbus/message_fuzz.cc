// Fuzz: whatever a bus sends is a message, an error or not yet enough, and its body can be read.
// Layer: dbus tests. ./dev fuzz runs it.
// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "caisson/dbus/message.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace dbus = caisson::dbus;
  std::string buffer(reinterpret_cast<const char*>(data), size);
  for (;;) {
    const std::size_t before = buffer.size();
    auto message = dbus::take_message(buffer);
    if (!message || !*message) return 0;
    if (buffer.size() >= before) std::abort();  // a message takes its bytes with it
    dbus::Reader reader(**message);
    while (reader.number() || reader.text()) {
    }
    (void)dbus::error_text(**message);
    dbus::Message again = **message;
    again.sender.clear();
    std::string bytes = dbus::serialize(again);
    if (bytes.size() < 1000) {
      auto back = dbus::take_message(bytes);
      if (!back || !*back || (*back)->body != again.body || (*back)->member != again.member) std::abort();
    }
  }
}

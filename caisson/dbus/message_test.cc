// Laws of marshalling: known bytes, a round trip, and nothing that is read beyond its end.
// Layer: dbus, test.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/dbus/message.h"

#include <gmock/gmock.h>

#include "caisson/dbus/connection.h"

namespace caisson::dbus {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string bytes(std::initializer_list<int> values) {
  std::string out;
  for (const int value : values) out += static_cast<char>(value);
  return out;
}

Message hello() {
  Message message;
  message.type = Type::call;
  message.serial = 1;
  message.path = "/o";
  message.member = "Hello";
  return message;
}

TEST(Message, HasTheBytesOfTheSpecification) {
  EXPECT_EQ(serialize(hello()), bytes({'l', 1, 0,   1, 0, 0, 0, 0, 1,   0,   0,   0,   30,  0, 0, 0,     // header
                                       1,   1, 'o', 0, 2, 0, 0, 0, '/', 'o', 0,   0,   0,   0, 0, 0,     // path
                                       3,   1, 's', 0, 5, 0, 0, 0, 'H', 'e', 'l', 'l', 'o', 0, 0, 0}));  // member
}

TEST(Message, PropertiesAreAlignedWhereverTheyBegin) {
  const Property property{"A", std::vector<std::pair<std::string, std::string>>{{"b", "c"}}};
  Body body;
  body.text("u").properties(std::vector<Property>{property});
  EXPECT_EQ(body.signature(), "sa(sv)");
  EXPECT_EQ(body.bytes(), bytes({1,  0, 0, 0, 'u', 0, 0, 0,   38,  0,   0,   0,   0,   0, 0, 0,  // "u", length, padding
                                 1,  0, 0, 0, 'A', 0, 5, 'a', '(', 's', 's', ')', 0,   0, 0, 0,  // "A", signature
                                 14, 0, 0, 0, 0,   0, 0, 0,   1,   0,   0,   0,   'b', 0, 0, 0, 1, 0, 0, 0, 'c', 0}));
}

TEST(Message, ComesBackWholeAndOneAfterAnother) {
  Message signal = hello();
  signal.type = Type::signal;
  signal.interface = "i.I";
  signal.sender = "";
  signal.signature = "uos";
  signal.body = bytes({7, 0, 0, 0, 2, 0, 0, 0, '/', 'j', 0, 0, 1, 0, 0, 0, 'd', 0});
  std::string buffer = serialize(signal) + serialize(hello());
  auto first = take_message(buffer);
  ASSERT_TRUE(first && *first);
  EXPECT_EQ((*first)->interface, "i.I");
  Reader reader(**first);
  EXPECT_EQ(reader.number(), 7U);
  EXPECT_EQ(reader.text(), "/j");
  EXPECT_EQ(reader.text(), "d");
  EXPECT_EQ(reader.text(), std::nullopt);
  auto second = take_message(buffer);
  ASSERT_TRUE(second && *second);
  EXPECT_EQ((*second)->member, "Hello");
  EXPECT_TRUE(buffer.empty());
}

TEST(Message, ThatIsNotAllThereIsWaitedFor) {
  const std::string whole = serialize(hello());
  for (std::size_t length = 0; length < whole.size(); ++length) {
    std::string part = whole.substr(0, length);
    auto taken = take_message(part);
    ASSERT_TRUE(taken) << length;
    EXPECT_FALSE(*taken) << length;
    EXPECT_EQ(part.size(), length);
  }
}

TEST(Message, OfTheOtherByteOrderIsRead) {
  std::string big = bytes({'B', 2,   0,   1, 0, 0, 0, 10, 0,   0, 0,   9, 0, 0,   0, 15,  // header
                           5,   1,   'u', 0, 0, 0, 0, 3,  8,   1, 'g', 0, 1, 'v', 0, 0,   // reply to 3, "v"
                           1,   's', 0,   0, 0, 0, 0, 1,  'x', 0});
  auto message = take_message(big);
  ASSERT_TRUE(message && *message);
  EXPECT_EQ((*message)->reply_serial, 3U);
  EXPECT_EQ(Reader(**message).text(), "x");
}

TEST(Message, UnknownHeaderFieldsAreSkippedWhateverTheirType) {
  std::string head =
      bytes({'l', 4, 0,   1,   0,   0,   0,   0, 1,   0, 0,   0, 47, 0, 0, 0,                          // header
             77,  5, 'a', '(', 'y', 'v', ')', 0, 5,   0, 0,   0, 0,  0, 0, 0,                          // a(yv)
             1,   1, 'y', 0,   9,   0,   0,   0, 78,  1, 't', 0, 0,  0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8,  // a t
             3,   1, 's', 0,   1,   0,   0,   0, 'M', 0, 0,   0, 0,  0, 0, 0});
  head[12] = 50;
  auto message = take_message(head);
  ASSERT_TRUE(message) << message.error().message();
  ASSERT_TRUE(*message);
  EXPECT_EQ((*message)->member, "M");
}

TEST(Message, NonsenseIsAnError) {
  std::string version = serialize(hello());
  version[3] = 2;
  EXPECT_FALSE(take_message(version));
  std::string text = "HTTP/1.1 400 Bad Request\r\n";
  EXPECT_FALSE(take_message(text));
  std::string length = serialize(hello());
  length[20] = 100;  // the path's, beyond the fields
  EXPECT_FALSE(take_message(length));
  std::string huge = serialize(hello());
  huge[7] = 0x7f;  // of the body
  EXPECT_FALSE(take_message(huge));
  std::string type = serialize(hello());
  type[18] = 'u';  // a path that is a number
  EXPECT_FALSE(take_message(type));
}

TEST(Message, AnErrorSaysItsNameAndItsText) {
  Message error;
  error.type = Type::error;
  error.error_name = "a.B";
  EXPECT_EQ(error_text(error), "a.B");
  error.signature = "s";
  error.body = bytes({1, 0, 0, 0, 'x', 0});
  EXPECT_EQ(error_text(error), "a.B: x");
}

TEST(Property, HasTheTextOfBusctl) {
  EXPECT_EQ(to_text({"A", std::string("b")}), "A s \"b\"");
  EXPECT_EQ(to_text({"A", true}), "A b true");
  EXPECT_EQ(to_text({"A", std::uint64_t{7}}), "A t 7");
  EXPECT_EQ(to_text({"A", std::vector<std::uint8_t>{1, 255}}), "A ay 2 1 255");
  EXPECT_EQ(to_text({"A", std::vector<std::pair<std::string, std::string>>{{"b", "c"}}}), "A a(ss) 1 \"b\" \"c\"");
}

TEST(Addresses, AreTheUnixSocketsOfTheList) {
  EXPECT_THAT(socket_paths("unix:path=/run/a,guid=12;unix:abstract=/tmp/b"), ElementsAre("/run/a", "@/tmp/b"));
  EXPECT_THAT(socket_paths("unix:guid=1,path=/with%20blank"), ElementsAre("/with blank"));
  EXPECT_THAT(socket_paths("tcp:host=h,port=1;unix:runtime=yes;nonce;"), IsEmpty());
  EXPECT_THAT(socket_paths(""), IsEmpty());
}

}  // namespace
}  // namespace caisson::dbus

// Laws of the wire: a request is whole or refused, names and data lie within it, replies have the kernel's form.
// Layer: procview, test.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/procview/wire.h"

#include <gtest/gtest.h>

#include <cstring>

namespace caisson::procview::wire {
namespace {

std::string request(std::uint32_t opcode, std::string_view body, std::uint32_t claimed = 0) {
  fuse_in_header header{};
  header.len = claimed != 0 ? claimed : static_cast<std::uint32_t>(sizeof header + body.size());
  header.opcode = opcode;
  header.unique = 1ULL << 63 | 7;
  header.nodeid = 5;
  header.uid = 1000;
  header.pid = 77;
  return std::string(reinterpret_cast<const char*>(&header), sizeof header) + std::string(body);
}

template <class Body>
std::string bytes_of(const Body& body) {
  return {reinterpret_cast<const char*>(&body), sizeof body};
}

TEST(Wire, TheHeaderSaysWhoAsksWhat) {
  const std::string bytes = request(FUSE_LOOKUP, std::string_view("proc\0", 5));
  const auto parsed = parse_request(bytes);
  ASSERT_TRUE(parsed);
  EXPECT_FALSE(parsed->malformed);
  EXPECT_EQ(parsed->request.name, "proc");
  EXPECT_EQ(parsed->request.unique, 1ULL << 63 | 7) << "a reply carries it as it came";
  EXPECT_EQ(parsed->request.node, 5u);
  EXPECT_EQ(parsed->request.pid, 77u);
}

TEST(Wire, NoBytesAreNoRequest) {
  EXPECT_FALSE(parse_request(""));
  EXPECT_FALSE(parse_request(std::string(sizeof(fuse_in_header) - 1, '\0')));
  EXPECT_FALSE(parse_request(request(FUSE_LOOKUP, "x", 4711))) << "another length than it has";
}

TEST(Wire, ABodyThatIsTooShortIsMalformed) {
  const std::uint32_t with_body[] = {FUSE_INIT,    FUSE_LOOKUP,  FUSE_READ,       FUSE_READDIR, FUSE_WRITE, FUSE_POLL,
                                     FUSE_OPENDIR, FUSE_RELEASE, FUSE_RELEASEDIR, FUSE_SETATTR, FUSE_OPEN};
  for (const std::uint32_t opcode : with_body) {
    const std::string bytes = request(opcode, "");
    ASSERT_TRUE(parse_request(bytes)) << opcode;
    EXPECT_TRUE(parse_request(bytes)->malformed) << opcode;
  }
  EXPECT_TRUE(parse_request(request(FUSE_LOOKUP, "no end"))->malformed);
  EXPECT_TRUE(parse_request(request(FUSE_LOOKUP, std::string_view("\0", 1)))->malformed);
}

TEST(Wire, AWriteHasAllTheDataItClaims) {
  fuse_write_in in{};
  in.fh = 9;
  in.size = 3;
  EXPECT_TRUE(parse_request(request(FUSE_WRITE, bytes_of(in) + "ab"))->malformed);
  const std::string bytes = request(FUSE_WRITE, bytes_of(in) + "abcd");
  const auto parsed = parse_request(bytes);
  ASSERT_TRUE(parsed && !parsed->malformed);
  EXPECT_EQ(parsed->request.data, "abc");
  EXPECT_EQ(parsed->request.handle, 9u);
}

TEST(Wire, FeaturesAreOfBothWords) {
  fuse_init_in in{};
  in.major = 7;
  in.minor = 45;
  in.flags = FUSE_INIT_EXT | 1;
  in.flags2 = 2;
  EXPECT_EQ(parse_request(request(FUSE_INIT, bytes_of(in)))->request.features, 2ULL << 32 | FUSE_INIT_EXT | 1);
  // A kernel that has no second word sends a shorter body.
  EXPECT_FALSE(parse_request(request(FUSE_INIT, bytes_of(in).substr(0, 16)))->malformed);
}

TEST(Wire, WhatNobodyWaitsForIsNotAnswered) {
  for (const std::uint32_t opcode : {FUSE_FORGET, FUSE_BATCH_FORGET, FUSE_INTERRUPT}) EXPECT_FALSE(wants_reply(opcode));
  for (const std::uint32_t opcode : {FUSE_READ, FUSE_RELEASE, FUSE_DESTROY}) EXPECT_TRUE(wants_reply(opcode));
  EXPECT_TRUE(wants_reply(4711)) << "what we do not know gets ENOSYS";
}

TEST(Wire, RepliesHaveTheKernelsForm) {
  fuse_out_header header{};
  const std::string error = reply_error(7, ENOENT);
  ASSERT_EQ(error.size(), sizeof header);
  std::memcpy(&header, error.data(), sizeof header);
  EXPECT_EQ(header.error, -ENOENT);
  EXPECT_EQ(header.unique, 7u);
  EXPECT_EQ(header.len, sizeof header);
  const std::string notice = notify(notify_resend, "ab");
  std::memcpy(&header, notice.data(), sizeof header);
  EXPECT_EQ(header.error, 7);
  EXPECT_EQ(header.unique, 0u);
  EXPECT_EQ(header.len, sizeof header + 2);
}

TEST(Wire, ADirectorysPartEndsWhereTheNextNameDoesNotFit) {
  std::string body;
  EXPECT_TRUE(add_entry(body, 64, 1, 1, S_IFREG, "name"));
  EXPECT_EQ(body.size(), FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + 4));
  EXPECT_TRUE(add_entry(body, 64, 2, 2, S_IFREG, "12345678"));
  EXPECT_FALSE(add_entry(body, 64, 3, 3, S_IFREG, "x"));
  EXPECT_EQ(body.size(), 64u);
}

}  // namespace
}  // namespace caisson::procview::wire

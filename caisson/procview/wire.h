// Wire: the requests of the kernel's FUSE protocol as plain values, and our replies as bytes.
// Layer: procview. Pure; the parser is a total function. Used by server.cc.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <linux/fuse.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace caisson::procview::wire {

// What the kernel's headers of Debian 12 do not name yet. source: linux include/uapi/linux/fuse.h
inline constexpr int notify_resend = 7;  // since 6.9

inline constexpr std::uint32_t max_write = 4096;
// The kernel refuses a shorter read(2) with EINVAL.
inline constexpr std::size_t request_size = FUSE_MIN_READ_BUFFER + sizeof(fuse_in_header) + sizeof(fuse_write_in);

struct Request {
  std::uint32_t opcode = 0;
  std::uint64_t unique = 0;  // with bit 63 when it is sent again; a reply carries it as it came
  std::uint64_t node = 0;
  std::uint32_t uid = 0, gid = 0;
  std::uint32_t pid = 0;

  std::string_view name;               // LOOKUP; points into the bytes that were parsed
  std::string_view data;               // WRITE; the same
  std::uint64_t handle = 0;            // READ, WRITE, READDIR, RELEASE, POLL
  std::uint64_t offset = 0;            // READ, WRITE, READDIR
  std::uint32_t size = 0;              // READ, READDIR
  bool paged = false;                  // READ: for the page cache (sendfile, splice), not for a read(2)
  std::uint32_t flags = 0;             // OPEN: those of open(2); POLL: FUSE_POLL_*
  std::uint32_t valid = 0;             // SETATTR: FATTR_*
  std::uint64_t kernel_handle = 0;     // POLL
  std::uint32_t major = 0, minor = 0;  // INIT
  std::uint32_t max_readahead = 0;     // INIT
  std::uint64_t features = 0;          // INIT: FUSE_* flags, of both words
};

// The bytes of one read(2). Nothing: not a whole request of its kind, nobody can answer it.
// A body that is too short for its opcode is one with `malformed`: to be answered with EIO.
struct Parsed {
  Request request;
  bool malformed = false;
};
std::optional<Parsed> parse_request(std::string_view bytes);

// Whether the kernel waits for an answer.
bool wants_reply(std::uint32_t opcode);

// ---- replies: header and body as one piece of bytes

std::string reply(std::uint64_t unique, std::string_view body = {});
std::string reply_error(std::uint64_t unique, int error);  // errno, positive
template <class Body>
std::string reply_with(std::uint64_t unique, const Body& body) {
  return reply(unique, std::string_view(reinterpret_cast<const char*>(&body), sizeof body));
}

// Adds one name to a READDIR body; false when it does not fit into `limit` bytes any more.
bool add_entry(std::string& body, std::size_t limit, std::uint64_t inode, std::uint64_t next_offset, mode_t mode,
               std::string_view name);

// Notifications: unique 0, the code in place of the error.
std::string notify(int code, std::string_view body = {});

}  // namespace caisson::procview::wire

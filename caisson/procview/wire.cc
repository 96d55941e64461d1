#include "caisson/procview/wire.h"

#include <algorithm>
#include <cstring>

namespace caisson::procview::wire {

namespace {

// Copies a struct from the front of `body`; older kernels send shorter ones, the rest is zero.
template <class Body>
bool take(std::string_view body, Body& out, std::size_t least = sizeof(Body)) {
  if (body.size() < least) return false;
  std::memcpy(&out, body.data(), std::min(body.size(), sizeof(Body)));
  return true;
}

bool parse_init(std::string_view body, Request& out) {
  fuse_init_in in{};
  if (!take(body, in, 16)) return false;
  out.major = in.major;
  out.minor = in.minor;
  out.max_readahead = in.max_readahead;
  out.features = in.flags;
  if (in.flags & FUSE_INIT_EXT) out.features |= static_cast<std::uint64_t>(in.flags2) << 32;
  return true;
}

bool parse_read(std::string_view body, Request& out) {
  fuse_read_in in{};
  if (!take(body, in, 24)) return false;
  out.handle = in.fh;
  out.offset = in.offset;
  out.size = in.size;
  // Only a read(2) says whose locks it respects. source: linux fs/fuse/file.c, fuse_send_read()
  out.paged = out.opcode == FUSE_READ && (in.read_flags & FUSE_READ_LOCKOWNER) == 0;
  return true;
}

bool parse_write(std::string_view body, Request& out) {
  fuse_write_in in{};
  if (!take(body, in) || body.size() - sizeof in < in.size) return false;
  out.handle = in.fh;
  out.offset = in.offset;
  out.data = body.substr(sizeof in, in.size);
  return true;
}

bool parse_poll(std::string_view body, Request& out) {
  fuse_poll_in in{};
  if (!take(body, in)) return false;
  out.handle = in.fh;
  out.kernel_handle = in.kh;
  out.flags = in.flags;
  return true;
}

bool parse_name(std::string_view body, Request& out) {
  const std::size_t end = body.find('\0');
  if (end == std::string_view::npos || end == 0) return false;
  out.name = body.substr(0, end);
  return true;
}

bool parse_body(std::string_view body, Request& out) {
  switch (out.opcode) {
    case FUSE_INIT:
      return parse_init(body, out);
    case FUSE_LOOKUP:
      return parse_name(body, out);
    case FUSE_READ:
    case FUSE_READDIR:
      return parse_read(body, out);
    case FUSE_WRITE:
      return parse_write(body, out);
    case FUSE_POLL:
      return parse_poll(body, out);
    case FUSE_OPEN:
    case FUSE_OPENDIR: {
      fuse_open_in in{};
      if (!take(body, in)) return false;
      out.flags = in.flags;
      return true;
    }
    case FUSE_RELEASE:
    case FUSE_RELEASEDIR: {
      fuse_release_in in{};
      if (!take(body, in)) return false;
      out.handle = in.fh;
      return true;
    }
    case FUSE_SETATTR: {
      fuse_setattr_in in{};
      if (!take(body, in)) return false;
      out.valid = in.valid;
      out.size = static_cast<std::uint32_t>(in.size);
      return true;
    }
    default:
      return true;
  }
}

std::string message(std::uint64_t unique, int error, std::string_view body) {
  fuse_out_header header{};
  header.len = static_cast<std::uint32_t>(sizeof header + body.size());
  header.error = error;
  header.unique = unique;
  std::string out(sizeof header + body.size(), '\0');
  std::memcpy(out.data(), &header, sizeof header);
  std::copy(body.begin(), body.end(), out.begin() + sizeof header);
  return out;
}

}  // namespace

std::optional<Parsed> parse_request(std::string_view bytes) {
  fuse_in_header header{};
  if (!take(bytes, header) || header.len != bytes.size()) return std::nullopt;
  Parsed out;
  out.request.opcode = header.opcode;
  out.request.unique = header.unique;
  out.request.node = header.nodeid;
  out.request.uid = header.uid;
  out.request.gid = header.gid;
  out.request.pid = header.pid;
  out.malformed = !parse_body(bytes.substr(sizeof header), out.request);
  return out;
}

bool wants_reply(std::uint32_t opcode) {
  return opcode != FUSE_FORGET && opcode != FUSE_BATCH_FORGET && opcode != FUSE_INTERRUPT &&
         opcode != FUSE_NOTIFY_REPLY;
}

std::string reply(std::uint64_t unique, std::string_view body) { return message(unique, 0, body); }

std::string reply_error(std::uint64_t unique, int error) { return message(unique, -error, {}); }

bool add_entry(std::string& body, std::size_t limit, std::uint64_t inode, std::uint64_t next_offset, mode_t mode,
               std::string_view name) {
  const std::size_t size = FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + name.size());
  if (body.size() + size > limit) return false;
  const std::size_t at = body.size();
  body.resize(at + size, '\0');
  fuse_dirent entry{};
  entry.ino = inode;
  entry.off = next_offset;
  entry.namelen = static_cast<std::uint32_t>(name.size());
  entry.type = mode >> 12;
  std::memcpy(body.data() + at, &entry, FUSE_NAME_OFFSET);
  std::copy(name.begin(), name.end(), body.begin() + static_cast<std::ptrdiff_t>(at + FUSE_NAME_OFFSET));
  return true;
}

std::string notify(int code, std::string_view body) {
  std::string out = message(0, 0, body);
  std::memcpy(out.data() + offsetof(fuse_out_header, error), &code, sizeof code);
  return out;
}

}  // namespace caisson::procview::wire

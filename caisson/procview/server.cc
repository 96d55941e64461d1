#include "caisson/procview/server.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <ctime>
#include <utility>

namespace caisson::procview {

namespace {

using wire::Request;

constexpr std::uint64_t forever = 86400;  // seconds that the kernel may keep a name that does not change

std::string refused(const Request& request, const Error& error) {
  return wire::reply_error(request.unique, error.code() != 0 ? error.code() : EIO);
}

// Whether it may come and go: CPUs with the cpuset.
bool may_change(const Node& node) { return node.entry->numbers > 0; }

std::uint64_t first_handle() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) << 30 | static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace

Server::Server(int fuse, const Nest& before, const Known* known, ValueStore values, Progress progress, Inbox inbox)
    : fuse_(fuse),
      inbox_(inbox),
      nest_(&before),
      known_(known),
      progress_(progress),
      values_(std::move(values)),
      triggers_(values_),
      next_handle_(first_handle()) {
  contents_.emplace(before, values_);
  static_assert(wire::request_size <= inbox_size);
  if (inbox_.bytes != nullptr) return;
  own_.resize(wire::request_size);
  inbox_.bytes = own_.data();
}

// Once the nest has a process, what it reads is its own.
void Server::learn(bool patiently) {
  if (known_ == nullptr) return;
  constexpr int tries = 2000;
  const Nest* nest = known_->get();
  for (int i = 0; nest == nullptr && patiently && i < tries; ++i) {
    (void)::poll(nullptr, 0, 1);
    nest = known_->get();
  }
  if (nest == nullptr) return;
  known_ = nullptr;
  nest_ = nest;
  contents_.emplace(*nest, values_);
}

void Server::mark_busy(bool busy) const {
  if (busy && progress_.taken != nullptr) progress_.taken->fetch_add(1);
  if (progress_.busy_since == nullptr) return;
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  progress_.busy_since->store(busy ? static_cast<std::uint64_t>(ms) : 0);
}

Result<void> Server::send(std::string_view bytes) {
  const ssize_t n = ::write(fuse_, bytes.data(), bytes.size());
  // ENOENT: the asker was killed meanwhile. ENODEV: the connection has ended; the next read says so too.
  if (n < 0 && errno != ENOENT && errno != ENODEV && errno != EINTR) return Error::os(errno, "write to /dev/fuse");
  return ok();
}

void Server::resume() {
  values_.remove_leftovers();
  triggers_.resume();
}

// The kernel fills a request before SIGKILL is acted on: with its header there, all of it is. Answered already: then
// nobody waits (ENOENT), and doing it once more changes nothing.
Result<void> Server::answer_inherited() {
  // The kernel must find all pages there, also when we are about to be killed.
  for (std::size_t at = 0; at < wire::request_size; at += 4096)
    inbox_.bytes[at] = std::exchange(inbox_.bytes[at], '\0');
  fuse_in_header header{};
  std::memcpy(&header, inbox_.bytes, sizeof header);
  if (header.len < sizeof header || header.len > wire::request_size) {
    clear_inbox();
    return ok();
  }
  constexpr std::uint32_t most_attempts = 2;
  if (inbox_.attempts != nullptr && inbox_.attempts->fetch_add(1) >= most_attempts) {
    TRY(send(wire::reply_error(header.unique, EIO)));
  } else {
    TRY(take({inbox_.bytes, header.len}));
  }
  clear_inbox();
  return ok();
}

void Server::clear_inbox() {
  std::memset(inbox_.bytes, 0, sizeof(fuse_in_header));
  std::atomic_signal_fence(std::memory_order_seq_cst);
  if (inbox_.attempts != nullptr) inbox_.attempts->store(0);
}

Result<void> Server::ask_again() {
  const std::string notice = wire::notify(wire::notify_resend);
  if (::write(fuse_, notice.data(), notice.size()) >= 0) return ok();
  const int code = errno;
  if (code == EINVAL)
    return Error::of(Kind::unsupported, "this kernel does not send FUSE requests again (FUSE_NOTIFY_RESEND, 6.9)");
  if (code == EPERM || code == ENODEV) return ok();  // not initialized yet, or ended
  return Error::os(code, "FUSE_NOTIFY_RESEND");
}

Result<void> Server::wait_for_any() {
  std::vector<pollfd> waited = {{fuse_, POLLIN, 0}};
  triggers_.append_to(waited);
  if (::poll(waited.data(), waited.size(), -1) < 0) return ok();
  for (const std::uint64_t kernel_handle : triggers_.fired(waited)) {
    const fuse_notify_poll_wakeup_out wake{kernel_handle};
    TRY(send(wire::notify(FUSE_NOTIFY_POLL, {reinterpret_cast<const char*>(&wake), sizeof wake})));
  }
  return ok();
}

Result<bool> Server::answer_next() {
  if (triggers_.any()) TRY(wait_for_any());
  const ssize_t n = ::read(fuse_, inbox_.bytes, wire::request_size);
  if (n < 0) {
    if (errno == ENODEV) return false;
    if (errno == EAGAIN) {
      pollfd waited{fuse_, POLLIN, 0};
      (void)::poll(&waited, 1, -1);
      return true;
    }
    if (errno == EINTR || errno == ENOENT) return true;  // ENOENT: it was taken back
    return Error::os(errno, "read of /dev/fuse");
  }
  TRY(take({inbox_.bytes, static_cast<std::size_t>(n)}));
  clear_inbox();
  return true;
}

Result<void> Server::take(std::string_view bytes) {
  const auto parsed = wire::parse_request(bytes);
  if (!parsed) return Error::of(Kind::internal, "a FUSE request without a header");
  mark_busy(true);
  learn(parsed->request.opcode == FUSE_READ || parsed->request.opcode == FUSE_WRITE);
  const std::string out = parsed->malformed ? wire::reply_error(parsed->request.unique, EIO) : answer(parsed->request);
  if (!out.empty()) TRY(send(out));
  if (!afterwards_.empty()) TRY(send(std::exchange(afterwards_, {})));
  mark_busy(false);
  return ok();
}

std::string Server::answer(const Request& request) {
  if (!wire::wants_reply(request.opcode)) return {};
  switch (request.opcode) {
    case FUSE_INIT:
      return init(request);
    case FUSE_LOOKUP:
      return look_up(request);
    case FUSE_GETATTR:
      return get_attributes(request);
    case FUSE_SETATTR:
      return set_attributes(request);
    case FUSE_READLINK:
      return read_link(request);
    case FUSE_OPEN:
    case FUSE_OPENDIR:
      return open(request);
    case FUSE_READ:
      return read(request);
    case FUSE_WRITE:
      return write(request);
    case FUSE_READDIR:
      return read_directory(request);
    case FUSE_RELEASE:
    case FUSE_RELEASEDIR:
      return release(request);
    case FUSE_POLL:
      return poll(request);
    case FUSE_STATFS:
      return file_system(request);
    case FUSE_DESTROY:
      return wire::reply(request.unique);
    case FUSE_IOCTL:
      return wire::reply_error(request.unique, ENOTTY);
    case FUSE_MKNOD:
    case FUSE_MKDIR:
    case FUSE_UNLINK:
    case FUSE_RMDIR:
    case FUSE_RENAME:
    case FUSE_RENAME2:
    case FUSE_LINK:
    case FUSE_SYMLINK:
    case FUSE_CREATE:
    case FUSE_TMPFILE:
      return wire::reply_error(request.unique, EPERM);
    default:
      return wire::reply_error(request.unique, ENOSYS);
  }
}

std::string Server::init(const Request& request) {
  if (request.major < 7) return wire::reply_error(request.unique, EPROTO);
  fuse_init_out out{};
  out.major = FUSE_KERNEL_VERSION;
  out.minor = FUSE_KERNEL_MINOR_VERSION;
  // A kernel of a later major version sends INIT again, with ours.
  if (request.major > FUSE_KERNEL_VERSION) return wire::reply_with(request.unique, out);
  constexpr std::uint64_t wanted = FUSE_ASYNC_READ | FUSE_BIG_WRITES | FUSE_PARALLEL_DIROPS | FUSE_MAX_PAGES;
  out.flags = static_cast<std::uint32_t>(request.features & wanted);
  out.max_readahead = request.max_readahead;
  out.max_background = 64;
  out.congestion_threshold = 48;
  out.max_write = wire::max_write;
  out.time_gran = 1;
  out.max_pages = 32;
  return wire::reply_with(request.unique, out);
}

fuse_attr Server::attributes(const Node& node) const {
  fuse_attr out{};
  out.ino = Tree::id_of(node);
  out.mode = node.entry->row != nullptr ? node.entry->row->mode : S_IFDIR | 0555;
  out.nlink = node.entry->is_directory() ? 2 : 1;
  out.uid = nest_->root_uid;
  out.gid = nest_->root_gid;
  out.blksize = 4096;
  // sendfile(2) reads up to the size: a bound, as in sysfs, not the zero of proc.
  if (S_ISREG(out.mode)) out.size = 1 << 16;
  return out;
}

// A file that was read through the page cache has, from then on, the size that was read. So its attributes are asked
// for anew at each open. Nobody else needs to: no program waits for attributes that do not change.
//   source  linux fs/fuse/file.c, fuse_short_read()
std::uint64_t Server::attributes_valid(const Node& node) const {
  return std::find(paged_.begin(), paged_.end(), Tree::id_of(node)) == paged_.end() ? forever : 0;
}

std::string Server::look_up(const Request& request) {
  const std::optional<Node> directory = contents_->tree().find(request.node);
  if (!directory) return wire::reply_error(request.unique, ESTALE);
  const std::optional<Node> node = contents_->tree().look_up(*directory, request.name);
  if (!node || !contents_->is_there(*node)) return wire::reply_error(request.unique, ENOENT);
  fuse_entry_out out{};
  out.nodeid = Tree::id_of(*node);
  out.entry_valid = may_change(*node) ? 1 : forever;
  out.attr_valid = attributes_valid(*node);
  out.attr = attributes(*node);
  return wire::reply_with(request.unique, out);
}

// What the kernel believes of its attributes holds no more, once it has seen the answer to this read.
void Server::note_paged(const Request& request) {
  if (std::find(paged_.begin(), paged_.end(), request.node) == paged_.end()) paged_.push_back(request.node);
  fuse_notify_inval_inode_out out{};
  out.ino = request.node;
  out.off = -1;  // the attributes alone
  afterwards_ = wire::notify(FUSE_NOTIFY_INVAL_INODE, {reinterpret_cast<const char*>(&out), sizeof out});
}

std::string Server::get_attributes(const Request& request) {
  const std::optional<Node> node = contents_->tree().find(request.node);
  if (!node) return wire::reply_error(request.unique, ESTALE);
  fuse_attr_out out{};
  out.attr_valid = attributes_valid(*node);
  out.attr = attributes(*node);
  return wire::reply_with(request.unique, out);
}

// As in /proc/sys: owner and mode stay; a truncation comes with every `echo 1 > file`.
std::string Server::set_attributes(const Request& request) {
  if ((request.valid & (FATTR_MODE | FATTR_UID | FATTR_GID)) != 0) return wire::reply_error(request.unique, EPERM);
  return get_attributes(request);
}

std::string Server::read_link(const Request& request) {
  const std::optional<Node> node = contents_->tree().find(request.node);
  if (!node) return wire::reply_error(request.unique, ESTALE);
  const Result<std::string> target = contents_->link_target(*node);
  return target ? wire::reply(request.unique, *target) : refused(request, target.error());
}

std::string Server::open(const Request& request) {
  const std::optional<Node> node = contents_->tree().find(request.node);
  if (!node) return wire::reply_error(request.unique, ESTALE);
  fuse_open_out out{};
  out.fh = ++next_handle_;
  out.open_flags = request.opcode == FUSE_OPENDIR ? 0 : FOPEN_DIRECT_IO | FOPEN_NOFLUSH;
  return wire::reply_with(request.unique, out);
}

std::string Server::read(const Request& request) {
  const std::optional<Node> node = contents_->tree().find(request.node);
  if (!node) return wire::reply_error(request.unique, ESTALE);
  if (request.paged) note_paged(request);
  Snapshot* snapshot = nullptr;
  for (Snapshot& one : snapshots_)
    if (one.handle == request.handle && one.handle != 0) snapshot = &one;
  if (request.offset > 0 && snapshot != nullptr) {
    if (request.offset >= snapshot->size) return wire::reply(request.unique);
    if (!snapshot->text.empty()) {
      const std::string_view rest = std::string_view(snapshot->text).substr(request.offset);
      return wire::reply(request.unique, rest.substr(0, request.size));
    }
  }
  Result<std::string> text = contents_->text(*node, static_cast<pid_t>(request.pid));
  if (!text) return refused(request, text.error());
  const std::size_t size = text->size();
  if (request.offset >= size) return wire::reply(request.unique);
  // A text that has grown since its reader was at the end does not go on in the middle of a line.
  if (snapshot == nullptr && request.offset > 0 && (*text)[request.offset - 1] != '\n' && request.offset < 4096 &&
      std::find(text->begin() + static_cast<std::ptrdiff_t>(request.offset), text->end(), '\n') + 1 == text->end() &&
      size - request.offset < 4)
    return wire::reply(request.unique);
  const std::string out = wire::reply(request.unique, std::string_view(*text).substr(request.offset, request.size));
  if (snapshot == nullptr) snapshot = &snapshots_[next_snapshot_++ % snapshots_.size()];
  *snapshot = {request.handle, size, request.offset + request.size < size ? *std::move(text) : std::string()};
  return out;
}

std::string Server::write(const Request& request) {
  const std::optional<Node> node = contents_->tree().find(request.node);
  if (!node) return wire::reply_error(request.unique, ESTALE);
  fuse_write_out out{};
  out.size = static_cast<std::uint32_t>(request.data.size());
  if (node->entry->row != nullptr && node->entry->row->content == Content::pressure) {
    const std::string file = contents_->gather().pressure_file(node->entry->name());
    if (file.empty()) return wire::reply_error(request.unique, EOPNOTSUPP);
    const std::string_view text = request.data.substr(0, std::min(request.data.find('\0'), request.data.size()));
    const Result<void> added = triggers_.add(request.handle, file, text);
    return added ? wire::reply_with(request.unique, out) : refused(request, added.error());
  }
  // sysctl_writes_strict: what is not at the start is taken and changes nothing.
  if (request.offset == 0)
    if (const Result<void> written = contents_->write(*node, request.data); !written)
      return refused(request, written.error());
  return wire::reply_with(request.unique, out);
}

std::string Server::read_directory(const Request& request) {
  const std::optional<Node> node = contents_->tree().find(request.node);
  if (!node) return wire::reply_error(request.unique, ESTALE);
  if (!node->entry->is_directory()) return wire::reply_error(request.unique, ENOTDIR);
  std::string body;
  std::uint64_t position = 0;
  const auto add = [&](const Node& entry, std::string_view name) {
    const fuse_attr attr = attributes(entry);
    return ++position <= request.offset || wire::add_entry(body, request.size, attr.ino, position, attr.mode, name);
  };
  if (add(*node, ".") && add(*node, ".."))
    for (const Contents::Child& child : contents_->children(*node))
      if (!add(child.node, child.name)) break;
  return wire::reply(request.unique, body);
}

std::string Server::release(const Request& request) {
  for (Snapshot& one : snapshots_)
    if (one.handle == request.handle) one = {};
  if (triggers_.any()) triggers_.remove(request.handle);
  return wire::reply(request.unique);
}

std::string Server::poll(const Request& request) {
  fuse_poll_out out{};
  out.revents = POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM;
  const std::optional<Node> node = contents_->tree().find(request.node);
  if (node && node->entry->row != nullptr && node->entry->row->content == Content::pressure) {
    const Triggers::Answer asked = triggers_.ask(request.handle, request.kernel_handle);
    // As the kernel's: without a trigger, an error.
    out.revents = asked.known ? (asked.fired ? POLLPRI : 0) : POLLERR | POLLPRI;
    out.revents |= POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM;
  }
  return wire::reply_with(request.unique, out);
}

std::string Server::file_system(const Request& request) {
  fuse_statfs_out out{};
  out.st.bsize = 4096;
  out.st.namelen = 255;
  out.st.frsize = 4096;
  return wire::reply_with(request.unique, out);
}

}  // namespace caisson::procview

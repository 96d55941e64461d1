#include "caisson/nest/supervisor.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <semaphore>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "caisson/nest/handlers/handlers.h"
#include "caisson/nest/trapped.h"
#include "caisson/oci/document.h"
#include "caisson/seccomp/syscall_table.h"
#include "caisson/shim/shim.h"
#include "caisson/sys/capability.h"
#include "caisson/sys/code_pages.h"
#include "caisson/sys/file.h"
#include "caisson/sys/raw.h"
#include "caisson/sys/unix_socket.h"

namespace caisson::nest {
namespace {

using seccomp::Answer;
using sys::UniqueFd;

// The first listener is the first process's and its children's: nearly all calls. Its workers block in the kernel's
// receive itself, which wakes them on the caller's processor; one more waits for all others (`exec`) at once.
constexpr unsigned direct_workers = 2;
constexpr std::uint64_t first_listener = 1;
constexpr std::uint32_t most_attempts = 2;  // supervisors that may die with one call before it gets an error

// Trapped calls by how they enter the kernel.
class Decoder {
 public:
  Decoder() {
    for (const seccomp::Abi& abi : seccomp::machine_abis())
      for (const TrappedCall& row : trapped_calls())
        if (const auto entry = seccomp::find_call(abi, row.name); entry && entry->number >= 0)
          rows_.push_back({.audit = abi.audit, .number = static_cast<int>(entry->number), .row = &row});
  }
  const TrappedCall* find(const seccomp_data& data) const {
    const auto found =
        std::ranges::find_if(rows_, [&](const Row& r) { return r.audit == data.arch && r.number == data.nr; });
    return found == rows_.end() ? nullptr : found->row;
  }

 private:
  struct Row {
    std::uint32_t audit;
    int number;
    const TrappedCall* row;
  };
  std::vector<Row> rows_;
};

std::uint64_t now_ms() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

bool is_32_bit(const seccomp_data& data) { return data.arch != seccomp::machine_abis().front().audit; }

// The listeners there are. Each worker that has one in hand shares it: its number is not used again meanwhile.
class Listeners {
 public:
  explicit Listeners(int epoll) : epoll_(epoll) {}

  void add(std::uint64_t serial, UniqueFd fd) {
    seccomp::prefer_short_round_trips(fd.get());
    // Of the first one only its end (EPOLLHUP) is waited for.
    const std::uint32_t events = serial == first_listener ? 0 : EPOLLIN | EPOLLONESHOT;
    epoll_event event{.events = events, .data = {.u64 = serial}};
    const int number = fd.get();
    {
      const std::lock_guard lock(mutex_);
      all_[serial] = std::make_shared<UniqueFd>(std::move(fd));
      changed_.notify_all();
    }
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, number, &event);
  }
  std::shared_ptr<UniqueFd> find(std::uint64_t serial) {
    const std::lock_guard lock(mutex_);
    const auto found = all_.find(serial);
    return found == all_.end() ? nullptr : found->second;
  }
  void listen_again(std::uint64_t serial, int fd) const {
    epoll_event event{.events = EPOLLIN | EPOLLONESHOT, .data = {.u64 = serial}};
    ::epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event);
  }
  void remove(std::uint64_t serial) {
    const std::lock_guard lock(mutex_);
    const auto found = all_.find(serial);
    if (found == all_.end()) return;
    ::epoll_ctl(epoll_, EPOLL_CTL_DEL, found->second->get(), nullptr);
    all_.erase(found);
    changed_.notify_all();
  }
  void wait_for_more() {
    std::unique_lock lock(mutex_);
    const std::size_t before = all_.size();
    changed_.wait(lock, [&] { return all_.size() > before || all_.contains(first_listener); });
  }
  void wait_until_none() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return all_.empty(); });
  }

 private:
  int epoll_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::uint64_t, std::shared_ptr<UniqueFd>> all_;
};

class Supervisor {
 public:
  Supervisor(std::string directory, shim::Journal* journal, UniqueFd epoll)
      : journal_(journal), epoll_(std::move(epoll)), listeners_(epoll_.get()) {
    nest_.directory = std::move(directory);
  }

  void run() {
    const bool first = journal_->generation.fetch_add(1) == 0;
    start_view(first ? procview::Resend::no : procview::Resend::yes);
    while (!resumed_) hear_shim();
    recover();
    (void)sys::send_with_descriptors(shim::control_fd, "ready", nullptr, 0);
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < direct_workers; ++i)
      threads.emplace_back([this, i] { work_on_first(journal_->slots[i]); });
    threads.emplace_back([this] { work_on_others(journal_->slots[direct_workers]); });
    while (hear_shim()) continue;
    // The shim is gone. Nobody comes after us: we stay until the nest has ended.
    listeners_.wait_until_none();
    ::_exit(0);
  }

 private:
  // False: the shim has ended.
  bool hear_shim() {
    const auto length = sys::next_message_length(shim::control_fd);
    if (!length || *length == 0) return false;
    auto message = sys::receive_message(shim::control_fd, *length + 1);
    if (!message) return false;
    if (message->text == "resume") {
      resumed_ = true;
      return true;
    }
    if (message->text == "rest") {
      sys::release_code_pages();
      return true;
    }
    const std::size_t line = message->text.find('\n');
    if (line == std::string::npos || message->descriptors.empty()) return true;
    std::uint64_t serial = 0;
    std::from_chars(message->text.data(), message->text.data() + line, serial);
    if (nest_.init < 0) learn_from(message->text.substr(line + 1));
    listeners_.add(serial, std::move(message->descriptors.front()));
    return true;
  }

  // The first listener is the first process's. source: runtime-spec, "The container process state"
  void learn_from(const std::string& message) {
    auto document = oci::Document::parse(message, "listener");
    if (!document) return;
    const auto pid = document->get_integer({"pid"});
    const auto metadata = document->get_string({"metadata"});
    const std::string instructions = metadata && *metadata ? **metadata : "";
    if (pid && *pid) (void)learn(nest_, static_cast<pid_t>(**pid), instructions);
  }

  // This thread's own root, working directory and namespaces, in which it visits the nest's.
  static bool prepare_thread() { return sys::raw::call(SYS_unshare, CLONE_FS) == 0; }

  // A thread with descriptors of its own: the others wait for it whenever a path of theirs leads through the view, and
  // if they held the connection, their wait would keep it open, and them waiting, after we were killed with the shim.
  void start_view(procview::Resend resend) {
    if (::fcntl(shim::view_fd, F_GETFD) < 0) return;
    std::binary_semaphore apart(0);
    std::thread([this, resend, &apart] {
      const bool done = sys::raw::call(SYS_unshare, CLONE_FILES) == 0;
      if (done) keep_only(shim::alive_fd, shim::view_fd);
      apart.release();
      if (done) serve_view(resend);
      for (;;) ::pause();  // the shim's sign that we live
    }).detach();
    apart.acquire();
    ::close(shim::alive_fd);
    ::close(shim::view_fd);
  }

  static void keep_only(unsigned first, unsigned last) {
    ::close_range(STDERR_FILENO + 1, first - 1, 0);
    ::close_range(last + 1, ~0U, 0);
  }

  void serve_view(procview::Resend resend) {
    auto before = empty_view(nest_.directory);
    if (!before) return;
    const procview::Progress progress{.busy_since = &journal_->view_busy_since[0], .taken = &journal_->view_taken};
    const procview::Inbox inbox{.bytes = journal_->view_request, .attempts = &journal_->view_attempts};
    auto served = procview::serve(shim::view_fd, *before, &nest_.known, resend, progress, inbox);
    // Before Linux 6.9 nothing is sent again: what a predecessor had in hand is in the inbox, and there was no more.
    if (!served && served.error().kind() == Kind::unsupported)
      served = procview::serve(shim::view_fd, *before, &nest_.known, procview::Resend::no, progress, inbox);
    if (!served) (void)sys::write_all(STDERR_FILENO, "caisson-supervisor: " + served.error().message() + "\n");
  }

  void recover() {
    std::thread([this] {
      if (!prepare_thread()) return;
      for (shim::Slot& slot : journal_->slots) {
        const auto listener = slot.notification.id == 0 ? nullptr : listeners_.find(slot.listener);
        if (listener) {
          ++slot.attempts;
          slot.busy_since.store(now_ms());
          serve(*listener, slot);
        }
        release(slot);
      }
    }).join();
  }

  void work_on_first(shim::Slot& slot) {
    if (!prepare_thread()) ::_exit(1);
    auto listener = listeners_.find(first_listener);
    while (!listener) {
      listeners_.wait_for_more();
      listener = listeners_.find(first_listener);
    }
    for (;;) take(first_listener, *listener, slot, [] {});
  }

  void work_on_others(shim::Slot& slot) {
    if (!prepare_thread()) ::_exit(1);
    for (;;) {
      epoll_event event{};
      if (::epoll_wait(epoll_.get(), &event, 1, -1) != 1) continue;
      const std::uint64_t serial = event.data.u64;
      const auto listener = listeners_.find(serial);
      if (!listener) continue;
      if ((event.events & EPOLLIN) != 0)
        take(serial, *listener, slot, [&] { listeners_.listen_again(serial, listener->get()); });
      else
        listeners_.remove(serial);  // EPOLLHUP: its last task has ended
    }
  }

  // One notification, from the kernel to its answer.
  template <class Received>
  void take(std::uint64_t serial, const UniqueFd& listener, shim::Slot& slot, Received received) {
    slot.listener = serial;
    auto got = seccomp::receive(listener.get(), slot.notification);
    received();
    if (got && *got) {
      journal_->taken.fetch_add(1);
      slot.busy_since.store(now_ms());
      serve(listener, slot);
    }
    release(slot);
    prepare_covers(nest_);
  }

  // From a notification in the slot to its answer, whatever a predecessor has done of it.
  void serve(const UniqueFd& listener, shim::Slot& slot) {
    const std::uint64_t id = slot.notification.id;
    if (slot.phase.load() != shim::Phase::decided) {
      const Answer answer = slot.attempts > most_attempts ? Answer::fail(EIO) : decide(listener.get(), slot);
      slot.value = answer.value;
      slot.errno_ = answer.errno_;
      slot.proceed = answer.proceed ? 1 : 0;
      slot.phase.store(shim::Phase::decided);
    }
    (void)seccomp::answer(listener.get(), id,
                          {.value = slot.value, .errno_ = slot.errno_, .proceed = slot.proceed != 0});
  }

  Answer decide(int listener, shim::Slot& slot) {
    const seccomp_notif& n = slot.notification;
    const TrappedCall* row = decoder_.find(n.data);
    if (row == nullptr || nest_.init < 0) return Answer::native();
    Call call{.notification = n,
              .caller = Caller(listener, n.id, static_cast<pid_t>(n.pid)),
              .nest = nest_,
              .slot = slot,
              .is_compat = is_32_bit(n.data)};
    return row->handle(call);
  }

  // A slot is received into again only when it is zeroed; the id last, by which a successor knows that it is in use.
  static void release(shim::Slot& slot) {
    slot.phase.store(shim::Phase::decided);
    slot.notification.id = 0;
    std::atomic_thread_fence(std::memory_order_seq_cst);
    std::memset(&slot.notification, 0, sizeof slot.notification);
    slot.attempts = 0;
    slot.phase.store(shim::Phase::received);
    slot.busy_since.store(0);
  }

  shim::Journal* journal_;
  UniqueFd epoll_;
  Listeners listeners_;
  Decoder decoder_;
  Supervised nest_;
  bool resumed_ = false;
};

// What the handlers act with. A new one that needs another says so here.
constexpr int kept_capabilities[] = {
    CAP_SYS_ADMIN,                          // mounts, the nest's namespaces
    CAP_SYS_CHROOT,                         // its roots
    CAP_SYS_PTRACE,                         // its memory and /proc/PID
    CAP_MKNOD,                              // its devices
    CAP_SETUID,       CAP_SETGID,           // a caller's ids, under which its files are made
    CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH,  // what its root may reach
    CAP_SYS_RESOURCE, CAP_SYS_NICE,         // its limits and priorities
};

// For good, whatever a flaw in us may be made to do: none of the network's, the clock's, the modules', no program.
Result<void> drop_privileges() {
  std::uint64_t kept = 0;
  for (const int each : kept_capabilities) kept |= std::uint64_t{1} << each;
  const sys::Capabilities now = TRY(sys::capabilities());
  // A thread that takes a caller's ids keeps what is left.
  if (::prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP) < 0) return Error::os(errno, "securebits");
  TRY(sys::drop_bounding(kept));
  TRY(sys::set_capabilities({.effective = now.permitted & kept, .permitted = now.permitted & kept, .inheritable = 0}));
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return Error::os(errno, "no_new_privs");
  return ok();
}

Result<shim::Journal*> map_journal() {
  void* at = ::mmap(nullptr, sizeof(shim::Journal), PROT_READ | PROT_WRITE, MAP_SHARED, shim::journal_fd, 0);
  if (at == MAP_FAILED) return Error::os(errno, "mmap the journal");
  auto* journal = static_cast<shim::Journal*>(at);
  if (journal->version != shim::Journal::layout_version)
    return Error::of(Kind::unsupported, "the journal is another version's");
  return journal;
}

Result<void> supervise(std::string directory) {
  ::prctl(PR_SET_NAME, "caisson-superv");
  ::umask(0);
  TRY(drop_privileges());
  shim::Journal* journal = TRY(map_journal());
  const long made = sys::raw::call(SYS_epoll_create1, EPOLL_CLOEXEC);
  if (made < 0) return Error::os(static_cast<int>(-made), "epoll_create1");
  UniqueFd epoll(static_cast<int>(made));
  Supervisor(std::move(directory), journal, std::move(epoll)).run();
  return ok();
}

}  // namespace

int supervisor_main(int argc, char** argv) {
  if (argc != 3 || std::string_view(argv[1]) != "--directory") {
    (void)sys::write_all(STDERR_FILENO, "caisson-supervisor is started by caisson-shim\n");
    return 1;
  }
  auto done = supervise(argv[2]);
  if (done) return 0;
  (void)sys::write_all(STDERR_FILENO, "caisson-supervisor: " + done.error().message() + "\n");
  return 1;
}

}  // namespace caisson::nest

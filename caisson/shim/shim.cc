#include "caisson/shim/shim.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <new>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "caisson/shim/background.h"
#include "caisson/shim/journal.h"
#include "caisson/sys/code_pages.h"
#include "caisson/sys/file.h"
#include "caisson/sys/process.h"
#include "caisson/sys/raw.h"
#include "caisson/sys/unix_socket.h"

namespace caisson::shim {
namespace {

using std::chrono::milliseconds;
using sys::UniqueFd;
using Clock = std::chrono::steady_clock;

constexpr milliseconds client_limit{2000};  // a client that stalls keeps nobody waiting longer
constexpr milliseconds start_limit{5000};   // a supervisor that is not ready by then has failed
constexpr milliseconds stuck_limit{10000};  // a call in hand for longer: its supervisor hangs
constexpr milliseconds watch_period{2000};
constexpr milliseconds end_limit{200};
// A killed supervisor that is not gone by then hangs in a file system of the nest's own (FUSE, NFS), which may never
// answer.
constexpr milliseconds abandon_limit{2000};
constexpr std::size_t most_abandoned = 4;
constexpr int quick_deaths = 5;  // in a row, before the next one is given time

struct Options {
  std::string directory;
  pid_t creator = -1;
  int view = -1;
  std::vector<int> tasks;
  int unified = -1;

  std::vector<int> descriptors() const {
    std::vector<int> out = tasks;
    for (const int one : {view, unified})
      if (one >= 0) out.push_back(one);
    std::ranges::sort(out);
    return out;
  }
};

Result<Options> read_options(int argc, char** argv) {
  Options out;
  for (int i = 1; i < argc; i += 2) {
    const std::string_view name = argv[i];
    if (i + 1 == argc) return Error::of(Kind::invalid, std::string(name) + " needs a value");
    const std::string_view value = argv[i + 1];
    const auto number = [&](int& to) { std::from_chars(value.data(), value.data() + value.size(), to); };
    if (name == "--directory")
      out.directory = value;
    else if (name == "--creator")
      number(out.creator);
    else if (name == "--view")
      number(out.view);
    else if (name == "--tasks")
      number(out.tasks.emplace_back(-1));
    else if (name == "--unified")
      number(out.unified);
    else
      return Error::of(Kind::invalid, "unknown flag " + std::string(name));
  }
  if (out.directory.empty()) return Error::of(Kind::invalid, "--directory is required");
  return out;
}

struct SharedJournal {
  UniqueFd fd;
  Journal* journal = nullptr;
};

Result<SharedJournal> make_journal() {
  SharedJournal out;
  const long made = sys::raw::call(SYS_memfd_create, "caisson-journal", MFD_CLOEXEC);
  if (made < 0) return Error::os(static_cast<int>(-made), "memfd_create");
  out.fd = UniqueFd(static_cast<int>(made));
  if (::ftruncate(out.fd.get(), sizeof(Journal)) < 0) return Error::os(errno, "ftruncate");
  void* at = ::mmap(nullptr, sizeof(Journal), PROT_READ | PROT_WRITE, MAP_SHARED, out.fd.get(), 0);
  if (at == MAP_FAILED) return Error::os(errno, "mmap");
  out.journal = static_cast<Journal*>(at);  // zeroes are a valid, empty journal
  out.journal->version = Journal::layout_version;
  return out;
}

// The rest is what execveat(2) needs between fork and it.
[[noreturn]] void become_supervisor(int program, const char* directory, const int (&given)[4]) {
  int moved[4];
  for (int i = 0; i < 4; ++i)
    moved[i] = given[i] < 0 ? -1 : static_cast<int>(sys::raw::call(SYS_fcntl, given[i], F_DUPFD, 16));
  const long image = sys::raw::call(SYS_fcntl, program, F_DUPFD_CLOEXEC, 32);
  for (int i = 0; i < 4; ++i)
    if (moved[i] >= 0) sys::raw::call(SYS_dup3, moved[i], journal_fd + i, 0);
  sys::raw::call(SYS_close_range, moved[3] >= 0 ? view_fd + 1 : view_fd, image - 1, 0);
  sys::raw::call(SYS_close_range, image + 1, ~0U, 0);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const char* argv[] = {"caisson-supervisor", "--directory", directory, nullptr};
  sys::raw::call(SYS_execveat, image, "", argv, environ, AT_EMPTY_PATH);
  sys::raw::call(SYS_exit_group, 127);
  __builtin_unreachable();
}

struct Child {
  sys::Process process;
  sys::Pidfd fd;
  Clock::time_point killed{};
};

struct Listener {
  UniqueFd fd;
  std::uint64_t serial;
  std::string message;
};

class Shim {
 public:
  Shim(Options options, std::optional<sys::Pidfd> creator, UniqueFd socket, SharedJournal journal, UniqueFd program)
      : options_(std::move(options)),
        creator_(std::move(creator)),
        socket_(std::move(socket)),
        journal_(std::move(journal)),
        program_(std::move(program)) {}

  void run() {
    spawn();
    while (!over()) wait();
    end_for_good();
  }

 private:
  bool over() const {
    if (stopping_) return true;
    if (had_listener_) return listeners_.empty();
    return creator_gone_;
  }

  // ---- the supervisor

  void spawn() {
    if (!try_spawn()) retry_at_ = Clock::now() + milliseconds(50);  // a shortage passes; the nest's calls wait for it
  }

  bool try_spawn() {
    auto control = sys::message_pair();
    auto alive = sys::message_pair();
    if (!control || !alive) return false;
    const int given[4] = {journal_.fd.get(), control->second.get(), alive->second.get(), options_.view};
    auto pid = sys::clone_process(0);
    if (!pid) return false;
    if (*pid == 0) become_supervisor(program_.get(), options_.directory.c_str(), given);
    sys::Process process(*pid);
    auto fd = sys::Pidfd::open(*pid);
    if (!fd) return false;
    supervisor_.emplace(Child{.process = std::move(process), .fd = *std::move(fd)});
    control_ = std::move(control->first);
    alive_ = std::move(alive->first);
    ready_ = false;
    resumed_ = false;
    started_ = Clock::now();
    resume();
    return true;
  }

  // Not before its predecessors are gone: what they were doing is over before it looks at it. It serves the view
  // meanwhile, for a call of a predecessor's that waits for the view ends only when that is answered.
  void resume() {
    if (resumed_ || !control_ || !dying_.empty()) return;
    resumed_ = true;
    started_ = Clock::now();
    for (const Listener& listener : listeners_) hand_over(listener);
    (void)sys::send_with_descriptors(control_.get(), "resume", nullptr, 0);
  }

  void hand_over(const Listener& listener) const {
    const int fd = listener.fd.get();
    (void)sys::send_with_descriptors(control_.get(), std::to_string(listener.serial) + "\n" + listener.message, &fd, 1);
  }

  void end_supervisor() {
    control_.reset();
    alive_.reset();
    if (!supervisor_) return;
    (void)supervisor_->fd.send(SIGKILL);
    supervisor_->killed = Clock::now();
    dying_.push_back(*std::move(supervisor_));
    supervisor_.reset();
  }

  // With us the last one goes who could answer what they may wait for: the kernel then does.
  void end_for_good() {
    end_supervisor();
    for (Child& child : dying_) {
      const auto ended = child.fd.wait_end(end_limit);
      if (!ended || !*ended) (void)child.process.release();
    }
    dying_.clear();  // reaped
    for (Child& child : abandoned_) (void)child.process.release();
  }

  // The nest's other callers are not made to wait for ever for one file system of the nest's.
  void abandon() {
    std::erase_if(abandoned_, [](const Child& child) {
      const auto ended = child.fd.wait_end(milliseconds(0));
      return ended && *ended;
    });
    if (dying_.empty() || Clock::now() - dying_.front().killed < abandon_limit) return;
    if (abandoned_.size() >= most_abandoned) return;
    abandoned_.push_back(std::move(dying_.front()));
    dying_.erase(dying_.begin());
    resume();
  }

  void respawn() {
    end_supervisor();
    deaths_ = Clock::now() - started_ < start_limit && !ready_ ? deaths_ + 1 : 0;
    if (previous_ && !ready_) program_ = std::move(previous_);  // an upgrade that does not start is none
    if (deaths_ > quick_deaths) {
      retry_at_ = Clock::now() + milliseconds(500);
      return;
    }
    spawn();
  }

  // Somebody waits, and in a whole period nobody was served: a supervisor that was stopped, for one.
  bool ignores_callers() {
    if (!supervisor_ || !ready_ || Clock::now() < next_look_) return false;
    next_look_ = Clock::now() + watch_period;
    std::vector<pollfd> doors;
    if (options_.view >= 0) doors.push_back({.fd = options_.view, .events = POLLIN, .revents = 0});
    for (const Listener& listener : listeners_)
      doors.push_back({.fd = listener.fd.get(), .events = POLLIN, .revents = 0});
    (void)::poll(doors.data(), doors.size(), 0);
    const bool waits = std::ranges::any_of(doors, [](const pollfd& door) { return (door.revents & POLLIN) != 0; });
    const std::uint64_t taken = journal_.journal->taken.load() + journal_.journal->view_taken.load();
    const bool ignored = waits && waited_ && taken == taken_;
    if (!waits && taken == taken_) rest(taken);
    waited_ = waits && !ignored;
    taken_ = taken;
    return ignored;
  }

  // After work, when there is none: most nests are idle most of the time.
  void rest(std::uint64_t taken) {
    if (taken == std::exchange(rested_, taken)) return;
    (void)sys::send_with_descriptors(control_.get(), "rest", nullptr, 0);
    sys::release_code_pages();
  }

  // A call in one supervisor's hand for too long: it is killed, and the next one answers that call with an error.
  void watch() {
    const auto now =
        static_cast<std::uint64_t>(std::chrono::duration_cast<milliseconds>(Clock::now().time_since_epoch()).count());
    const auto limit = static_cast<std::uint64_t>(stuck_limit.count());
    const auto stuck = [&](std::uint64_t since) { return since != 0 && now > since && now - since > limit; };
    bool hangs = resumed_ && supervisor_ && !ready_ && Clock::now() - started_ > start_limit;
    for (Slot& slot : journal_.journal->slots) {
      if (!stuck(slot.busy_since.load())) continue;
      slot.attempts = given_up;
      hangs = true;
    }
    for (const auto& since : journal_.journal->view_busy_since) hangs = hangs || stuck(since.load());
    hangs = hangs || ignores_callers();
    if (!hangs) return;
    for (Slot& slot : journal_.journal->slots) slot.busy_since.store(0);
    for (auto& since : journal_.journal->view_busy_since) since.store(0);
    respawn();
  }

  // ---- events

  void wait() {
    std::vector<pollfd> fds;
    const auto add = [&](int fd, short events) { fds.push_back({.fd = fd, .events = events, .revents = 0}); };
    add(socket_.get(), POLLIN);
    add(creator_ && !had_listener_ ? creator_->get() : -1, POLLIN);
    add(alive_ ? alive_.get() : -1, 0);  // POLLHUP
    add(control_ ? control_.get() : -1, POLLIN);
    add(dying_.empty() ? -1 : dying_.front().fd.get(), POLLIN);
    for (const Listener& listener : listeners_) add(listener.fd.get(), 0);  // POLLHUP: its last task has ended
    const auto timeout = retry_at_ ? milliseconds(100) : watch_period;
    const int n = ::poll(fds.data(), fds.size(), static_cast<int>(timeout.count()));
    if (n < 0) return;
    for (std::size_t i = fds.size(); i-- > 5;)
      if ((fds[i].revents & (POLLHUP | POLLERR | POLLNVAL)) != 0)
        listeners_.erase(listeners_.begin() + static_cast<std::ptrdiff_t>(i - 5));
    if (fds[4].revents != 0) {
      dying_.erase(dying_.begin());  // reaped
      resume();
    }
    if (fds[3].revents != 0) hear_supervisor();
    if (fds[2].revents != 0) respawn();
    if (fds[0].revents != 0) serve_client();
    // Only when nobody is at the door: the creator sends its listener before it ends.
    if (fds[1].revents != 0 && fds[0].revents == 0) creator_gone_ = true;
    if (retry_at_ && Clock::now() >= *retry_at_) {
      retry_at_.reset();
      spawn();
    }
    abandon();
    watch();
  }

  void hear_supervisor() {
    auto message = sys::receive_message(control_.get());
    if (!message || message->text.empty()) {
      control_.reset();
      return;
    }
    if (message->text != "ready") return;
    ready_ = true;
    if (previous_) previous_.reset();
    if (upgrading_) {
      reply(upgrading_, "upgraded");
      upgrading_.reset();
    }
  }

  static void reply(const UniqueFd& client, const std::string& text) {
    (void)sys::send_all(client.get(), text, Clock::now() + client_limit);
  }

  void serve_client() {
    auto accepted = sys::accept_client(socket_.get(), std::chrono::duration_cast<std::chrono::seconds>(client_limit));
    if (!accepted) return;
    UniqueFd client = *std::move(accepted);
    auto message = sys::receive_message(client.get());
    if (!message) return;
    UniqueFd descriptor;
    if (!message->descriptors.empty()) descriptor = std::move(message->descriptors.front());
    if (message->text.starts_with("{") && descriptor) {
      take_listener(client.get(), std::move(message->text), std::move(descriptor));
    } else if (message->text == "stop") {
      end_for_good();
      stopping_ = true;
      reply(client, "stopped");
    } else if (message->text == "status") {
      reply(client, status());
    } else if (message->text == "upgrade" && descriptor) {
      upgrade(std::move(client), std::move(descriptor));
    }
  }

  // The state is one JSON text, which the stream may give in pieces; its sender closes.
  void take_listener(int client, std::string text, UniqueFd listener) {
    while (auto more = sys::receive_message(client)) {
      if (more->text.empty()) break;
      text += more->text;
    }
    // The shim holds hundreds where a nest has hundreds of exec sessions, and never reads one.
    listeners_.push_back({.fd = std::move(listener), .serial = ++last_serial_, .message = std::move(text)});
    had_listener_ = true;
    if (resumed_ && control_) hand_over(listeners_.back());
  }

  std::string status() const {
    return R"({"supervisor":)" + std::to_string(supervisor_ ? supervisor_->process.pid() : 0) + R"(,"generation":)" +
           std::to_string(journal_.journal->generation.load()) + R"(,"listeners":)" +
           std::to_string(listeners_.size()) + "}";
  }

  void upgrade(UniqueFd client, UniqueFd program) {
    end_supervisor();
    previous_ = std::move(program_);
    program_ = std::move(program);
    upgrading_ = std::move(client);
    deaths_ = 0;
    spawn();
  }

  Options options_;
  std::optional<sys::Pidfd> creator_;
  UniqueFd socket_;
  SharedJournal journal_;
  UniqueFd program_;   // the supervisor's executable
  UniqueFd previous_;  // the one before an upgrade, until the new one is ready
  UniqueFd upgrading_;
  std::optional<Child> supervisor_;
  std::vector<Child> dying_;  // killed, and not gone yet
  std::vector<Child> abandoned_;
  UniqueFd control_;
  UniqueFd alive_;
  std::vector<Listener> listeners_;
  std::uint64_t last_serial_ = 0;
  Clock::time_point started_{};
  std::optional<Clock::time_point> retry_at_;
  Clock::time_point next_look_{};  // at who waits; what was seen the last time:
  std::uint64_t taken_ = 0;
  std::uint64_t rested_ = 0;
  bool waited_ = false;
  int deaths_ = 0;
  bool ready_ = false;
  bool resumed_ = false;
  bool had_listener_ = false;
  bool creator_gone_ = false;
  bool stopping_ = false;
};

Result<void> start(const Options& options) {
  const UniqueFd directory = TRY(sys::open_file(options.directory, O_PATH | O_DIRECTORY));
  UniqueFd socket = TRY(sys::bind_unix_stream(directory.get(), socket_name));
  SharedJournal journal = TRY(make_journal());
  UniqueFd program = TRY(sys::open_file("/proc/self/exe", O_RDONLY));
  std::optional<sys::Pidfd> creator;
  if (options.creator > 0) creator = TRY(sys::Pidfd::open(options.creator).during("creator"));
  auto [ours, theirs] = TRY(sys::message_pair());
  const pid_t pid = TRY(sys::clone_process(0, options.unified));
  if (pid == 0) {
    auto stays = leave_caller(options.directory + "/supervisor.log");
    join_cgroups(options.tasks);
    if (options.unified >= 0) ::close(options.unified);
    // By us who stay: the shim is then whom clients see.
    if (stays) stays = sys::listen_on(socket.get());
    const std::string answer = stays ? "ready" : std::to_string(stays.error().code());
    const bool told = static_cast<bool>(sys::send_with_descriptors(theirs.get(), answer, nullptr, 0));
    ours.reset();
    theirs.reset();
    const bool good = stays && told;
    if (good) Shim(options, std::move(creator), std::move(socket), std::move(journal), std::move(program)).run();
    ::_exit(good ? 0 : 1);
  }
  sys::Process shim(pid);
  theirs.reset();
  const sys::Message ready = TRY(sys::receive_message(ours.get()));
  if (ready.text == "ready") {
    (void)shim.release();
    return ok();
  }
  const int code = std::atoi(ready.text.c_str());
  return code != 0 ? Error::os(code, "shim") : Error::of(Kind::internal, "the shim died");
}

}  // namespace

int shim_main(int argc, char** argv) {
  auto options = read_options(argc, argv);
  Result<void> done = options ? ok() : Result<void>(std::move(options).error());
  if (done) {
    close_others(options->descriptors());
    done = start(*options);
  }
  if (done) return 0;
  const int code = done.error().code() > 0 ? done.error().code() : 1;
  if (options && options->creator == ::getppid()) return code;  // it tells
  (void)sys::write_all(STDERR_FILENO, "caisson-shim: " + done.error().message() + "\n");
  return code;
}

Result<std::string> ask(const std::string& directory, const std::string& request, int descriptor,
                        std::chrono::milliseconds limit) {
  const UniqueFd socket = TRY(sys::connect_unix(directory + "/" + socket_name));
  TRY(sys::send_with_descriptors(socket.get(), request, &descriptor, descriptor < 0 ? 0 : 1));
  return sys::receive_some(socket.get(), Clock::now() + limit);
}

}  // namespace caisson::shim

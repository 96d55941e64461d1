// The commands create, start, run and plan: a container's way into being.
// Layer: runtime. Declared in commands.h.
// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "caisson/runtime/commands.h"
#include "caisson/runtime/creation.h"
#include "caisson/runtime/destroy.h"
#include "caisson/runtime/foreground.h"
#include "caisson/runtime/notify.h"
#include "caisson/runtime/status.h"
#include "caisson/sys/file.h"
#include "caisson/sys/raw.h"
#include "caisson/sys/unix_socket.h"

namespace caisson::runtime {
namespace {

using sys::UniqueFd;

// Says go and waits for the program: the channel closes on exec. What failed instead is the error.
Result<void> start_by_channel(const Channel& channel) {
  TRY(channel.go());
  const Saying heard = TRY(channel.listen());
  if (heard.said == Said::failed) return error_of(heard.text);
  return ok();
}

// Writes the byte that the first process waits for, then waits until it has become its program (or died).
Result<void> start_by_fifo(const Record& record) {
  auto fifo = sys::open_at(record.fd(), start_fifo_name, O_WRONLY | O_NONBLOCK);
  if (!fifo && fifo.error().is(ENXIO)) return Error::of(Kind::conflict, "cannot start an already running container");
  if (!fifo) return std::move(fifo).error();
  TRY(sys::write_all(fifo->get(), "s").during("start"));
  pollfd item{.fd = fifo->get(), .events = 0, .revents = 0};
  while (::poll(&item, 1, -1) < 0)
    if (errno != EINTR) return Error::os(errno, "poll");
  const long r = sys::raw::call(SYS_unlinkat, record.fd(), start_fifo_name, 0);
  if (r < 0) return Error::os(static_cast<int>(-r), "remove start.fifo");
  return ok();
}

Result<void> must_be_created(Status status) {
  if (status == Status::created) return ok();
  if (status == Status::stopped) return Error::of(Kind::conflict, "cannot start a container that has stopped");
  if (status == Status::running) return Error::of(Kind::conflict, "cannot start an already running container");
  return Error::of(Kind::conflict, "cannot start a container in the " + std::string(name_of(status)) + " state");
}

Result<int> wait_in_foreground(Context& context, Created created, Foreground& foreground, bool keep) {
  auto status = foreground.wait(created.init.pid());
  if (status) (void)created.init.release();  // reaped
  if (keep && status) return status;
  // Whatever a container without a pid namespace left running ends with it.
  ContainerState state = created.state;
  if (status) state.pid = 0;  // it needs neither to be killed nor to be waited for
  TRY(destroy_container(context, std::move(created.record), state, &created.spec));
  return status;
}

}  // namespace

Result<int> create_command(Context& context, const Arguments& arguments) {
  Created created = TRY(create_container(context, arguments, StartBy::fifo, {}));
  (void)created.init.release();  // it lives on without us
  return 0;
}

Result<int> start_command(Context& context, const Arguments& arguments) {
  Container container = TRY(find_container(context.store, arguments.id(), Lock::yes));
  TRY(must_be_created(container.status));
  const std::string text = TRY(container.record.config_text());
  const oci::Spec spec = TRY(oci::parse_spec(text));
  const auto notify = TRY(NotifySocket::open(container.record));
  TRY(start_by_fifo(container.record));
  auto hooks = after_start(context, spec, container.state);
  if (!hooks) {
    auto destroyed = destroy_container(context, std::move(container.record), container.state);
    if (!destroyed) context.log.warning(destroyed.error().message());
    return std::move(hooks).error();
  }
  if (notify) {
    container.record.unlock();  // it may take long, and others have a right to end it meanwhile
    TRY(notify->pass_on(container.state.pid));
  }
  return 0;
}

Result<int> run_command(Context& context, const Arguments& arguments) {
  const bool detach = arguments.on("detach");
  const auto subreaper = arguments.on("no-subreaper") ? Foreground::Subreaper::no : Foreground::Subreaper::yes;
  std::optional<Foreground> foreground;
  UniqueFd console;
  UniqueFd our_console;
  if (!detach) {
    Foreground begun = TRY(Foreground::begin(subreaper));
    foreground.emplace(std::move(begun));
    if (!arguments.given("console-socket")) {
      auto ends = TRY(sys::message_pair());
      our_console = std::move(ends.first);
      console = std::move(ends.second);
    }
  }
  Created created = TRY(create_container(context, arguments, StartBy::channel, std::move(console)));
  std::optional<NotifySocket> notify;
  const bool terminal = created.spec.process->terminal && our_console;
  auto running = [&]() -> Result<void> {
    if (terminal) {
      auto taken = foreground->take_terminal(our_console.get());
      if (!taken) return taken;
    }
    auto bound = NotifySocket::open(created.record);
    if (!bound) return std::move(bound).error();
    notify = std::move(*bound);
    auto started = start_by_channel(created.channel);
    if (!started) return started;
    return after_start(context, created.spec, created.state);
  }();
  if (!running) {
    created.init = sys::Process(-1);
    const ContainerState state = created.state;
    auto destroyed = destroy_container(context, std::move(created.record), state);
    if (!destroyed) context.log.warning(destroyed.error().message());
    return std::move(running).error();
  }
  const pid_t pid = created.init.pid();
  if (detach) {
    (void)created.init.release();
    created.record.unlock();
    if (notify) TRY(notify->pass_on(pid));
    return 0;
  }
  if (notify) TRY(notify->pass_on_aside(pid));
  return wait_in_foreground(context, std::move(created), *foreground, arguments.on("keep"));
}

Result<int> plan_command(Context&, const Arguments& arguments) {
  const Bundle bundle = TRY(read_bundle(arguments.text("bundle")));
  std::string text = to_text(bundle.plan);
  if (bundle.spec.linux.seccomp) {
    const seccomp::Program program = TRY(seccomp::compile(*bundle.spec.linux.seccomp).during("linux.seccomp"));
    text += "seccomp " + seccomp::to_text(*bundle.spec.linux.seccomp, program) + "\n";
  }
  TRY(sys::write_all(STDOUT_FILENO, text));
  return 0;
}

}  // namespace caisson::runtime

// Mounts a nest's view and serves it as a supervisor does: one process holds the connection, a child serves, and
// whenever that one dies another goes on. For tests of procview without a nest.
// Layer: tests. usage: nest_procview DIRECTORY KEY=VALUE... ; ends when its standard input does
// SPDX-License-Identifier: Apache-2.0
#include "caisson/procview/procview.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "caisson/sys/file.h"
#include "caisson/sys/mount.h"

namespace {

namespace procview = caisson::procview;
namespace cgroup = caisson::cgroup;

int fail(const caisson::Error& error) {
  std::fprintf(stderr, "nest_procview: %s\n", error.message().c_str());
  return error.kind() == caisson::Kind::unsupported ? 77 : 1;
}

// group=1,memory,/sys/fs/cgroup/memory,/a/b   version, controller, mount point, path
cgroup::Directory directory_of(std::string text) {
  cgroup::Directory out;
  const auto take = [&text] {
    const std::size_t comma = std::min(text.find(','), text.size());
    std::string word = text.substr(0, comma);
    text.erase(0, std::min(comma + 1, text.size()));
    return word;
  };
  out.version = take() == "2" ? cgroup::Version::v2 : cgroup::Version::v1;
  for (std::string controllers = take(); !controllers.empty();) {
    const std::size_t plus = std::min(controllers.find('+'), controllers.size());
    out.controllers.push_back(controllers.substr(0, plus));
    controllers.erase(0, std::min(plus + 1, controllers.size()));
  }
  out.mount_point = take();
  out.path = take();
  return out;
}

procview::Nest nest_of(int argc, char** argv) {
  procview::Nest nest;
  for (int i = 2; i < argc; ++i) {
    const std::string argument = argv[i];
    const std::size_t equals = argument.find('=');
    const std::string key = argument.substr(0, equals);
    const std::string value = argument.substr(equals + 1);
    if (key == "values") nest.values = value;
    if (key == "id") nest.id = value;
    if (key == "init") nest.init = std::atoi(value.c_str());
    if (key == "uid") nest.root_uid = nest.root_gid = static_cast<uid_t>(std::atoi(value.c_str()));
    if (key == "group") nest.placement.directories.push_back(directory_of(value));
    if (key == "device") nest.block_devices.push_back(value);
  }
  return nest;
}

pid_t start(int fuse, const procview::Nest& nest, procview::Resend resend, procview::Inbox inbox) {
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(0);
  const auto served = procview::serve(fuse, nest, nullptr, resend, {}, inbox);
  ::_exit(served ? 0 : fail(served.error()));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const procview::Nest nest = nest_of(argc, argv);
  auto connection = procview::connect();
  if (!connection) return fail(connection.error());
  ::signal(SIGPIPE, SIG_IGN);
  // As kernels before 6.9, which send nothing again: `resend=no`. With `inbox=no` what was in hand is then lost.
  const auto is_set = [&](const char* argument) {
    for (int i = 2; i < argc; ++i)
      if (std::strcmp(argv[i], argument) == 0) return true;
    return false;
  };
  const auto resend = is_set("resend=no") ? procview::Resend::no : procview::Resend::yes;
  procview::Inbox inbox;
  if (!is_set("inbox=no")) {
    void* shared =
        ::mmap(nullptr, procview::inbox_size + 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) return 1;
    inbox.bytes = static_cast<char*>(shared);
    inbox.attempts = reinterpret_cast<std::atomic<std::uint32_t>*>(inbox.bytes + procview::inbox_size);
  }
  pid_t child = start(connection->fuse.get(), nest, procview::Resend::no, inbox);
  const auto target = caisson::sys::open_file(argv[1], O_PATH | O_DIRECTORY);
  if (!target) return fail(target.error());
  if (const auto attached = caisson::sys::attach_mount(connection->mount.get(), target->get()); !attached)
    return fail(attached.error());
  std::printf("%d\n", child);
  std::fflush(stdout);
  int status = 0;
  for (;;) {
    pollfd input{0, POLLIN, 0};
    if (::poll(&input, 1, 1) > 0) {
      char byte = 0;
      if (::read(0, &byte, 1) == 0) break;
    }
    if (::waitpid(child, &status, WNOHANG) == child) {
      if (WIFEXITED(status)) break;  // it ended by itself: what it said is on standard error
      child = start(connection->fuse.get(), nest, resend, inbox);
      std::printf("%d\n", child);
      std::fflush(stdout);
    }
  }
  connection->fuse = {};
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 0;
}

// A filter in the kernel: a child loads it and tells what it may do. The listener's descriptor reaches its agent.
// Layer: seccomp tests. Needs no root.
// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "caisson/seccomp/compile.h"
#include "caisson/seccomp/docker_profile.h"
#include "caisson/seccomp/listener.h"
#include "caisson/sys/unix_socket.h"

namespace caisson::seccomp {
namespace {

// Runs `probe` in a child under the program; its exit status. 100: the filter was not loaded.
template <class Probe>
int under(const Program& program, Probe probe) {
  const pid_t child = ::fork();
  if (child == 0) {
    sock_fprog code{.len = static_cast<unsigned short>(program.filter.size()),
                    .filter = const_cast<sock_filter*>(program.filter.data())};
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) ::_exit(100);
    if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, program.flags, &code) < 0) ::_exit(100);
    ::_exit(probe());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TEST(Live, TheKernelTakesDockersProfileAndEnforcesIt) {
  auto program = compile(docker_profile({}));
  ASSERT_TRUE(program);
  EXPECT_EQ(under(*program, [] { return ::getpid() > 0 ? 0 : 1; }), 0);
  EXPECT_EQ(under(*program, [] { return ::unshare(CLONE_NEWUSER) < 0 ? errno : 0; }), EPERM);
  EXPECT_EQ(under(*program, [] { return ::syscall(SYS_clone3, nullptr, 0) < 0 ? errno : 0; }), ENOSYS);
  EXPECT_EQ(under(*program, [] { return ::syscall(999) < 0 ? errno : 0; }), ENOSYS);
}

TEST(Live, KillProcessEndsTheChildBySigsys) {
  oci::Seccomp profile;
  profile.default_action = "SCMP_ACT_ALLOW";
  profile.flags = {"SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC"};
  profile.syscalls.push_back({{"getppid"}, "SCMP_ACT_KILL_PROCESS", {}, {}});
  auto program = compile(profile);
  ASSERT_TRUE(program);
  EXPECT_EQ(under(*program, [] { return static_cast<int>(::syscall(SYS_getppid)); }), 128 + SIGSYS);
}

TEST(Listener, TheAgentGetsTheDescriptorAndTheState) {
  const std::string path = "/tmp/caisson-listener-test." + std::to_string(::getpid());
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const sys::UniqueFd agent(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::bind(agent.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(agent.get(), 1), 0);

  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  const sys::UniqueFd read_end(ends[0]);
  const sys::UniqueFd write_end(ends[1]);
  const std::string text = listener_message("1.3.0", 42, "a \"b\"\n", R"({"id":"c1"})");
  EXPECT_EQ(text,
            R"({"ociVersion":"1.3.0","fds":["seccompFd"],"pid":42,"metadata":"a \"b\"\u000a","state":{"id":"c1"}})");
  EXPECT_TRUE(send_listener(path, write_end.get(), text));

  const sys::UniqueFd connection(::accept4(agent.get(), nullptr, nullptr, SOCK_CLOEXEC));
  auto message = sys::receive_message(connection.get());
  ::unlink(path.c_str());
  ASSERT_TRUE(message);
  EXPECT_EQ(message->text, text);
  ASSERT_EQ(message->descriptors.size(), 1U);
  EXPECT_EQ(::write(message->descriptors[0].get(), "x", 1), 1);
  char byte = 0;
  EXPECT_EQ(::read(read_end.get(), &byte, 1), 1);
}

TEST(Listener, AMissingAgentIsAnErrorThatNamesThePath) {
  auto sent = send_listener("/nonexistent/agent.sock", 0, "{}");
  ASSERT_FALSE(sent);
  EXPECT_NE(sent.error().message().find("/nonexistent/agent.sock"), std::string::npos) << sent.error().message();
}

}  // namespace
}  // namespace caisson::seccomp

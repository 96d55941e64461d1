// What tests on this machine's own cgroups share: where they may work, and members that wait to be killed.
// Layer: cgroup, test. Needs root; makes and removes only directories of its own name.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <functional>
#include <string>

#include "caisson/cgroup/files.h"
#include "caisson/cgroup/group.h"
#include "caisson/sys/backoff.h"
#include "caisson/sys/directory.h"
#include "caisson/sys/file.h"
#include "caisson/sys/process.h"

namespace caisson::cgroup {

inline bool eventually(const std::function<bool()>& condition) {
  sys::Backoff backoff(std::chrono::seconds(30));
  while (!condition())
    if (!backoff.wait()) return false;
  return true;
}

// A member that waits to be killed. Exits at once if it cannot join.
inline sys::Process start_member(const JoinFds& fds) {
  auto pid = sys::clone_process(0, fds.unified ? fds.unified.get() : -1);
  if (!pid) return sys::Process(-1);
  if (*pid != 0) return sys::Process(*pid);
  for (const sys::UniqueFd& tasks : fds.tasks)
    if (::write(tasks.get(), "0", 1) != 1) ::_exit(1);
  for (;;) ::pause();
}

// Which of the machine's hierarchies a group lives in.
enum class Where : unsigned char { everywhere, v2_only };

class OnThisMachine : public ::testing::Test {
 protected:
  void set_up(Where where) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    auto layout = load_layout();
    ASSERT_TRUE(layout) << layout.error().message();
    if (layout->mode() == Mode::none) GTEST_SKIP() << "no cgroup file system is mounted";
    name_ = "caisson-test-" + std::to_string(::getpid());
    placement_ = *place(*layout, name_ + "/box", "unused");
    if (where == Where::v2_only) {
      if (placement_.unified() == nullptr) GTEST_SKIP() << "needs a v2 hierarchy";
      placement_ = {{*placement_.unified()}};
    }
    auto probe = Group::create(placement_, nullptr);
    if (!probe && (probe.error().is(EROFS) || probe.error().is(EACCES) || probe.error().is(EPERM)))
      GTEST_SKIP() << "may not make cgroups here: " << probe.error().message();
    ASSERT_TRUE(probe) << probe.error().message();
    probe->discard();
  }

  void TearDown() override {
    Group group = Group::open(placement_);
    (void)group.kill_all(SIGKILL);
    while (::waitpid(-1, nullptr, WNOHANG) > 0) continue;
    EXPECT_TRUE(group.remove());
    for (Directory directory : placement_.directories) {
      directory.path = directory.path.substr(0, directory.path.rfind('/'));
      (void)sys::remove_directory(directory.absolute());
      EXPECT_FALSE(sys::exists(directory.absolute())) << directory.absolute();
    }
  }

  Group make(const oci::Resources* resources = nullptr) {
    auto group = Group::create(placement_, resources);
    EXPECT_TRUE(group) << group.error().message();
    return group ? std::move(*group) : Group::open({});
  }

  bool has_v1(const char* controller) const {
    const Directory* found = placement_.find(controller);
    return found != nullptr && found->version == Version::v1;
  }
  std::string text(const char* controller, const char* file) const {
    auto value = read_value(placement_.find(controller)->absolute(), file);
    return value ? *value : value.error().message();
  }

  std::string name_;
  Placement placement_;
};

class GroupOnThisMachine : public OnThisMachine, public ::testing::WithParamInterface<Where> {
 protected:
  void SetUp() override { set_up(GetParam()); }
};
class LimitsOnThisMachine : public OnThisMachine {
 protected:
  void SetUp() override { set_up(Where::everywhere); }
};
class V2OnThisMachine : public OnThisMachine {
 protected:
  void SetUp() override { set_up(Where::v2_only); }
};

inline bool has(const Group& group, pid_t pid) {
  auto pids = group.pids();
  return pids && std::find(pids->begin(), pids->end(), pid) != pids->end();
}

}  // namespace caisson::cgroup

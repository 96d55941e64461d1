#include "caisson/runtime/state.h"

#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/wait.h>

#include <cstdlib>

#include "caisson/sys/file.h"
#include "caisson/sys/process_stat.h"

namespace caisson::runtime {
namespace {

class Store : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(::mkdtemp(directory_.data()), nullptr); }
  void TearDown() override { EXPECT_TRUE(sys::remove_tree_at(AT_FDCWD, directory_)); }
  StateStore store() const { return StateStore(directory_ + "/a/root"); }
  std::string directory_ = ::testing::TempDir() + "state.XXXXXX";
};

void make(const StateStore& store, const std::string& id, pid_t pid = 0) {
  auto record = store.create(id);
  ASSERT_TRUE(record) << record.error().message();
  ContainerState state = (*record).fresh_state();
  state.pid = pid;
  if (pid != 0) state.start_time = (*sys::process_stat(pid)).start_time;
  ASSERT_TRUE((*record).save(state));
  ASSERT_TRUE((*record).save_config("{}"));
  (*record).keep();
}

std::string message_of(const auto& result) { return result ? "no error" : result.error().message(); }

TEST(State, EveryFieldComesBackByteForByte) {
  ContainerState state;
  state.oci_version = "1.3.0";
  state.id = "a";
  state.pid = 42;
  state.start_time = 123456789;
  state.created = "2026-11-30T22:47:25.1Z";
  state.bundle = "/b\xff\"\\\n\x01\xc3\xa9";
  state.rootfs = "/r";
  state.owner = "root";
  state.annotations = {{"k \"", "v\t"}, {"", ""}};
  state.cgroup = "cpu,memory /a\nunified /b";
  state.rdt = "/sys/fs/resctrl/a\n\nmade";
  state.systemd_cgroup = true;
  state.systemd_unit = "runc-a.scope";
  state.systemd_user = true;
  state.own_pid_namespace = false;
  const auto again = parse_state_file(print_state_file(state));
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(print_state_file(*again), print_state_file(state));
  EXPECT_EQ((*again).bundle, state.bundle);
  EXPECT_EQ((*again).annotations, state.annotations);
}

TEST(State, ADamagedFileIsOneClearError) {
  const std::string good = print_state_file(ContainerState());
  for (std::size_t length = 0; length < good.size(); ++length) {
    const auto parsed = parse_state_file(good.substr(0, length));
    ASSERT_FALSE(parsed) << length;
    EXPECT_EQ(parsed.error().message(), "state.json is damaged: not JSON");
  }
  EXPECT_EQ(message_of(parse_state_file("[]")), "state.json is damaged: not an object");
  EXPECT_EQ(message_of(parse_state_file(R"({"ociVersion":"1","id":"a","pid":-1})")), "state.json is damaged: pid");
  EXPECT_EQ(message_of(parse_state_file(R"({"ociVersion":"1","id":7})")), "state.json is damaged: id");
}

TEST_F(Store, IdsAreCheckedBeforeAnyDirectoryIsTouched) {
  for (const char* id : {"", ".", "..", "a/b", "~1"}) {
    EXPECT_FALSE(store().create(id)) << id;
    EXPECT_NE(message_of(store().open(id)).find("invalid container ID"), std::string::npos) << id;
  }
  EXPECT_FALSE(store().create(std::string(300, 'a')));  // a good ID, but no file name
  EXPECT_FALSE(sys::exists(store().root() + "/a"));
  EXPECT_TRUE((*store().ids()).empty());
}

TEST_F(Store, WhatWasCreatedAndKeptIsListedAndLoaded) {
  make(store(), "b");
  make(store(), "a");
  EXPECT_EQ(*store().ids(), (std::vector<std::string>{"a", "b"}));
  const auto record = store().open("a");
  ASSERT_TRUE(record);
  const auto state = (*record).load();
  ASSERT_TRUE(state);
  EXPECT_EQ((*state).id, "a");
  EXPECT_EQ(*(*record).config_text(), "{}");
}

TEST_F(Store, ACreationThatFailsLeavesNothing) {
  {
    auto record = store().create("a");
    ASSERT_TRUE(record);
    ASSERT_TRUE((*record).save_config("{}"));
  }
  EXPECT_TRUE((*store().ids()).empty());
  EXPECT_TRUE((*sys::list_directory(store().root())).empty());
}

TEST_F(Store, OneIdIsCreatedOnce) {
  make(store(), "a");
  EXPECT_EQ(message_of(store().create("a")), "container with given ID already exists");
  EXPECT_EQ((*sys::list_directory(store().root())).size(), 1u);
}

TEST_F(Store, OneIdIsCreatedOnceWhileItsCreatorIsAtWork) {
  auto first = store().create("a");
  ASSERT_TRUE(first);
  EXPECT_EQ(message_of(store().create("a")), "container with given ID already exists");
  EXPECT_TRUE(store().open("a"));
  EXPECT_NE(message_of((*store().open("a")).load()).find("container a does not exist"), std::string::npos);
}

TEST_F(Store, WhatAKilledCreatorLeftIsReplaced) {
  const pid_t child = ::fork();
  if (child == 0) {
    auto record = store().create("a");
    if (record && (*record).save_config("old")) ::_exit(0);
    ::_exit(1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  ASSERT_EQ((*store().ids()).size(), 1u);
  const auto record = store().create("a");
  ASSERT_TRUE(record) << record.error().message();
  EXPECT_FALSE((*record).config_text());
}

// As a creator leaves it that was killed before it gave the directory its name.
void leave_nameless(const StateStore& store) {
  ASSERT_TRUE(sys::make_directories(store.root(), 0700));
  ASSERT_TRUE(sys::make_directory_at(AT_FDCWD, store.root() + "/~0", 0711));
}

TEST_F(Store, WhatACreatorLeftThatWasKilledBeforeTheNameIsTakenByTheNext) {
  leave_nameless(store());
  make(store(), "a");
  EXPECT_EQ((*sys::list_directory(store().root())).size(), 1u);
}

TEST_F(Store, WhatACreatorLeftThatWasKilledBeforeTheNameIsSweptByAList) {
  leave_nameless(store());
  EXPECT_TRUE((*store().ids()).empty());
  EXPECT_TRUE((*sys::list_directory(store().root())).empty());
}

TEST_F(Store, ACreatorAtWorkIsNotSwept) {
  leave_nameless(store());
  {
    const auto held = sys::open_file(store().root() + "/~0", O_RDONLY | O_DIRECTORY);
    ASSERT_TRUE(held);
    ASSERT_EQ(::flock((*held).get(), LOCK_EX), 0);
    store().sweep();
    EXPECT_TRUE(sys::exists(store().root() + "/~0"));
    const auto other = store().create("a");
    EXPECT_TRUE(other) << other.error().message();
  }
  store().sweep();
  EXPECT_FALSE(sys::exists(store().root() + "/~0"));
}

TEST_F(Store, AMissingContainerHasBothSpellings) {
  const std::string message = message_of(store().open("a"));
  EXPECT_NE(message.find("container does not exist"), std::string::npos);
  EXPECT_NE(message.find("container a does not exist"), std::string::npos);
}

TEST_F(Store, TheSecondOfTwoDeletersFindsNothing) {
  make(store(), "a");
  auto stale = store().open("a");
  {
    auto record = store().open("a", Lock::yes);
    ASSERT_TRUE(record);
    EXPECT_TRUE(store().remove(std::move(*record)));
  }
  make(store(), "a");  // a later container of the same name
  EXPECT_FALSE((*stale).load());
  EXPECT_FALSE(store().remove(std::move(*stale)));
  EXPECT_EQ((*store().ids()).size(), 1u);
}

TEST_F(Store, ManyCreatorsOneWinner) {
  constexpr int count = 8;
  pid_t children[count];
  for (pid_t& child : children) {
    child = ::fork();
    if (child != 0) continue;
    auto record = store().create("a");
    if (!record) ::_exit(1);
    if (!(*record).save((*record).fresh_state())) ::_exit(2);
    (*record).keep();
    ::_exit(0);
  }
  int winners = 0;
  for (const pid_t child : children) {
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status));
    ASSERT_LT(WEXITSTATUS(status), 2);
    winners += WEXITSTATUS(status) == 0 ? 1 : 0;
  }
  EXPECT_EQ(winners, 1);
  EXPECT_EQ((*sys::list_directory(store().root())).size(), 1u);
}

TEST_F(Store, StatusFollowsThePidItsStartTimeAndTheFifo) {
  make(store(), "a", ::getpid());
  const auto record = store().open("a");
  ASSERT_TRUE(record);
  ContainerState state = *(*record).load();
  EXPECT_EQ(*status_of(*record, state), Status::running);
  ASSERT_EQ(::mkfifoat((*record).fd(), start_fifo_name, 0600), 0);
  EXPECT_EQ(*status_of(*record, state), Status::created);
  state.start_time += 1;
  EXPECT_EQ(*status_of(*record, state), Status::stopped);
}

TEST_F(Store, WithoutAPidItIsBeingCreatedAsLongAsItsCreatorLives) {
  auto creator = store().create("a");
  ASSERT_TRUE(creator);
  const ContainerState state = (*creator).fresh_state();
  ASSERT_TRUE((*creator).save(state));
  (*creator).keep();
  EXPECT_EQ(*status_of(*store().open("a"), state), Status::creating);
  (*creator).unlock();
  EXPECT_EQ(*status_of(*store().open("a"), state), Status::stopped);
}

TEST(State, HooksReadTheRuntimeSpecsState) {
  ContainerState state;
  state.oci_version = "1.3.0";
  state.id = "a";
  state.bundle = "/b";
  state.rootfs = "/b/rootfs";
  state.pid = 7;
  state.annotations = {{"k", "v"}};
  const auto read = oci::parse_state(print_oci_state(state, Status::created));
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ((*read).version, "1.3.0");
  EXPECT_EQ((*read).id, "a");
  EXPECT_EQ((*read).status, "created");
  EXPECT_EQ((*read).pid, 7);
  EXPECT_EQ((*read).bundle, "/b");
  EXPECT_EQ((*read).annotations, state.annotations);
  EXPECT_FALSE((*read).rootfs);
  EXPECT_EQ((*oci::parse_state(print_oci_state(state, Status::stopped))).pid, 0);
}

}  // namespace
}  // namespace caisson::runtime

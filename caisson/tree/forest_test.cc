#include "caisson/tree/forest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "caisson/tree/names.h"
#include "caisson/tree/print.h"

namespace caisson::tree {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr char docker_id[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

Process process(std::vector<pid_t> pids, uid_t uid, pid_t parent, Namespace pid_namespace, Namespace user,
                const char* command) {
  Process out;
  out.pids = std::move(pids);
  out.uid = uid;
  out.parent = parent;
  out.name = "name";
  out.command = {command};
  out.pid_namespace = pid_namespace;
  out.user_namespace = user;
  return out;
}

// A nest, a container of docker in it with a user namespace of its own, and a process that entered the nest.
Facts machine() {
  Facts facts;
  facts.own_user_namespace = 1;
  facts.is_host = true;
  facts.host_name = "machine";
  facts.processes = {process({1}, 0, 0, 0, 0, "init"), process({50, 1}, 100000, 1, 11, 2, "/sbin/init"),
                     process({60, 7, 1}, 101000, 50, 12, 3, "sleep"), process({70, 9}, 100033, 1, 11, 2, "sh")};
  facts.processes[2].cgroup = std::string("/nest/docker/") + docker_id;
  facts.pid_parents = {{11, 10}, {12, 11}, {10, 0}};
  facts.user_namespaces = {{2, {.parent = 1, .map = {{{0, 100000, 65536}}}}},
                           {3, {.parent = 2, .map = {{{0, 101000, 1000}}}}}};
  facts.known[50] = {.id = "web1", .runtime = "caisson-nest", .profile = "compat", .grants = "mount"};
  return facts;
}

// The same, as somebody sees it who may not look at namespaces.
Facts seen_by_a_user() {
  Facts facts = machine();
  for (Process& process : facts.processes) process.pid_namespace = 0;
  facts.pid_parents.clear();
  facts.processes[1].cgroup = "/nest";
  facts.processes[3].cgroup = "/nest/exec";
  return facts;
}

constexpr char drawn[] =
    "host machine, 1 process in no container\n"
    "`- [1] web1: caisson-nest, compat, 2 processes, init /sbin/init\n"
    "   |- 50/1  100000/0   /sbin/init\n"
    "   |- 70/9  100033/33  sh\n"
    "   `- [2] 0123456789ab: docker, 1 process, init sleep\n"
    "      `- 60/7/1  101000/1000/0  sleep\n";

TEST(Forest, DrawsContainersInContainersWithPidAndUidAtEveryLevel) {
  const Facts facts = machine();
  EXPECT_EQ(print_text(grow(facts), facts, {.lines = Lines::ascii}), drawn);
}

TEST(Forest, IsTheSameByParentsAndCgroupsWhereNamespacesAreNotSeen) {
  const Facts facts = seen_by_a_user();
  const Forest forest = grow(facts);
  EXPECT_EQ(print_text(forest, facts, {.lines = Lines::ascii}), drawn);
  EXPECT_EQ(forest.guessed, 3U);
  EXPECT_THAT(limits_of(forest, facts, {.privileged = false}), ElementsAre(HasSubstr("3 processes are not yours")));
}

TEST(Forest, SelectsByIdItsBeginningOrAProcessAndKeepsTheWay) {
  const Facts facts = machine();
  for (const char* word : {docker_id, "0123456789abc", "60"}) {
    Forest forest = grow(facts);
    ASSERT_TRUE(select(forest, word)) << word;
    EXPECT_EQ(print_text(forest, facts, {.lines = Lines::ascii}),
              "host machine, 1 process in no container\n"
              "`- [1] web1: caisson-nest, compat, 2 processes, init /sbin/init\n"
              "   `- [2] 0123456789ab: docker, 1 process, init sleep\n"
              "      `- 60/7/1  101000/1000/0  sleep\n");
  }
  Forest forest = grow(facts);
  EXPECT_THAT(select(forest, "nobody").error().message(), HasSubstr("containers are web1, 0123456789ab"));
  EXPECT_THAT(select(forest, "1").error().message(), HasSubstr("in no container"));
  EXPECT_EQ(select(forest, "2").error().kind(), Kind::not_found);
}

TEST(Forest, CutsLinesAtTheWidthWithoutCuttingACharacter) {
  Facts facts = machine();
  facts.processes[3].command = {"ääääääääääääääääääääääääääääää"};
  const std::string text = print_text(grow(facts), facts, {.lines = Lines::utf8, .width = 30});
  EXPECT_THAT(text, HasSubstr("   ├─ 70/9  100033/33  ääääää…\n"));
}

TEST(Forest, AnIdThatNobodyCanTellIsAQuestionMark) {
  Facts facts = machine();
  facts.user_namespaces[2].map.reset();
  EXPECT_EQ(print_uids(facts.processes[2], facts), "101000/?/0");
}

TEST(Forest, ACommandCannotSpeakToTheTerminal) {
  Facts facts = machine();
  facts.processes[2].command = {"sleep\x1b[2J", "\n"};
  EXPECT_EQ(print_command(facts.processes[2]), "sleep?[2J ?");
}

TEST(Forest, JsonHasTheSameTree) {
  const Facts facts = machine();
  const std::string text = print_json(grow(facts), facts, {});
  EXPECT_THAT(text, HasSubstr(R"("profile":"compat","grants":"mount")"));
  EXPECT_THAT(text, HasSubstr(R"({"pids":[60,7,1],"uids":[101000,1000,0],"name":"name","command":["sleep"]})"));
}

TEST(Names, AreFoundInEveryEnginesCgroupPaths) {
  struct Row {
    std::string path;
    const char* engine;
    const char* id;
  };
  const std::string hex = docker_id;
  const Row rows[] = {
      {"/docker/" + hex, "docker", docker_id},
      {"/system.slice/docker-" + hex + ".scope", "docker", docker_id},
      {"/system.slice/docker-" + hex + ".scope/init.scope", "docker", docker_id},
      {"/machine.slice/libpod-" + hex + ".scope/container", "podman", docker_id},
      {"/libpod_parent/libpod-" + hex, "podman", docker_id},
      {"/kubepods.slice/kubepods-pod1.slice/cri-containerd-" + hex + ".scope", "containerd", docker_id},
      {"/kubepods/besteffort/pod1234/" + hex, "containerd", docker_id},
      {"/kubepods.slice/crio-" + hex + ".scope", "cri-o", docker_id},
      {"/docker/buildkit/abc123", "buildkit", "abc123"},
      {"/lxc.payload.web/system.slice", "lxc", "web"},
      {"/lxc/web", "lxc", "web"},
      {"/machine.slice/systemd-nspawn@web.service/payload", "systemd-nspawn", "web"},
      {"/default/" + hex, "", docker_id},
      {"/user.slice/user-0.slice/session-1.scope", "", ""},
      {"/", "", ""},
  };
  for (const Row& row : rows) {
    const EngineName name = name_of_cgroup(row.path);
    EXPECT_EQ(name.engine, row.engine) << row.path;
    EXPECT_EQ(name.id, row.id) << row.path;
  }
}

TEST(Names, ACgroupMadeForAContainerNamesIt) {
  EXPECT_EQ(directory_of_cgroup("/a/web"), "web");
  EXPECT_EQ(directory_of_cgroup("/system.slice/runc-web.scope/init.scope"), "web");
  EXPECT_EQ(directory_of_cgroup("/user.slice/"), "");
  Facts facts = machine();
  facts.processes[2].cgroup = "/nest/inner";
  EXPECT_EQ(title_of(grow(facts).root.containers[0].containers[0]), "inner");
  facts.processes[2].parent_cgroup = "/nest/inner";
  EXPECT_EQ(title_of(grow(facts).root.containers[0].containers[0]), "pid namespace 12");
}

TEST(Facts, ReadStatusMapsCgroupsAndCommands) {
  Process process;
  ASSERT_TRUE(parse_status("Name:\ta b\nPPid:\t7\nUid:\t1\t2\t3\t4\nNSpid:\t50\t3\t1\n", process));
  EXPECT_THAT(process.pids, ElementsAre(50, 3, 1));
  EXPECT_EQ(process.uid, 2U);
  EXPECT_EQ(process.parent, 7);
  EXPECT_EQ(process.name, "a b");
  EXPECT_FALSE(parse_status("Name:\tx\n", process));
  EXPECT_EQ(parse_id_map("         0     100000      65536\n").at(0).ours, 100000U);
  EXPECT_EQ(parse_cgroup("5:devices:/long/path\n0::/short\n"), "/long/path");
  EXPECT_THAT(parse_command(std::string_view("a\0b c\0\0", 7)), ElementsAre("a", "b c"));
}

}  // namespace
}  // namespace caisson::tree

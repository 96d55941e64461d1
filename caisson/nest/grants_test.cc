// Lists of grants: what they mean, and every wrong one is a clear error. The guide is the table.
// Layer: nest. CAISSON_UPDATE_GOLDEN=1 writes the table of docs/guide/grants.md anew.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/nest/grants.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

#include "caisson/nest/grants_command.h"
#include "caisson/nest/trapped.h"
#include "caisson/oci/kernel_names.h"

namespace caisson::nest {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string read(std::string_view list) {
  auto set = parse_grants(list);
  return set ? to_text(*set) : set.error().message();
}

const std::string the_default = to_text(GrantSet::by_default());

TEST(NestGrants, TheTableHasEachNameOnceAndInTheOrderOfTheEnumeration) {
  std::set<std::string_view> names;
  unsigned at = 0;
  for (const GrantRow& row : grants()) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_EQ(static_cast<unsigned>(row.grant), at++) << row.name;
    EXPECT_STRNE(row.summary, "");
    EXPECT_FALSE(row.given == Given::by_default && *row.refused != '\0') << row.name;
    for (const char* capability : row.capabilities) EXPECT_TRUE(oci::capability(capability)) << capability;
    for (const char* path : row.devices) EXPECT_TRUE(std::string_view(path).starts_with("/dev/")) << path;
  }
  EXPECT_EQ(at, static_cast<unsigned>(Grant::always));
}

TEST(NestGrants, ACapabilityOrACallBelongsToOneGrantOnly) {
  std::set<std::string_view> names;
  for (const GrantRow& row : grants()) {
    for (const char* name : row.capabilities) EXPECT_TRUE(names.insert(name).second) << name;
    for (const char* name : row.calls) EXPECT_TRUE(names.insert(name).second) << name;
  }
}

TEST(NestGrants, TheGuideIsTheTable) {
  const char* source = ::getenv("CAISSON_SOURCE");
  const std::string path = std::string(source == nullptr ? "." : source) + "/docs/guide/grants.md";
  std::stringstream read;
  read << std::ifstream(path).rdbuf();
  std::string guide = read.str();
  const std::string begin = "<!-- table -->\n";
  const std::size_t from = guide.find(begin) + begin.size();
  const std::size_t to = guide.find("<!-- end of table -->");
  ASSERT_NE(to, std::string::npos);
  ASSERT_LE(from, to);
  if (::getenv("CAISSON_UPDATE_GOLDEN") != nullptr)
    std::ofstream(path) << guide.replace(from, to - from, grants_guide());
  else
    EXPECT_EQ(guide.substr(from, to - from), grants_guide());
}

TEST(NestGrants, TheDefaultSetIsWhatEnginesNeed) {
  EXPECT_EQ(the_default, "mount,cgroup,net,sysctl,mknod,fuse,tun,rlimit,priority,modules");
  EXPECT_EQ(read("default"), the_default);
}

TEST(NestGrants, AListIsWhatIsNamed) {
  EXPECT_EQ(read("none"), "none");
  EXPECT_EQ(read("mknod,mount"), "mount,mknod");
  EXPECT_EQ(read(" mount , +net "), "mount,net");
}

TEST(NestGrants, SignsChangeTheDefaultSet) {
  EXPECT_EQ(read("+kvm"), the_default + ",kvm");
  EXPECT_EQ(read("-mknod"), "mount,cgroup,net,sysctl,fuse,tun,rlimit,priority,modules");
  EXPECT_EQ(read("default,kvm,-mknod"), read("+kvm,-mknod"));
  EXPECT_EQ(read("-kvm"), the_default);
  EXPECT_EQ(read("none,+kvm"), "kvm");
}

TEST(NestGrants, DevicesAreNamedByPath) {
  auto set = parse_grants("none,device:/dev/zz,kvm,device:/dev/dri/card0,device:/dev/kvm");
  ASSERT_TRUE(set) << set.error().message();
  EXPECT_THAT(set->devices(), ElementsAre("/dev/dri/card0", "/dev/kvm", "/dev/zz"));
  EXPECT_THAT(set->device_paths(), ElementsAre("/dev/kvm", "/dev/dri/card0", "/dev/zz"));
  EXPECT_EQ(read("device:/dev/a,device:/dev/b,-device:/dev/c"), "device:/dev/a,device:/dev/b");
}

TEST(NestGrants, WhatIsWrittenIsReadAsTheSame) {
  for (const char* list : {"none", "default", "+kvm,+loop", "device:/dev/x", "mount,device:/dev/b,device:/dev/a"}) {
    auto set = parse_grants(list);
    ASSERT_TRUE(set) << list;
    auto again = parse_grants(to_text(*set));
    ASSERT_TRUE(again) << list;
    EXPECT_EQ(*set, *again);
  }
}

TEST(NestGrants, AWrongWordIsNamedTogetherWithTheKnownOnes) {
  for (const auto& [list, what] : {std::pair("default,sudo", "\"sudo\" is not known"),
                                   {"Mount", "\"Mount\" is not known"},
                                   {"kvm,kvm", "\"kvm\" is there twice"},
                                   {"+kvm,-kvm", "\"kvm\" is there twice"},
                                   {"+nfs", "\"nfs\" is refused: "},
                                   {"device:/dev/mem", "is refused: it is the host's memory"},
                                   {"device:PATH", "must name a path below /dev"},
                                   {"device:/dev/../etc/passwd", "must name a path below /dev"},
                                   {"device:/etc/passwd", "must name a path below /dev"},
                                   {"device:/dev/a/", "must name a path below /dev"},
                                   {"device:", "must name a path below /dev"},
                                   {"", "is empty"},
                                   {"mount,", "is empty"},
                                   {"+", "is empty"},
                                   {"mount,default", "can only be the first word"},
                                   {"-default", "can only be the first word"}}) {
    auto set = parse_grants(list);
    ASSERT_FALSE(set) << list;
    EXPECT_EQ(set.error().kind(), Kind::invalid);
    EXPECT_THAT(set.error().message(), AllOf(HasSubstr(what), HasSubstr("known are default, none, mount, cgroup,")));
  }
}

TEST(NestGrants, EveryNestHasTheTrapsThatNoGrantNames) { EXPECT_TRUE(GrantSet().has(Grant::always)); }

TEST(NestGrants, ATrappedCallsGrantIsOneThatCanBeGiven) {
  for (const TrappedCall& call : trapped_calls()) {
    if (call.grant == Grant::always) continue;
    const auto& row = grants()[static_cast<unsigned>(call.grant)];
    EXPECT_STREQ(row.refused, "") << call.name;
  }
}

}  // namespace
}  // namespace caisson::nest

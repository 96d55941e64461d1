// Who chooses a nest's grants and profile: annotations and flags, and what beats what.
// Layer: nest.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/nest/terms.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace caisson::nest {
namespace {

using ::testing::HasSubstr;

using Annotations = std::map<std::string, std::string>;

std::string chosen(const Annotations& annotations, const TermFlags& flags) {
  auto terms = choose_terms(annotations, flags);
  if (!terms) return terms.error().message();
  return to_text(terms->grants) + " " + std::string(name_of(terms->profile));
}

TEST(NestTerms, WithoutAWordANestHasTheDefaultSetAndCompat) {
  EXPECT_EQ(chosen({}, {}), to_text(GrantSet::by_default()) + " compat");
}

TEST(NestTerms, AnAnnotationChoosesAndSoDoesAFlag) {
  EXPECT_EQ(chosen({{grants_annotation, "mount"}, {profile_annotation, "minimal"}}, {}), "mount minimal");
  EXPECT_EQ(chosen({}, {.grants = "mount", .profile = "hardened"}), "mount hardened");
}

TEST(NestTerms, BesideAFlagAnAnnotationCanOnlyAskForLess) {
  const TermFlags flags = {.grants = "mount,net,device:/dev/a", .profile = "compat"};
  EXPECT_EQ(chosen({{grants_annotation, "net,device:/dev/a"}}, flags), "net,device:/dev/a compat");
  EXPECT_EQ(chosen({{profile_annotation, "hardened"}}, flags), "mount,net,device:/dev/a hardened");
  EXPECT_THAT(chosen({{grants_annotation, "net,kvm"}}, flags), HasSubstr("\"kvm\" is not one of those of --grants"));
  EXPECT_THAT(chosen({{grants_annotation, "device:/dev/b"}}, flags), HasSubstr("\"device:/dev/b\" is not one of"));
  EXPECT_THAT(chosen({{profile_annotation, "minimal"}}, flags), HasSubstr("cannot be had beside --profile compat"));
  EXPECT_THAT(chosen({{profile_annotation, "compat"}}, {.grants = {}, .profile = "hardened"}), HasSubstr("hardened"));
}

TEST(NestTerms, AnErrorNamesWhereTheWordCameFrom) {
  EXPECT_THAT(chosen({{grants_annotation, "sudo"}}, {}), HasSubstr("annotation io.caisson.grants: grant \"sudo\""));
  EXPECT_THAT(chosen({}, {.grants = "sudo", .profile = {}}), HasSubstr("--grants: grant \"sudo\""));
  EXPECT_THAT(chosen({{profile_annotation, "open"}}, {}), HasSubstr("annotation io.caisson.profile: profile \"open\""));
  EXPECT_THAT(chosen({}, {.grants = {}, .profile = ""}), HasSubstr("known are compat, hardened, minimal"));
}

TEST(NestTerms, TheSupervisorReadsWhatThePlanWrote) {
  Instructions all;
  all.terms = {.grants = *parse_grants("mount,device:/dev/kvm"), .profile = Profile::hardened};
  all.masked = {"/proc/a b", "/sys/firmware"};
  all.read_only = {"/proc/bus"};
  EXPECT_EQ(parse_instructions(to_text(all)), all);
  EXPECT_EQ(parse_instructions("somebody else's\nwords here\n"), Instructions());
}

}  // namespace
}  // namespace caisson::nest

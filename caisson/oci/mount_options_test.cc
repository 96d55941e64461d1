#include "caisson/oci/mount_options.h"

#include <gtest/gtest.h>
#include <linux/mount.h>

#include <algorithm>

#include "caisson/oci/document.h"
#include "caisson/oci/test_data.h"

namespace caisson::oci {
namespace {

TEST(MountOptions, LastWordWinsAndClearedFlagsAreKept) {
  MountOptions options = parse_mount_options({"ro", "nosuid", "noexec", "rw", "exec", "nodev"});
  EXPECT_EQ(options.flags, static_cast<unsigned long>(MS_NOSUID | MS_NODEV));
  EXPECT_EQ(options.cleared, static_cast<unsigned long>(MS_RDONLY | MS_NOEXEC));
  options = parse_mount_options({"rw", "ro"});
  EXPECT_EQ(options.flags, static_cast<unsigned long>(MS_RDONLY));
  EXPECT_EQ(options.cleared, 0U);
}

TEST(MountOptions, WhatNobodyKnowsIsDataForTheFileSystem) {
  MountOptions options = parse_mount_options({"nosuid", "mode=755", "size=64k", "acl", "", "defaults"});
  EXPECT_EQ(options.data, "mode=755,size=64k,acl");
  EXPECT_EQ(options.flags, static_cast<unsigned long>(MS_NOSUID));
}

TEST(MountOptions, PropagationIsAppliedInOrderAfterTheMount) {
  MountOptions options = parse_mount_options({"rbind", "rslave", "shared"});
  EXPECT_EQ(options.flags, static_cast<unsigned long>(MS_BIND | MS_REC));
  EXPECT_EQ(options.propagation, (std::vector<unsigned long>{MS_SLAVE | MS_REC, MS_SHARED}));
  EXPECT_EQ(propagation_flags("rprivate"), static_cast<unsigned long>(MS_PRIVATE | MS_REC));
  EXPECT_EQ(propagation_flags("ro"), 0U);
  EXPECT_EQ(propagation_flags("sharedx"), 0U);
}

TEST(MountOptions, RecursiveAttributesAreWhatMountSetattrTakes) {
  MountOptions options = parse_mount_options({"rro", "rnosuid", "rdev"});
  EXPECT_EQ(options.attr_set, static_cast<std::uint64_t>(MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID));
  EXPECT_EQ(options.attr_clear, static_cast<std::uint64_t>(MOUNT_ATTR_NODEV));
  EXPECT_TRUE(options.has_attributes());
  EXPECT_EQ(options.flags, 0U);
  options = parse_mount_options({"rro", "rrw"});
  EXPECT_EQ(options.attr_set, 0U);
  EXPECT_EQ(options.attr_clear, static_cast<std::uint64_t>(MOUNT_ATTR_RDONLY));
}

TEST(MountOptions, AnAccessTimeReplacesTheWholeField) {
  for (const char* word : {"rnoatime", "rstrictatime", "rrelatime", "ratime", "rnostrictatime"}) {
    EXPECT_EQ(parse_mount_options({word}).attr_clear, static_cast<std::uint64_t>(MOUNT_ATTR__ATIME)) << word;
  }
  EXPECT_EQ(parse_mount_options({"rnoatime", "rstrictatime"}).attr_set,
            static_cast<std::uint64_t>(MOUNT_ATTR_STRICTATIME));
  EXPECT_EQ(parse_mount_options({"rnoatime", "rrelatime"}).attr_set, 0U);
  EXPECT_FALSE(parse_mount_options({"rnorelatime"}).has_attributes());
  EXPECT_EQ(parse_mount_options({"rnodiratime"}).attr_clear, 0U);
}

TEST(MountOptions, ExtensionsAreNotData) {
  MountOptions options = parse_mount_options({"tmpcopyup", "ridmap", "x-caisson.inside"});
  EXPECT_TRUE(options.copy_up);
  EXPECT_TRUE(options.inside);
  EXPECT_EQ(options.idmap, Idmap::recursive);
  EXPECT_EQ(parse_mount_options({"idmap"}).idmap, Idmap::flat);
  EXPECT_EQ(options.data, "");
}

TEST(MountOptions, ABindMountIsOneByOptionOrByType) {
  Mount mount{.destination = "/a", .type = "none", .source = "/b", .options = {"bind"}};
  EXPECT_TRUE(is_bind(mount, parse_mount_options(mount.options)));
  mount = {.destination = "/a", .type = "bind"};
  EXPECT_TRUE(is_bind(mount, {}));
  mount = {.destination = "/a", .type = "tmpfs"};
  EXPECT_FALSE(is_bind(mount, {}));
}

TEST(MountOptions, EveryWordOfRuncIsKnownExceptAcl) {
  Result<Document> runc = Document::parse(read_text(test_data("features/good/runc.json")), "runc.json");
  ASSERT_TRUE(runc) << runc.error().message();
  Result<std::vector<std::string>> words = runc->get_strings({"mountOptions"});
  ASSERT_TRUE(words) << words.error().message();
  std::vector<std::string_view> known = mount_option_names();
  EXPECT_TRUE(std::ranges::is_sorted(known));
  ASSERT_EQ(words->size(), 62U);
  for (const std::string& word : *words) {
    bool acl = word == "acl" || word == "noacl";
    EXPECT_EQ(std::ranges::binary_search(known, word), !acl) << word;
    EXPECT_EQ(parse_mount_options({word}).data.empty(), !acl) << word;
  }
}

}  // namespace
}  // namespace caisson::oci

// Laws of overlays that are mounted by name. Needs root.
// Layer: runtime, test.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/runtime/overlay_by_path.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

#include "caisson/sys/file.h"
#include "caisson/sys/mount.h"
#include "caisson/sys/path.h"

namespace caisson::runtime {
namespace {

class OverlayByPath : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "mounting needs root";
    ASSERT_NE(::mkdtemp(root_.data()), nullptr);
    for (const char* name : {"/scratch", "/one", "/two", "/writable/a,b:c", "/writable/work"})
      ASSERT_TRUE(sys::make_directories(root_ + name, 0755));
    for (const char* name : {"/one/both", "/two/both", "/two/below"})
      ASSERT_TRUE(sys::replace_file(root_ + name, name, 0644));
  }
  void TearDown() override { EXPECT_TRUE(sys::remove_tree_at(AT_FDCWD, root_)); }

  sys::UniqueFd clone(const std::string& name) const {
    auto tree = sys::open_tree_clone(AT_FDCWD, root_ + name, sys::Recursive::no);
    return tree ? std::move(*tree) : sys::UniqueFd();
  }
  OverlayLayers layers() const {
    OverlayLayers out;
    out.lower.push_back(clone("/one"));
    out.lower.push_back(clone("/two"));
    out.options = {"index=off"};
    return out;
  }
  static std::string text(int tree, const std::string& name) {
    auto file = sys::open_in_root(tree, name, O_RDONLY);
    char bytes[64];
    const ssize_t n = file ? ::read(file->get(), bytes, sizeof bytes) : 0;
    return n > 0 ? std::string(bytes, static_cast<std::size_t>(n)) : "";
  }

  std::string root_ = ::testing::TempDir() + "overlay.XXXXXX";
};

TEST_F(OverlayByPath, TheTopLayerComesFirst) {
  auto tree = overlay_by_path(root_ + "/scratch", layers());
  ASSERT_TRUE(tree) << tree.error().message();
  EXPECT_EQ(text(tree->get(), "both"), "/one/both");
  EXPECT_EQ(text(tree->get(), "below"), "/two/below");
}

TEST_F(OverlayByPath, WhatIsWrittenIsInTheUpperDirectoryWhateverItsName) {
  OverlayLayers wanted = layers();
  wanted.above = clone("/writable");
  wanted.upper = "a,b:c";
  wanted.work = "work";
  auto tree = overlay_by_path(root_ + "/scratch", wanted);
  ASSERT_TRUE(tree) << tree.error().message();
  const int made = ::openat(tree->get(), "made", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
  ASSERT_GE(made, 0);
  ::close(made);
  EXPECT_TRUE(sys::exists(root_ + "/writable/a,b:c/made"));
}

TEST_F(OverlayByPath, NothingOfItIsSeenWhereItWasMade) {
  const auto before = sys::read_file("/proc/self/mountinfo");
  auto tree = overlay_by_path(root_ + "/scratch", layers());
  ASSERT_TRUE(tree);
  const auto after = sys::read_file("/proc/self/mountinfo");
  EXPECT_EQ(*before, *after);
  EXPECT_EQ(text(tree->get(), "both"), "/one/both");
}

TEST_F(OverlayByPath, MoreLayersThanOnePageNamesAreRefused) {
  OverlayLayers many;
  for (int i = 0; i < 700; ++i) many.lower.push_back(clone("/one"));
  const auto tree = overlay_by_path(root_ + "/scratch", many);
  ASSERT_FALSE(tree);
  EXPECT_TRUE(tree.error().is(E2BIG)) << tree.error().message();
}

TEST_F(OverlayByPath, TheKernelsRefusalIsTold) {
  OverlayLayers wanted = layers();
  wanted.options = {"nonsense"};
  const auto tree = overlay_by_path(root_ + "/scratch", wanted);
  ASSERT_FALSE(tree);
  EXPECT_NE(tree.error().message().find("mount"), std::string::npos) << tree.error().message();
}

}  // namespace
}  // namespace caisson::runtime

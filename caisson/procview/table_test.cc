// Laws of the table: nothing missing that a nest needs, nothing twice, ids that are kept, and the guide's page of it.
// Layer: procview, test.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/procview/table.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <set>

#include "caisson/procview/procview.h"
#include "caisson/procview/tree.h"
#include "caisson/sys/file.h"

namespace caisson::procview {
namespace {

const Row* find(std::string_view path) {
  const auto found = std::ranges::find_if(table(), [&](const Row& row) { return row.path == path; });
  return found == table().end() ? nullptr : &*found;
}

bool writable(const Row& row) { return !S_ISLNK(row.mode) && (row.mode & 0222) != 0; }

// What lxcfs shows, and what tells a program how large its machine is.
TEST(Table, HasEveryNodeOfTheResourceView) {
  for (const char* path : {"proc/cpuinfo",
                           "proc/diskstats",
                           "proc/loadavg",
                           "proc/meminfo",
                           "proc/partitions",
                           "proc/pressure/cpu",
                           "proc/pressure/io",
                           "proc/pressure/memory",
                           "proc/slabinfo",
                           "proc/stat",
                           "proc/swaps",
                           "proc/uptime",
                           "proc/vmstat",
                           "sys/devices/system/cpu",
                           "sys/devices/system/cpu/online",
                           "sys/devices/system/cpu/cpu#/online",
                           "sys/devices/system/node",
                           "sys/devices/system/node/node#/meminfo",
                           "sys/devices/system/node/node#/cpulist",
                           "sys/devices/virtual/dmi/id/product_uuid"})
    EXPECT_NE(find(path), nullptr) << path;
}

// Those of the host that nested engines, kubelet, kube-proxy and systemd write at their start. What the kernel keeps
// for each namespace (net.core.somaxconn, kernel.shmmax, the conntrack timeouts) is not here: it is the kernel's own.
TEST(Table, StoresWhatEnginesWrite) {
  for (const char* name : {"fs/file-max",
                           "fs/nr_open",
                           "fs/protected_hardlinks",
                           "fs/protected_symlinks",
                           "fs/inotify/max_user_watches",
                           "fs/inotify/max_user_instances",
                           "kernel/core_pattern",
                           "kernel/dmesg_restrict",
                           "kernel/keys/root_maxkeys",
                           "kernel/keys/root_maxbytes",
                           "kernel/keys/maxkeys",
                           "kernel/keys/maxbytes",
                           "kernel/kptr_restrict",
                           "kernel/panic",
                           "kernel/panic_on_oops",
                           "kernel/pid_max",
                           "kernel/printk",
                           "kernel/sysrq",
                           "kernel/yama/ptrace_scope",
                           "net/core/default_qdisc",
                           "net/core/rmem_max",
                           "net/core/wmem_max",
                           "net/ipv4/neigh/default/gc_thresh1",
                           "net/ipv4/neigh/default/gc_thresh2",
                           "net/ipv4/neigh/default/gc_thresh3",
                           "net/netfilter/nf_conntrack_buckets",
                           "net/netfilter/nf_conntrack_expect_max",
                           "net/netfilter/nf_conntrack_max",
                           "net/netfilter/nf_hooks_lwtunnel",
                           "net/nf_conntrack_max",
                           "vm/max_map_count",
                           "vm/mmap_min_addr",
                           "vm/overcommit_memory",
                           "vm/panic_on_oom",
                           "vm/swappiness"}) {
    const Row* row = find("proc/sys/" + std::string(name));
    ASSERT_NE(row, nullptr) << name;
    EXPECT_EQ(row->content, Content::stored) << name;
  }
  ASSERT_NE(find("sys/module/nf_conntrack/parameters/hashsize"), nullptr);
}

TEST(Table, WhatIsWrittenIsStoredOrWatched) {
  for (const Row& row : table())
    EXPECT_TRUE(!writable(row) || row.content == Content::stored || row.content == Content::pressure) << row.path;
}

TEST(Table, AStoredNodeHasARule) {
  for (const Row& row : table()) {
    EXPECT_EQ(row.content == Content::stored, row.rule.form != Form::none) << row.path;
    EXPECT_LE(row.rule.min, row.rule.max) << row.path;
  }
}

// The kernel gives a file of the network's only where the namespace has it; all others are in every proc.
TEST(Table, OnlyTheNetworksMayBeAbsent) {
  for (const Row& row : table())
    EXPECT_EQ(row.over == Over::if_there, row.path.starts_with("proc/sys/net/")) << row.path;
}

// A proc that root of a nest mounts for a network namespace of its own must not lead to the host either: of those that
// the kernel lets it write there, all come again.
TEST(Table, WhatTheKernelWouldLetItWriteComesAgain) {
  EXPECT_EQ(find("proc/sys/net/netfilter/nf_hooks_lwtunnel")->replay, Replay::yes);
}

TEST(Table, NoNodeIsThereTwiceAndNoIdMeansTwo) {
  std::set<std::string_view> paths;
  std::set<std::uint32_t> hashes;
  std::set<std::string> names;
  for (const Row& row : table()) {
    EXPECT_TRUE(paths.insert(row.path).second) << row.path;
    EXPECT_TRUE(hashes.insert(hash_of(row.path)).second) << row.path;
    EXPECT_LE(std::ranges::count(row.path, '#'), 2) << row.path;
    if (row.content == Content::stored && row.key.empty()) {
      EXPECT_TRUE(names.insert(stored_name(row)).second) << row.path;
    }
  }
}

TEST(Table, WhatLiesBelowADirectoryIsNotMountedAlone) {
  for (const Row& row : table()) {
    const bool inside = std::ranges::any_of(table(), [&](const Row& whole) {
      return whole.over == Over::directory && row.path.starts_with(std::string(whole.path) + "/");
    });
    EXPECT_EQ(row.over == Over::below, inside) << row.path;
  }
}

TEST(Overmounts, AreWhatTheHostHas) {
  const auto has = [](const std::string& path) {
    return path == "/proc/meminfo" || path == "/proc/sys/kernel/pid_max";
  };
  const auto mounts = overmounts(has, PidMax::global);
  ASSERT_EQ(mounts.size(), 2u);
  EXPECT_EQ(mounts[0].destination, "/proc/meminfo");
  EXPECT_EQ(mounts[0].source, "proc/meminfo");
  EXPECT_FALSE(mounts[0].if_there);
  EXPECT_EQ(overmounts(has, PidMax::namespaced).size(), 1u);
}

TEST(Overmounts, OfANewMountAreRelativeToIt) {
  const auto all = [](const std::string&) { return true; };
  std::set<std::string> proc;
  for (const Overmount& node : replayed(Filesystem::proc, all)) proc.insert(node.destination);
  EXPECT_TRUE(proc.contains("meminfo"));
  EXPECT_TRUE(proc.contains("sys/net/netfilter/nf_hooks_lwtunnel"));
  EXPECT_FALSE(proc.contains("devices/system/cpu"));
  std::set<std::string> sysfs;
  for (const Overmount& node : replayed(Filesystem::sysfs, all)) sysfs.insert(node.destination);
  EXPECT_TRUE(sysfs.contains("devices/system/cpu"));
  EXPECT_TRUE(sysfs.contains("module/nf_conntrack/parameters/hashsize"));
}

// To write it anew: CAISSON_WRITE=1 with this test.
TEST(Table, IsTheGuidesPage) {
  const char* source = std::getenv("CAISSON_SOURCE");
  if (source == nullptr) GTEST_SKIP() << "CAISSON_SOURCE is not set";
  const std::string path = std::string(source) + "/docs/guide/proc-and-sys.md";
  const Result<std::string> page = sys::read_file(path);
  ASSERT_TRUE(page) << page.error().message();
  const std::size_t start = page->find("| node |");
  ASSERT_NE(start, std::string::npos);
  if (std::getenv("CAISSON_WRITE") != nullptr) {
    ASSERT_TRUE(sys::replace_file(path, page->substr(0, start) + table_text(), 0644));
    return;
  }
  EXPECT_EQ(page->substr(start), table_text());
}

}  // namespace
}  // namespace caisson::procview

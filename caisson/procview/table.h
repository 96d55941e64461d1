// The table of nodes: every file below /proc and /sys that a nest gets from us; all else derives from it.
// Layer: procview. Pure. Used by overmounts.cc, tree.cc, content.cc, values.cc and the guide's test.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>

namespace caisson::procview {

enum class Content : unsigned char {
  directory,
  stored,    // a value of the nest's own; the host's until it is written
  host,      // the host's text
  host_cpu,  // the host's text, for a CPU that the nest has
  cpu_list,  // the host's list of CPUs ("0-3"), without those the nest does not have
  cpu_mask,  // the same as a mask ("f")
  cpu_link,  // ../../cpu/cpuN
  node_link,
  meminfo,
  cpuinfo,
  stat,
  loadavg,
  uptime,
  diskstats,
  swaps,
  partitions,
  vmstat,
  slabinfo,
  pressure,
  cpus_online,
  cpus_offline,
  cpu_online,
  nodes,  // those of the host's list that the nest has
  node_meminfo,
  product_uuid,
};

// How a node comes over the kernel's own.
enum class Over : unsigned char {
  below,        // in a directory that is put over as a whole
  file,         // by itself
  directory,    // with all that is below it
  if_there,     // by itself, where the nest's network namespace has it
  until_pidns,  // by itself, unless the kernel has made it part of the pid namespace
};

enum class Replay : bool { no, yes };  // again over each new proc or sysfs inside

enum class Form : unsigned char {
  none,
  integer,  // int, one or more: proc_dointvec_minmax
  natural,  // unsigned long: proc_doulongvec_minmax
  text,     // up to `max` bytes, one line
};

// What the kernel takes, as it takes it: a number out of range is EINVAL.
struct Rule {
  Form form = Form::none;
  std::int64_t min = 0;
  std::int64_t max = 0;
  int count = 1;           // integers in the file
  std::int64_t round = 1;  // rounded up to a multiple of it
};

struct Row {
  std::string_view path;  // "proc/sys/vm/swappiness"; '#' stands for a number, at most twice
  Content content;
  mode_t mode;  // with the type
  Over over;
  Replay replay;
  std::string_view shows;  // for people
  Rule rule = {};
  std::string_view key = {};  // where its value is stored; "" is made from the path
};

std::span<const Row> table();

std::string stored_name(const Row& row);  // the name of its file in the directory of values

// The table as Markdown, for the guide.
std::string table_text();

}  // namespace caisson::procview

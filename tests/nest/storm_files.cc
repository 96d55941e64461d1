// Attempts with files: everything below /proc, /sys and the cgroups that can be opened for writing, devices, handles.
// Layer: test program. Users: storm.cc.
// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <string>

#include "storm.h"

namespace storm {
namespace {

constexpr std::size_t most_files = 6000;

void walk(const std::string& directory, int depth, std::vector<std::string>& files, std::vector<std::string>* dirs) {
  DIR* open = ::opendir(directory.c_str());
  if (open == nullptr) return;
  while (const dirent* entry = ::readdir(open)) {
    const std::string name = entry->d_name;
    if (name == "." || name == ".." || files.size() >= most_files) continue;
    const bool a_process = directory == "/proc" && name.find_first_not_of("0123456789") == std::string::npos;
    if (a_process && name != "1") continue;
    const std::string path = directory + "/" + name;
    if (entry->d_type == DT_DIR) {
      if (dirs != nullptr) dirs->push_back(path);
      if (depth > 0) walk(path, depth - 1, files, dirs);
    } else if (entry->d_type != DT_LNK) {
      files.push_back(path);
    }
  }
  ::closedir(open);
}

std::string text_of(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return "";
  char text[4096];
  const ssize_t got = ::read(fd, text, sizeof text);
  ::close(fd);
  return got > 0 ? std::string(text, static_cast<std::size_t>(got)) : "";
}

// A value near the one that is there: a kernel that takes it has changed something.
std::string other_value(Random& random, const std::string& now) {
  if (!now.empty() && now[0] >= '0' && now[0] <= '9' && !random.one_in(4)) {
    const unsigned long value = std::strtoul(now.c_str(), nullptr, 10);
    return std::to_string(random.one_in(2) ? value + 1 : (value == 0 ? 1 : value - 1));
  }
  return random.pick({"1", "0", "2", "+memory", "-pids", "h", "|/bin/storm %p", "max", "a *:* rwm", "/storm",
                      "threaded", "auto", "disabled", "storm", "65535", "-1", "FROZEN"});
}

long overwrite(const std::string& path, const std::string& value) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return -1;
  const long rc = ::write(fd, value.data(), value.size());
  ::close(fd);
  return rc;
}

Outcome sysctl(Random& random, const World& world) {
  const std::string path = random.pick(world.sysctls);
  const std::string value = other_value(random, text_of(path));
  return {"write " + value + " > " + path, overwrite(path, value)};
}

Outcome write_proc(Random& random, const World& world) {
  const std::string path = random.pick(world.proc_files);
  // Its own knobs of pid 1 are a container's own business; a core pattern or a trigger is the host's.
  const std::string value = path == "/proc/sysrq-trigger" ? "h" : other_value(random, text_of(path));
  return {"write " + value + " > " + path, overwrite(path, value)};
}

Outcome write_sys(Random& random, const World& world) {
  const std::string path = random.pick(world.sys_files);
  const std::string value = other_value(random, text_of(path));
  return {"write " + value + " > " + path, overwrite(path, value)};
}

Outcome write_cgroup(Random& random, const World& world) {
  const std::string path = random.pick(world.cgroup_files);
  const std::string value = random.one_in(3) ? random.pick({"1", "0", "2"}) : other_value(random, text_of(path));
  return {"write " + value + " > " + path, overwrite(path, value)};
}

Outcome climb_cgroup(Random& random, const World& world) {
  const std::string directory = random.pick(world.cgroup_directories);
  const std::string up = directory + random.pick({"/..", "/../..", "/../../.."});
  const std::string name = random.pick({"release_agent", "cgroup.procs", "tasks", "devices.allow", "notify_on_release",
                                        "cgroup.subtree_control", "memory.limit_in_bytes", "pids.max", "cpu.max"});
  ::mkdir((up + "/storm").c_str(), 0755);
  return {"write 1 > " + up + "/" + name, overwrite(up + "/" + name, random.pick({"0", "1", "a", "/storm"}))};
}

Outcome make_device(Random& random, const World& world) {
  const bool block = random.one_in(2);
  const dev_t device = makedev(random.pick({1, 7, 8, 9, 10, 11, 21, 29, 226, 230, 238, 247, 252, 253, 254, 259}),
                               random.below(random.one_in(2) ? 4 : 256));
  const std::string path = random.pick({std::string("/tmp"), std::string("/dev"), std::string("/dev/shm"),
                                        std::string("/"), random.pick(world.mount_points)}) +
                           "/storm-device";
  ::unlink(path.c_str());
  const mode_t kind = block ? S_IFBLK : S_IFCHR;
  if (::mknod(path.c_str(), kind | 0666, device) < 0) return {"mknod " + path, -1};
  const int fd = ::open(path.c_str(), random.pick({O_RDONLY, O_RDWR, O_WRONLY}) | O_NONBLOCK | O_CLOEXEC);
  ::unlink(path.c_str());
  return {"open device " + std::to_string(major(device)) + ":" + std::to_string(minor(device)), fd};
}

Outcome open_device(Random& random, const World& world) {
  const std::string path = random.pick(world.devices);
  struct stat status{};
  if (::lstat(path.c_str(), &status) < 0) return {"lstat " + path, -1};
  const int fd = ::open(path.c_str(), O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  const bool a_disk = S_ISBLK(status.st_mode);
  const bool memory = S_ISCHR(status.st_mode) && major(status.st_rdev) == 1 &&
                      (minor(status.st_rdev) == 1 || minor(status.st_rdev) == 4 || minor(status.st_rdev) == 11);
  return {"open " + path, a_disk || memory ? fd : -1};
}

Outcome by_handle(Random& random, const World& world) {
  alignas(file_handle) unsigned char bytes[sizeof(file_handle) + 16] = {};
  auto* handle = reinterpret_cast<file_handle*>(bytes);
  const std::uint32_t inode = static_cast<std::uint32_t>(random.one_in(2) ? 2 : 1 + random.below(200000));
  handle->handle_bytes = 8;
  handle->handle_type = random.pick({1, 2, 0x4d, 0xf8, 0x81});
  std::memcpy(handle->f_handle, &inode, sizeof inode);
  const std::string where = random.pick(world.mount_points);
  const int mount = ::open(where.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  const int fd = ::open_by_handle_at(mount, handle, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  struct stat found{};
  // Since 6.11 a file system that was mounted inside answers its own root: that is no way out.
  const bool inside = fd >= 0 && ::fstat(fd, &found) == 0 && major(found.st_dev) == 0;
  return {"open_by_handle_at " + where, inside ? -1 : fd};
}

Outcome through_pid_1(Random& random, const World&) {
  const std::string path = std::string("/proc/") + random.pick({"1", "self", "thread-self"}) + "/" +
                           random.pick({"root/../../../etc/storm", "cwd/../../../storm", "exe", "mem", "map_files",
                                        "attr/exec", "oom_score_adj", "uid_map", "setgroups", "fd/3", "fd/4", "fd/5",
                                        "fd/6", "fd/7", "loginuid", "timerslack_ns", "coredump_filter"});
  if (path.ends_with("exe")) return {"write " + path, ::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
  return {"write " + path, overwrite(path, "-900")};
}

}  // namespace

World look_around() {
  World world;
  std::ifstream mounts("/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    std::size_t at = 0;
    for (int field = 0; field < 4; ++field) at = line.find(' ', at) + 1;
    world.mount_points.push_back(line.substr(at, line.find(' ', at) - at));
  }
  walk("/proc/sys", 6, world.sysctls, nullptr);
  walk("/proc", 3, world.proc_files, nullptr);
  walk("/sys", 5, world.sys_files, nullptr);
  walk("/sys/fs/cgroup", 6, world.cgroup_files, &world.cgroup_directories);
  walk("/dev", 2, world.devices, nullptr);
  for (auto* list : {&world.mount_points, &world.sysctls, &world.proc_files, &world.sys_files, &world.cgroup_files,
                     &world.cgroup_directories, &world.devices})
    if (list->empty()) list->push_back("/");
  return world;
}

std::span<const Family> file_families() {
  static constexpr Family families[] = {
      {"sysctl", sysctl, false},          {"proc", write_proc, false},           {"sys", write_sys, false},
      {"cgroup", write_cgroup, false},    {"cgroup above", climb_cgroup, false}, {"make device", make_device, true},
      {"open device", open_device, true}, {"handle", by_handle, true},           {"pid 1", through_pid_1, false}};
  return families;
}

}  // namespace storm

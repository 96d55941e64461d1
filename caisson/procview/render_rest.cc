// Devices, identity and sysinfo(2) as a nest sees them.
// Layer: procview. Pure.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "caisson/procview/render.h"
#include "caisson/procview/words.h"

namespace caisson::procview {

std::string render_diskstats(std::string_view host, const Disks& disks) {
  std::string out;
  for (Lines lines(host); lines.next();) {
    Words words(lines.line);
    if (!words.next()) continue;
    const std::string major(words.word);
    if (!words.next()) continue;
    const std::string minor(words.word);
    if (!words.next()) continue;
    const auto found = disks.find(major + ":" + minor);
    if (found == disks.end()) continue;
    const Disk& d = found->second;
    // source: linux Documentation/admin-guide/iostats.rst: sectors are 512 bytes; times and merges are not counted
    append(out, "%4s %7s %s %lu 0 %lu 0 %lu 0 %lu 0 0 0 0 %lu 0 %lu 0 0 0\n", major.c_str(), minor.c_str(),
           std::string(words.word).c_str(), d.reads, d.read_bytes / 512, d.writes, d.written_bytes / 512, d.discards,
           d.discarded_bytes / 512);
  }
  return out;
}

std::string render_partitions(std::string_view host, const std::vector<std::string>& devices) {
  std::string out = "major minor  #blocks  name\n\n";
  for (Lines lines(host); lines.next();) {
    Words words(lines.line);
    if (!words.next() || !number_of(words.word)) continue;
    const std::string major(words.word);
    if (!words.next()) continue;
    if (std::find(devices.begin(), devices.end(), major + ":" + std::string(words.word)) != devices.end())
      out.append(lines.line).append("\n");
  }
  return out;
}

std::string render_product_uuid(std::string_view host, std::string_view id) {
  constexpr std::string_view zeros = "00000000-0000-0000-0000-000000000000";
  std::string out(host.substr(0, std::min(host.find('\n'), host.size())));
  if (out.size() != zeros.size()) out = zeros;
  std::size_t at = out.size();
  for (std::size_t i = id.size(); i-- > 0 && at > zeros.size() - 12;) {
    const char c = id[i];
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')) out[--at] = c;
  }
  while (at > zeros.size() - 12) out[--at] = '0';
  return out + "\n";
}

struct sysinfo make_sysinfo(const MemoryView& memory, const Age& age, const Loads& loads) {
  struct sysinfo out{};
  constexpr double fixed = 1 << SI_LOAD_SHIFT;
  out.uptime = static_cast<long>(age.seconds);
  out.loads[0] = static_cast<unsigned long>(loads.one * fixed);
  out.loads[1] = static_cast<unsigned long>(loads.five * fixed);
  out.loads[2] = static_cast<unsigned long>(loads.fifteen * fixed);
  out.totalram = memory.total;
  out.freeram = memory.free;
  out.sharedram = memory.shmem;
  out.totalswap = memory.swap_total;
  out.freeswap = memory.swap_free;
  out.procs = static_cast<unsigned short>(std::min(loads.tasks, 65535u));
  out.mem_unit = 1;
  return out;
}

}  // namespace caisson::procview

// sysinfo: the numbers of the nest's /proc/meminfo, uptime and loadavg.
// Layer: nest. Declared in handlers.h.
// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "caisson/nest/handlers/handlers.h"
#include "caisson/procview/procview.h"

namespace caisson::nest {
namespace {

using seccomp::Answer;

// The 32-bit ABI's. source: linux kernel/sys.c, struct compat_sysinfo and its scaling of sizes to fit
struct CompatSysinfo {
  std::int32_t uptime;
  std::uint32_t loads[3];
  std::uint32_t totalram, freeram, sharedram, bufferram, totalswap, freeswap;
  std::uint16_t procs, pad;
  std::uint32_t totalhigh, freehigh, mem_unit;
  char rest[8];
};
static_assert(sizeof(CompatSysinfo) == 64);

CompatSysinfo narrow(const struct sysinfo& wide) {
  CompatSysinfo out{};
  out.uptime = static_cast<std::int32_t>(wide.uptime);
  std::ranges::transform(wide.loads, out.loads, [](unsigned long load) { return static_cast<std::uint32_t>(load); });
  unsigned shift = 0;
  std::uint64_t unit = wide.mem_unit;
  if ((wide.totalram | wide.totalswap) > 0xffffffffU) {
    while (unit < 4096) {
      unit <<= 1;
      ++shift;
    }
  }
  const auto size = [&](unsigned long bytes) { return static_cast<std::uint32_t>(bytes >> shift); };
  out.totalram = size(wide.totalram);
  out.freeram = size(wide.freeram);
  out.sharedram = size(wide.sharedram);
  out.bufferram = size(wide.bufferram);
  out.totalswap = size(wide.totalswap);
  out.freeswap = size(wide.freeswap);
  out.procs = wide.procs;
  out.mem_unit = static_cast<std::uint32_t>(unit);
  return out;
}

}  // namespace

Answer handle_sysinfo(Call& call) {
  if (call.nest.known.get() == nullptr) return Answer::native();
  // The caller's memory by a descriptor: checked after it was opened, it is nobody else's, whoever gets the pid.
  auto memory = call.caller.open("mem", O_RDWR);
  auto info = call.nest.sysinfo.ask(call.nest.view);
  if (!memory || !info || !call.begin(0)) return Answer::native();
  const CompatSysinfo small = narrow(*info);
  const void* data = call.is_compat ? static_cast<const void*>(&small) : &*info;
  const std::size_t size = call.is_compat ? sizeof small : sizeof *info;
  const ssize_t written = ::pwrite(memory->get(), data, size, static_cast<off_t>(call.argument(0)));
  return written == static_cast<ssize_t>(size) ? Answer::success() : Answer::fail(EFAULT);
}

}  // namespace caisson::nest

// The entry points that act: serve(), sysinfo_of().
// Layer: procview.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/procview/render.h"
#include "caisson/procview/server.h"

namespace caisson::procview {

Result<void> serve(int fuse, const Nest& before, const Known* known, Resend resend, Progress progress, Inbox inbox) {
  ValueStore values = TRY(ValueStore::open(before.values).during("procview"));
  Server server(fuse, before, known, std::move(values), progress, inbox);
  server.resume();
  TRY(server.answer_inherited().during("procview"));
  if (resend == Resend::yes) TRY(server.ask_again().during("procview"));
  for (;;) {
    const bool more = TRY(server.answer_next().during("procview"));
    if (!more) return ok();
  }
}

Result<struct sysinfo> sysinfo_of(const Nest& nest) {
  Gather gather(nest);
  const std::string meminfo = gather.host("/proc/meminfo");
  if (meminfo.empty()) return Error::os(ENOENT, "/proc/meminfo");
  const Memory memory = gather.memory();
  return make_sysinfo(view_memory(meminfo, memory), gather.age(), gather.loads(0));
}

}  // namespace caisson::procview

// The entry points that act: serve(), Sysinfo.
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

Sysinfo::Sysinfo() = default;
Sysinfo::~Sysinfo() = default;

Result<struct sysinfo> Sysinfo::ask(const Nest& nest) {
  const std::lock_guard lock(mutex_);
  if (!gather_) gather_ = std::make_unique<Gather>(nest);
  const std::string& meminfo = gather_->host("/proc/meminfo");
  if (meminfo.empty()) return Error::os(ENOENT, "/proc/meminfo");
  const MemoryView memory = view_memory(meminfo, gather_->memory());
  return make_sysinfo(memory, gather_->age(), gather_->loads(0));
}

}  // namespace caisson::procview

// Group's freezer: v1 freezer.state, v2 cgroup.freeze.
// Layer: cgroup. Used by pause, resume, kill and remove through group.h.
// SPDX-License-Identifier: Apache-2.0
#include <chrono>

#include "caisson/cgroup/files.h"
#include "caisson/cgroup/group.h"
#include "caisson/cgroup/tree.h"
#include "caisson/sys/backoff.h"

namespace caisson::cgroup {
namespace {

using std::chrono_literals::operator""s;
using std::chrono_literals::operator""us;
using std::chrono_literals::operator""ms;

// Where the group is frozen: v1's freezer if it is mounted, else v2, which needs no controller.
const Directory* freezer_of(const Placement& placement) {
  const Directory* v1 = placement.find("freezer");
  return v1 != nullptr ? v1 : placement.unified();
}

// A v1 group can stay FREEZING when processes appear in it while it is being frozen. Writing FROZEN again mostly
// helps; thawing now and then helps the rest. source: runc libcontainer/cgroups/fs/freezer.go, same experience
Result<void> freeze_v1(const std::string& directory) {
  const sys::Instant deadline = sys::now() + 10s;
  for (int round = 0;; ++round) {
    if (round % 50 == 49) {
      (void)write_value(directory, "freezer.state", "THAWED");
      sys::sleep_for(10ms);
    }
    TRY(write_value(directory, "freezer.state", "FROZEN"));
    if (round % 25 == 24) sys::sleep_for(10us);
    const std::string state = TRY(read_value(directory, "freezer.state"));
    if (state == "FROZEN") return ok();
    if (state != "FREEZING")
      return Error::of(Kind::conflict, "unexpected state \"" + state + "\" while freezing").during(directory);
    if (round >= 1000) sys::sleep_for(1ms);
    if (sys::now() >= deadline) return Error::os(ETIMEDOUT, "unable to freeze").during(directory);
  }
}

Result<void> set_v2(const std::string& directory, bool frozen) {
  TRY(write_value(directory, "cgroup.freeze", frozen ? "1" : "0"));
  sys::Backoff backoff(10s);
  for (;;) {
    const std::string events = TRY(read_value(directory, "cgroup.events"));
    if (find_number(events, "frozen") == (frozen ? 1U : 0U)) return ok();
    if (!backoff.wait()) return Error::os(ETIMEDOUT, frozen ? "unable to freeze" : "unable to thaw").during(directory);
  }
}

}  // namespace

Result<void> Group::freeze() const {
  const Directory* freezer = freezer_of(placement_);
  if (freezer == nullptr) return Error::of(Kind::unsupported, "cgroup controller freezer is not mounted");
  const std::string directory = freezer->absolute();
  auto frozen = freezer->version == Version::v1 ? freeze_v1(directory) : set_v2(directory, true);
  if (!frozen && !is_gone(frozen.error())) (void)thaw();
  return frozen;
}

Result<void> Group::thaw() const {
  const Directory* freezer = freezer_of(placement_);
  if (freezer == nullptr) return Error::of(Kind::unsupported, "cgroup controller freezer is not mounted");
  if (freezer->version == Version::v1) return write_value(freezer->absolute(), "freezer.state", "THAWED");
  return set_v2(freezer->absolute(), false);
}

void Group::thaw_all() const {
  const Directory* freezer = freezer_of(placement_);
  if (freezer == nullptr) return;
  if (freezer->version == Version::v2) {
    (void)thaw();  // below it, SIGKILL ends frozen processes as any others
    return;
  }
  for (const std::string& group : list_groups(freezer->absolute()))
    (void)write_value(group, "freezer.state", "THAWED");  // may go under our hands
}

std::string Group::freezer_directory() const {
  const Directory* freezer = freezer_of(placement_);
  return freezer != nullptr ? freezer->absolute() : "";
}

Result<bool> Group::is_frozen() const {
  const Directory* freezer = freezer_of(placement_);
  if (freezer == nullptr) return false;
  const bool v1 = freezer->version == Version::v1;
  auto text = read_value(freezer->absolute(), v1 ? "freezer.state" : "cgroup.freeze");
  if (!text) {
    if (is_gone(text.error())) return false;  // also a kernel without the file
    return std::move(text).error();
  }
  if (!v1) return *text == "1";
  // FREEZING: somebody is pausing it at this moment; to the caller it is as good as done.
  return *text == "FROZEN" || *text == "FREEZING";
}

}  // namespace caisson::cgroup

// The journal: which notifications are in whose hands. Shared memory that outlives the supervisor.
// Layer: shim. Written by nest's supervisor, held by the shim. Plain data, with one layout for every version of us.
// SPDX-License-Identifier: Apache-2.0
//
// A notification that was received is never delivered again. So it is received straight into a slot here, one slot a
// worker: if the worker is killed at any moment, its successor finds the slot and goes on by its phase.
#pragma once

#include <linux/seccomp.h>

#include <atomic>
#include <cstdint>

namespace caisson::shim {

enum class Phase : std::uint32_t {
  received = 0,  // nothing has been done yet
  started = 1,   // the effect may have happened: `marks` say how to find out
  decided = 2,   // the answer is here and may have been sent
};

struct Slot {
  seccomp_notif notification;  // id 0: the slot is free
  std::uint64_t listener;      // serial number of the listener; written before the notification is received
  std::atomic<Phase> phase;
  std::int32_t errno_;
  std::int64_t value;
  std::uint32_t proceed;
  std::uint32_t attempts;                 // supervisors that have died with it
  std::uint64_t marks[4];                 // the handler's own
  std::atomic<std::uint64_t> busy_since;  // CLOCK_MONOTONIC, ms; 0: idle. The shim's watchdog reads it
};

// Of `attempts`: the watchdog's word that the call gets an error.
constexpr std::uint32_t given_up = 1000;

constexpr std::uint32_t max_workers = 8;

struct Journal {
  static constexpr std::uint64_t layout_version = 0x0002'6361'6973'736fULL;
  std::uint64_t version;
  std::atomic<std::uint32_t> generation;  // supervisors started so far
  std::uint32_t reserved;
  Slot slots[max_workers];
  std::atomic<std::uint64_t> taken;                         // notifications received so far
  std::atomic<std::uint64_t> view_taken;                    // requests for /proc and /sys so far
  std::atomic<std::uint64_t> view_busy_since[max_workers];  // the same for who serves /proc and /sys
  std::atomic<std::uint32_t> view_attempts;                 // servers that have died with the request below
  alignas(4096) char view_request[3 * 4096];                // one FUSE request, received straight into it
};

// An upgrade may bring another layout only with another version number.
static_assert(sizeof(seccomp_notif) == 80 && sizeof(Slot) == 152);

}  // namespace caisson::shim

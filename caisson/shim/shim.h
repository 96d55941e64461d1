// caisson-shim: one small process a nest. It holds what must not be lost (listeners, the view's descriptor, the
// journal) and keeps a supervisor running that uses them; the supervisor may be killed or replaced at any moment
// (DESIGN D3). Layer: shim. Started by nest; speaks to whoever is root by DIRECTORY/shim.sock:
//   {"pid":..}  with a descriptor: one more listener (runtime-spec, "The container process state")
//   stop        ends; answers when the supervisor is gone
//   status      answers {"supervisor":PID,"generation":N,"listeners":N}
//   upgrade     with a descriptor of an executable: it is the supervisor from now on, unless it does not start
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>

#include "caisson/base/result.h"

namespace caisson::shim {

inline constexpr char socket_name[] = "shim.sock";

// What a supervisor is started with, as `caisson-supervisor --directory DIR`.
inline constexpr int journal_fd = 3;
// SOCK_SEQPACKET. From the shim: "SERIAL\nMESSAGE" with a listener; "resume" after the last of those it had;
// "rest" when nobody calls any more. To it: "ready" when what the journal holds is answered.
inline constexpr int control_fd = 4;
// Its other end is the shim's, which sees by it that the supervisor was killed: at once, also when a thread of it waits
// for the view and the process ends only when somebody answers. Held by the thread that serves the view.
inline constexpr int alive_fd = 5;
inline constexpr int view_fd = 6;  // /dev/fuse, connected; closed where there is no view

// `caisson-shim --directory DIR --creator PID [--view FD] [--tasks FD]... [--unified FD]`. Returns in the foreground
// process when the socket listens. The last two are the doors of its cgroup: files of v1, a directory of v2.
// Exit status: 0, or what failed as an errno, told on stderr when the creator is not who started it.
// The shim ends when every listener's last task has ended, or when the creator ends before there was one.
int shim_main(int argc, char** argv);

// One request to the shim of this directory, and its answer.
//   descriptor  -1: none
//   errors      os ECONNREFUSED, os ENOENT: there is no shim
Result<std::string> ask(const std::string& directory, const std::string& request, int descriptor,
                        std::chrono::milliseconds limit);

}  // namespace caisson::shim

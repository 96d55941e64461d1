// The commands: one function each, called by runtime_main with what the command line says.
// Layer: runtime. Used by runtime/main.cc.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "caisson/base/result.h"
#include "caisson/runtime/context.h"
#include "caisson/runtime/flags.h"

namespace caisson::runtime {

// The exit status, or an error: main reports it once and exits with 1 (exec: 255).
using CommandFunction = Result<int> (*)(Context&, const Arguments&);

Result<int> create_command(Context& context, const Arguments& arguments);
Result<int> run_command(Context& context, const Arguments& arguments);
Result<int> start_command(Context& context, const Arguments& arguments);
Result<int> exec_command(Context& context, const Arguments& arguments);
Result<int> plan_command(Context& context, const Arguments& arguments);

Result<int> state_command(Context& context, const Arguments& arguments);
Result<int> kill_command(Context& context, const Arguments& arguments);
Result<int> delete_command(Context& context, const Arguments& arguments);
Result<int> list_command(Context& context, const Arguments& arguments);
Result<int> ps_command(Context& context, const Arguments& arguments);
Result<int> pause_command(Context& context, const Arguments& arguments);
Result<int> resume_command(Context& context, const Arguments& arguments);
Result<int> update_command(Context& context, const Arguments& arguments);
Result<int> events_command(Context& context, const Arguments& arguments);
Result<int> checkpoint_command(Context& context, const Arguments& arguments);
Result<int> restore_command(Context& context, const Arguments& arguments);
Result<int> spec_command(Context& context, const Arguments& arguments);
Result<int> features_command(Context& context, const Arguments& arguments);

}  // namespace caisson::runtime

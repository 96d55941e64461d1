// exec: one more process of a nest gets what its first one has.
// Layer: nest. Declared in create.h.
// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>

#include "caisson/nest/create.h"
#include "caisson/nest/gather.h"
#include "caisson/nest/plan.h"
#include "caisson/nest/report.h"
#include "caisson/oci/document.h"
#include "caisson/sys/execute.h"
#include "caisson/sys/file.h"

namespace caisson::nest {
namespace {

// Above whatever --preserve-fds passes on: the runtime closes the rest before it starts anything.
constexpr int process_file_least = 1000;

struct FirstProcess {
  Init init = Init::other;
  Terms terms;
};

Result<FirstProcess> first_process(const std::string& run_directory) {
  const std::string text = TRY(sys::read_file(run_directory + "/config.json"));
  const oci::Document config = TRY(oci::Document::parse(text, run_directory + "/config.json"));
  oci::Spec spec;
  spec.process.emplace();
  spec.process->args = TRY(config.get_strings({"process", "args"}));
  FirstProcess out;
  out.init = starts_systemd(spec) ? Init::systemd : Init::other;
  std::map<std::string, std::string> annotations;
  for (const char* name : {grants_annotation, profile_annotation}) {
    auto value = TRY(config.get_string({"annotations", name}));
    if (value) annotations[name] = *std::move(value);
  }
  out.terms = TRY(choose_terms(annotations, {}));
  return out;
}

}  // namespace

Result<std::vector<std::string>> prepare_exec(const Context& context) {
  const CommandLine& line = context.line;
  std::vector<std::string> argv = {"caisson-runtime"};
  argv.insert(argv.end(), line.global.begin(), line.global.end());
  argv.push_back(line.command);
  const std::string run = run_directory(context.places, {.runtime_root = context.runtime_root, .id = line.id});
  if (line.process.empty() || sys::is_absent(run + "/nest.json")) {
    argv.insert(argv.end(), line.rest.begin(), line.rest.end());
    return argv;
  }
  const std::string text = TRY(sys::read_file(line.process));
  oci::Process process = TRY(oci::parse_process(text));
  const FirstProcess first = TRY(first_process(run));
  Facts facts;
  facts.terms = first.terms;
  TRY(gather_limits(facts));
  std::vector<std::string> warnings;
  plan_process(process, first.init, facts, warnings);
  for (const std::string& warning : warnings) report(line, Level::warning, warning);
  const int file = TRY(sys::make_inherited_file("process.json", oci::print_process(process), process_file_least));
  for (std::string& word : with_flag(line, "process", "/proc/self/fd/" + std::to_string(file)))
    argv.push_back(std::move(word));
  return argv;
}

}  // namespace caisson::nest

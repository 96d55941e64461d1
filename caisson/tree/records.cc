// Our own records: which container a first process belongs to, and what a nest was given.
// Layer: tree. Declared in gather.h. Reads only; what is damaged or not ours to read says nothing.
// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <fcntl.h>

#include "caisson/nest/terms.h"
#include "caisson/oci/document.h"
#include "caisson/runtime/state.h"
#include "caisson/sys/file.h"
#include "caisson/sys/process_stat.h"
#include "caisson/tree/gather.h"

namespace caisson::tree {
namespace {

// The first process of a container that runs.
pid_t first_process(const std::string& root, const std::string& id) {
  const auto record = runtime::StateStore(root).open(id);
  if (!record) return 0;
  const auto state = record->load();
  if (!state || !state->own_pid_namespace) return 0;
  const auto runs = sys::is_running(state->pid, state->start_time);
  return runs && *runs ? state->pid : 0;
}

void add_root(Facts& facts, const std::string& root) {
  const auto entries = sys::list_directory(root);
  if (!entries) return;
  for (const sys::DirectoryEntry& entry : *entries) {
    if (entry.name.starts_with('.')) continue;
    if (const pid_t pid = first_process(root, entry.name); pid != 0)
      facts.known[pid] = {.id = entry.name, .runtime = "caisson-runtime", .profile = "", .grants = ""};
  }
}

// The supervisor's instructions are the one place that has what flags and annotations came to.
void add_nest(Facts& facts, const std::string& root, const std::string& id, const std::string& directory) {
  const pid_t pid = first_process(root, id);
  if (pid == 0) return;
  nest::Terms terms;
  if (const auto text = sys::read_file(directory + "/config.json"))
    if (const auto document = oci::Document::parse(*text, "config.json"))
      if (const auto told = document->get_string({"linux", "seccomp", "listenerMetadata"}); told && *told)
        terms = nest::parse_instructions(**told).terms;
  facts.known[pid] = {.id = id,
                      .runtime = "caisson-nest",
                      .profile = std::string(nest::name_of(terms.profile)),
                      .grants = nest::to_text(terms.grants)};
}

}  // namespace

void add_records(Facts& facts, const std::vector<std::string>& roots, const std::string& nests_run) {
  for (const std::string& root : roots) add_root(facts, root);
  const auto above = sys::list_directory(nests_run);
  if (!above) return;
  for (const sys::DirectoryEntry& hash : *above) {
    const std::string directory = nests_run + "/" + hash.name;
    const auto root = sys::read_link_at(AT_FDCWD, directory + "/@root");
    if (!root) continue;
    add_root(facts, *root);
    const auto nests = sys::list_directory(directory);
    if (!nests) continue;
    for (const sys::DirectoryEntry& nest : *nests)
      if (nest.type == DT_DIR) add_nest(facts, *root, nest.name, directory + "/" + nest.name);
  }
}

}  // namespace caisson::tree

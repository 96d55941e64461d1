// A nest's plan as text, one decision a line: what golden files hold and what a reader compares.
// Layer: nest (pure). Declared in plan.h.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/nest/plan.h"
#include "caisson/oci/kernel_names.h"

namespace caisson::nest {
namespace {

std::string join(const std::vector<std::string>& words, std::string_view separator = ",") {
  std::string out;
  for (const std::string& word : words) out.append(out.empty() ? "" : separator).append(word);
  return out;
}

// Long capability lists are alike: their number, and what is missing of the kernel's.
std::string capability_text(const std::vector<std::string>& caps) {
  std::string out = std::to_string(caps.size());
  if (caps.size() < 30) return out;
  for (const oci::Name& name : oci::capabilities()) {
    bool has = false;
    for (const std::string& cap : caps) has = has || cap == name.text;
    if (!has) out += " without " + std::string(name.text);
  }
  return out;
}

void append_process(std::string& out, const oci::Process& process) {
  out += "process " + join(process.args, " ") + " uid " + std::to_string(process.user.uid) + "\n";
  for (const std::string& entry : process.env) out += "env " + entry + "\n";
  if (process.capabilities) {
    const oci::Capabilities& caps = *process.capabilities;
    out += "capabilities bounding " + capability_text(caps.bounding) + "\n";
    out += "capabilities effective " + capability_text(caps.effective) + "\n";
    out += "capabilities permitted " + capability_text(caps.permitted) + "\n";
    out += "capabilities inheritable " + capability_text(caps.inheritable) + "\n";
  }
  for (const oci::Rlimit& limit : process.rlimits)
    out += "rlimit " + limit.type + " " + std::to_string(limit.soft) + " " + std::to_string(limit.hard) + "\n";
  if (process.oom_score_adj) out += "oom_score_adj " + std::to_string(*process.oom_score_adj) + "\n";
  if (process.no_new_privileges) out += "no_new_privileges\n";
  if (!process.apparmor_profile.empty()) out += "apparmor " + process.apparmor_profile + "\n";
}

std::string device_number(const std::optional<std::int64_t>& number) {
  return number && *number >= 0 ? std::to_string(*number) : "*";
}

void append_linux(std::string& out, const oci::Linux& linux) {
  for (const oci::Namespace& ns : linux.namespaces)
    out += "namespace " + std::string(oci::name_of(ns.type)) + (ns.path.empty() ? "" : " " + ns.path) + "\n";
  for (const oci::IdMapping& map : linux.uid_mappings)
    out += "uids " + std::to_string(map.container_id) + " " + std::to_string(map.host_id) + " " +
           std::to_string(map.size) + "\n";
  for (const oci::Device& device : linux.devices)
    out += "device " + device.path + " " + device.type + " " + std::to_string(device.major) + ":" +
           std::to_string(device.minor) + "\n";
  if (linux.resources) {
    for (const oci::DeviceRule& rule : linux.resources->devices)
      out += std::string("device rule ") + (rule.allow ? "allow " : "deny ") + (rule.type.empty() ? "a" : rule.type) +
             " " + device_number(rule.major) + ":" + device_number(rule.minor) + " " + rule.access + "\n";
  }
  for (const auto& [name, value] : linux.sysctl) out += "sysctl " + name + "=" + value + "\n";
  for (const std::string& path : linux.masked_paths) out += "mask " + path + "\n";
  for (const std::string& path : linux.readonly_paths) out += "read-only " + path + "\n";
  if (!linux.seccomp) return;
  out += "seccomp default " + linux.seccomp->default_action + "\n";
  for (const oci::SyscallRule& rule : linux.seccomp->syscalls)
    out += "seccomp " + rule.action + (rule.args.empty() ? " " : " with arguments ") + join(rule.names) + "\n";
}

}  // namespace

std::string to_text(const Plan& plan) {
  const oci::Spec& spec = plan.spec;
  std::string out = "root " + spec.root.path + (spec.root.readonly ? " read-only" : "") + "\n";
  for (const auto& [name, value] : spec.annotations)
    if (name.starts_with("io.caisson.")) out += "annotation " + name + "=" + value + "\n";
  for (const oci::Mount& mount : spec.mounts)
    out += "mount " + mount.destination + " " + mount.type + " " + mount.source + " " + join(mount.options) + "\n";
  if (spec.process) append_process(out, *spec.process);
  append_linux(out, spec.linux);
  for (const oci::Hook& hook : spec.hooks.poststop) out += "poststop " + hook.path + " " + join(hook.args, " ") + "\n";
  for (const DataRoot& root : plan.data_roots) out += "data root " + root.destination + " " + root.directory + "\n";
  for (const std::string& path : plan.exclusive) out += "exclusive " + path + "\n";
  for (const std::string& warning : plan.warnings) out += "warning " + warning + "\n";
  return out;
}

}  // namespace caisson::nest

// For tests: Docker's default profile, as dockerd turns it into config.json's linux.seccomp on x86_64.
// Layer: seccomp tests. Used by compile_test, live_test.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/json.hpp>
#include <cstdlib>
#include <set>
#include <string>

#include "caisson/oci/seccomp.h"
#include "caisson/sys/file.h"

namespace caisson::seccomp {

inline bool names_any(const boost::json::object& rule, const char* part, const char* key,
                      const std::set<std::string>& of) {
  const auto* filter = rule.if_contains(part);
  if (filter == nullptr || !filter->is_object()) return false;
  const auto* list = filter->as_object().if_contains(key);
  if (list == nullptr) return false;
  for (const auto& name : list->as_array())
    if (of.contains(std::string(name.as_string()))) return true;
  return false;
}

inline bool has(const boost::json::object& rule, const char* part, const char* key) {
  const auto* filter = rule.if_contains(part);
  return filter != nullptr && filter->is_object() && filter->as_object().contains(key);
}

inline oci::Seccomp docker_profile(const std::set<std::string>& capabilities) {
  const char* root = std::getenv("CAISSON_SOURCE");
  const auto text =
      sys::read_file(std::string(root != nullptr ? root : ".") + "/tests/data/seccomp/docker-default.json");
  oci::Seccomp out;
  if (!text) return out;
  const auto document = boost::json::parse(*text).as_object();
  out.default_action = std::string(document.at("defaultAction").as_string());
  out.default_errno_ret = static_cast<std::uint32_t>(document.at("defaultErrnoRet").to_number<int>());
  out.architectures = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"};
  for (const auto& value : document.at("syscalls").as_array()) {
    const auto& rule = value.as_object();
    if (has(rule, "includes", "arches") && !names_any(rule, "includes", "arches", {"amd64"})) continue;
    if (has(rule, "includes", "caps") && !names_any(rule, "includes", "caps", capabilities)) continue;
    if (names_any(rule, "excludes", "arches", {"amd64"}) || names_any(rule, "excludes", "caps", capabilities)) continue;
    oci::SyscallRule made;
    made.action = std::string(rule.at("action").as_string());
    for (const auto& name : rule.at("names").as_array()) made.names.emplace_back(name.as_string());
    if (const auto* errno_ret = rule.if_contains("errnoRet"); errno_ret != nullptr && errno_ret->is_number())
      made.errno_ret = errno_ret->to_number<std::uint32_t>();
    if (const auto* args = rule.if_contains("args"); args != nullptr && args->is_array()) {
      for (const auto& item : args->as_array()) {
        const auto& arg = item.as_object();
        const auto* two = arg.if_contains("valueTwo");
        made.args.push_back({arg.at("index").to_number<std::uint32_t>(), arg.at("value").to_number<std::uint64_t>(),
                             two != nullptr ? two->to_number<std::uint64_t>() : 0,
                             std::string(arg.at("op").as_string())});
      }
    }
    out.syscalls.push_back(std::move(made));
  }
  return out;
}

}  // namespace caisson::seccomp

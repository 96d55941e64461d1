// config.json `hooks`: programs run at fixed points of a container's life, with its state on stdin.
// Layer: oci (plain data). Used by runtime and nest.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace caisson::oci {

struct Hook {
  std::string path{};  // absolute
  std::vector<std::string> args{};
  std::optional<std::vector<std::string>> env{};  // absent: the runtime's own; empty: none at all
  std::optional<std::chrono::seconds> timeout{};
  bool operator==(const Hook&) const = default;
};

struct Hooks {
  std::vector<Hook> prestart{};
  std::vector<Hook> create_runtime{};
  std::vector<Hook> create_container{};
  std::vector<Hook> start_container{};
  std::vector<Hook> poststart{};
  std::vector<Hook> poststop{};
  bool operator==(const Hooks&) const = default;
};

}  // namespace caisson::oci

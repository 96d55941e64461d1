// Reads the files below tests/data for the tests of this library.
// Layer: tests of oci only.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace caisson::oci {

inline std::filesystem::path test_data(const std::string& path) {
  const char* source = std::getenv("CAISSON_SOURCE");
  return std::filesystem::path(source != nullptr ? source : ".") / "tests/data/oci-schema" / path;
}

inline std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline std::vector<std::filesystem::path> files_in(const std::string& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(test_data(folder))) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace caisson::oci

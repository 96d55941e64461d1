// Fuzz: the kernel's texts behind a view, of any form, never crash the parsers; lists and masks stay in their limits.
// Layer: procview, fuzz target.
// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "caisson/procview/numbers.h"

namespace procview = caisson::procview;

static void must(bool holds) {
  if (!holds) std::abort();
}

static void lists(std::string_view text) {
  const auto list = procview::parse_list(text);
  must(list.size() <= 65536 && (list.empty() || list.back() < 65536));
  must(procview::parse_list(procview::list_text(list)) == list);
  const auto mask = procview::parse_mask(text);
  must(procview::both(mask, list).size() <= list.size());
  (void)procview::mask_text(mask, text);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string_view first = text.substr(0, text.find('\n'));
  const std::string_view rest = text.substr(std::min(first.size() + 1, size));
  procview::Memory memory;
  procview::parse_memory_stat_v1(text, memory);
  procview::parse_memory_stat_v2(text, memory);
  (void)procview::field(text, "anon");
  (void)procview::parse_limit(text);
  (void)procview::cpus_of_max(text);
  (void)procview::cpus_of_quota(first, rest);
  (void)procview::parse_usage_all(text);
  (void)procview::parse_cpu_stat(text);
  (void)procview::parse_blkio(first, rest);
  (void)procview::parse_blkio(text, text);
  (void)procview::parse_io_stat(text);
  lists(text);
  return 0;
}

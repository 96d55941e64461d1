#include "caisson/sys/user_namespace.h"

#include <cstdlib>

#include "caisson/sys/file.h"

namespace caisson::sys {

Result<bool> in_user_namespace() {
  const std::string map = TRY(read_start_at(AT_FDCWD, "/proc/self/uid_map"));
  const char* at = map.c_str();
  char* end = nullptr;
  const unsigned long long inside = std::strtoull(at, &end, 10);
  const unsigned long long outside = std::strtoull(end, &end, 10);
  const unsigned long long count = std::strtoull(end, &end, 10);
  return inside != 0 || outside != 0 || count != 4294967295ULL;
}

}  // namespace caisson::sys

#include "caisson/oci/guest_path.h"

namespace caisson::oci {

std::string clean_guest_path(std::string_view path) {
  std::string clean;
  while (!path.empty()) {
    std::size_t slash = path.find('/');
    std::string_view name = path.substr(0, slash);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
    if (name.empty() || name == ".") continue;
    if (name == "..") {
      clean.resize(clean.empty() ? 0 : clean.rfind('/'));
    } else {
      clean.append("/").append(name);
    }
  }
  return clean.empty() ? "/" : clean;
}

bool is_within(std::string_view outer, std::string_view inner) {
  if (outer == "/") return true;
  return inner.starts_with(outer) && (inner.size() == outer.size() || inner[outer.size()] == '/');
}

}  // namespace caisson::oci

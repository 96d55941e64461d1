#include "caisson/runtime/bundle.h"

#include <stdlib.h>
#include <sys/stat.h>

#include <memory>

#include "caisson/runtime/limits.h"
#include "caisson/sys/file.h"

namespace caisson::runtime {
namespace {

Result<std::string> absolute(const std::string& path) {
  std::unique_ptr<char, decltype(&::free)> real(::realpath(path.empty() ? "." : path.c_str(), nullptr), ::free);
  if (!real) return Error::os(errno, "bundle " + path);
  return std::string(real.get());
}

Result<void> check_root(const RootPlan& root) {
  struct stat st{};
  if (::stat(root.path.c_str(), &st) < 0) return Error::os(errno, "root.path: stat " + root.path);
  if (!S_ISDIR(st.st_mode)) return Error::of(Kind::invalid, "root.path: " + root.path + ": not a directory");
  return ok();
}

}  // namespace

Result<Bundle> read_bundle(const std::string& path) {
  Bundle out;
  out.path = TRY(absolute(path));
  auto text = sys::read_file(out.path + "/config.json");
  if (!text && text.error().is(ENOENT))
    return Error::of(Kind::not_found, "JSON specification file config.json not found in " + out.path);
  if (!text) return std::move(text).error();
  out.config = std::move(*text);
  out.spec = TRY(oci::parse_spec(out.config));
  const std::uint64_t capabilities = TRY(permitted_capabilities());
  out.plan = TRY(plan_container(out.spec, {.bundle = out.path, .capabilities = capabilities}).during("config.json"));
  TRY(check_root(out.plan.root));
  return out;
}

}  // namespace caisson::runtime

#include "caisson/nest/arguments.h"

#include <linux/mount.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <limits>

namespace caisson::nest {
namespace {

// The first line, which goes from `text`.
std::string_view take_line(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  return line;
}

std::string_view take_word(std::string_view& line) {
  const std::string_view word = line.substr(0, line.find(' '));
  line.remove_prefix(std::min(word.size() + 1, line.size()));
  return word;
}

bool is_number(std::string_view word, std::uint64_t value) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  return error == std::errc() && end == word.data() + word.size() && number == value;
}

// The column of a line "name:\tone\ttwo".
template <class Number>
Number field(std::string_view text, std::string_view name, int column, int base) {
  std::size_t at = text.find(name);
  if (at == std::string_view::npos) return 0;
  at += name.size();
  for (int i = 0; i < column; ++i) {
    at = text.find('\t', at);
    if (at == std::string_view::npos) return 0;
    ++at;
  }
  Number out = 0;
  std::from_chars(text.data() + at, text.data() + text.size(), out, base);
  return out;
}

// As file names go below /sys/module: nothing that leads elsewhere.
std::string module_name(std::string_view text) {
  constexpr std::size_t longest = 55;  // source: MODULE_NAME_LEN
  std::string out(text);
  std::ranges::replace(out, '-', '_');
  const bool good = !out.empty() && out.size() <= longest && std::ranges::all_of(out, [](char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
  return good ? out : std::string();
}

}  // namespace

std::uint64_t mount_attributes(std::uint64_t flags) {
  std::uint64_t out = 0;
  if ((flags & MS_RDONLY) != 0) out |= MOUNT_ATTR_RDONLY;
  if ((flags & MS_NOSUID) != 0) out |= MOUNT_ATTR_NOSUID;
  if ((flags & MS_NODEV) != 0) out |= MOUNT_ATTR_NODEV;
  if ((flags & MS_NOEXEC) != 0) out |= MOUNT_ATTR_NOEXEC;
  if ((flags & MS_STRICTATIME) != 0)
    out |= MOUNT_ATTR_STRICTATIME;
  else if ((flags & MS_NOATIME) != 0)
    out |= MOUNT_ATTR_NOATIME;
  if ((flags & MS_NODIRATIME) != 0) out |= MOUNT_ATTR_NODIRATIME;
  return out;
}

std::vector<sys::FilesystemOption> mount_options(std::string_view data) {
  std::vector<sys::FilesystemOption> out;
  while (!data.empty()) {
    const std::string_view word = data.substr(0, data.find(','));
    data.remove_prefix(std::min(word.size() + 1, data.size()));
    const std::size_t equals = word.find('=');
    if (word.empty()) continue;
    out.push_back({.key = std::string(word.substr(0, equals)),
                   .value = std::string(equals == std::string_view::npos ? "" : word.substr(equals + 1))});
  }
  return out;
}

dev_t device_of(std::uint64_t argument) {
  const auto encoded = static_cast<unsigned>(argument);
  return makedev((encoded & 0xfff00U) >> 8, (encoded & 0xffU) | (encoded >> 12 & 0xfff00U));
}

OwnDescriptor own_descriptor(std::string_view path) {
  for (const std::string_view prefix : {"/proc/self/fd/", "/proc/thread-self/fd/", "/dev/fd/"}) {
    if (!path.starts_with(prefix)) continue;
    path.remove_prefix(prefix.size());
    OwnDescriptor out;
    const auto [end, error] = std::from_chars(path.data(), path.data() + path.size(), out.number);
    path.remove_prefix(static_cast<std::size_t>(end - path.data()));
    if (error != std::errc() || out.number < 0 || (!path.empty() && path.front() != '/')) return {};
    while (path.starts_with("/")) path.remove_prefix(1);
    out.rest = path;
    return out;
  }
  return {};
}

EntryPath entry_path(std::string_view path) {
  EntryPath out;
  if (path.empty()) return {.code = ENOENT, .parent = {}, .name = {}};
  if (path.ends_with('/'))
    return {.code = path.find_first_not_of('/') == std::string_view::npos ? EEXIST : ENOENT, .parent = {}, .name = {}};
  const std::size_t slash = path.rfind('/');
  out.name = path.substr(slash == std::string_view::npos ? 0 : slash + 1);
  if (out.name == "." || out.name == "..") return {.code = EEXIST, .parent = {}, .name = {}};
  out.parent = slash == std::string_view::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  return out;
}

Credentials parse_credentials(std::string_view status) {
  Credentials out;
  out.umask = field<mode_t>(status, "\nUmask:\t", 0, 8);
  out.process = field<pid_t>(status, "\nTgid:\t", 0, 10);
  out.fsuid = field<uid_t>(status, "\nUid:\t", 3, 10);
  out.fsgid = field<gid_t>(status, "\nGid:\t", 3, 10);
  out.effective = field<std::uint64_t>(status, "\nCapEff:\t", 0, 16);
  return out;
}

Limit parse_limit(std::span<const std::uint8_t> bytes) {
  std::uint64_t numbers[2] = {};
  const std::size_t width = bytes.size() / 2;
  if (width > sizeof *numbers) return {};
  for (int i = 0; i < 2; ++i) {
    std::memcpy(&numbers[i], bytes.data() + width * static_cast<std::size_t>(i), width);
    constexpr std::uint64_t narrow_infinity = std::numeric_limits<std::uint32_t>::max();
    if (width < sizeof *numbers && numbers[i] == narrow_infinity)
      numbers[i] = std::numeric_limits<std::uint64_t>::max();
  }
  return {.soft = numbers[0], .hard = numbers[1]};
}

int nice_of(int argument) { return std::clamp(argument, -20, 19); }

bool is_overlay_attribute(std::string_view name) {
  constexpr std::string_view prefix = "trusted.overlay.";
  return name.starts_with(prefix) && name.size() > prefix.size();
}

std::string visible_attributes(std::string_view names) {
  std::string out;
  while (!names.empty()) {
    const std::string_view name = names.substr(0, names.find('\0'));
    names.remove_prefix(std::min(name.size() + 1, names.size()));
    if (!name.starts_with("trusted.") || is_overlay_attribute(name)) out.append(name).push_back('\0');
  }
  return out;
}

std::string module_of_path(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash != std::string_view::npos) path.remove_prefix(slash + 1);
  for (const std::string_view packed : {".gz", ".xz", ".zst"})
    if (path.ends_with(packed)) path.remove_suffix(packed.size());
  constexpr std::string_view suffix = ".ko";
  if (!path.ends_with(suffix)) return {};
  return module_name(path.substr(0, path.size() - suffix.size()));
}

std::string module_of_image(std::string_view image) {
  if (!image.starts_with("\x7f"
                         "ELF"))
    return {};
  constexpr std::string_view key("\0name=", 6);
  const std::size_t at = image.find(key);
  if (at == std::string_view::npos) return {};
  image.remove_prefix(at + key.size());
  return module_name(image.substr(0, image.find('\0')));
}

bool lists_module(std::string_view paths, std::string_view name) {
  while (!paths.empty())
    if (module_of_path(take_line(paths)) == name) return true;
  return false;
}

Children children_of(std::string_view mountinfo, std::uint64_t id) {
  Children out;
  while (!mountinfo.empty()) {
    std::string_view line = take_line(mountinfo);
    take_word(line);
    if (!is_number(take_word(line), id)) continue;
    const auto is_of = [&](std::string_view type) { return line.find(type) != std::string_view::npos; };
    if (is_of(" - fuse ") || is_of(" - tmpfs caisson-mask "))
      ++out.view;
    else if (is_of(" - proc ") || is_of(" - sysfs "))
      ++out.parts;
    else
      ++out.others;
  }
  return out;
}

}  // namespace caisson::nest

#include "caisson/nest/overlay.h"

#include <algorithm>

namespace caisson::nest {
namespace {

// Not `volatile`: its mark in the work directory would refuse the next mount after a crash.
constexpr std::string_view kept_options[] = {"metacopy=on", "redirect_dir=on", "redirect_dir=follow", "userxattr"};

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> out;
  for (;;) {
    const std::size_t end = text.find(separator);
    out.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return out;
    text.remove_prefix(end + 1);
  }
}

bool is_octal(char c) { return c >= '0' && c <= '7'; }

// "a\:b" is one path in overlayfs's own text. source: ovl_next_opt(), ovl_split_lowerdirs()
std::vector<std::string> split_layers(std::string_view text) {
  std::vector<std::string> out(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size())
      out.back() += text[++i];
    else if (text[i] == ':')
      out.emplace_back();
    else
      out.back() += text[i];
  }
  return out;
}

}  // namespace

std::string unescape_octal(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escaped = text[i] == '\\' && i + 3 < text.size() && is_octal(text[i + 1]) && is_octal(text[i + 2]) &&
                         is_octal(text[i + 3]);
    if (!escaped) {
      out += text[i];
      continue;
    }
    out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
    i += 3;
  }
  return out;
}

std::optional<MountLine> parse_mount_line(std::string_view line) {
  const std::vector<std::string_view> fields = split(line, ' ');
  std::size_t dash = 6;
  while (dash < fields.size() && fields[dash] != "-") ++dash;
  if (dash + 3 >= fields.size() || fields[4].empty()) return std::nullopt;
  return MountLine{.root = unescape_octal(fields[3]),
                   .point = unescape_octal(fields[4]),
                   .type = std::string(fields[dash + 1]),
                   .source = unescape_octal(fields[dash + 2]),
                   .super_options = std::string(fields[dash + 3])};
}

std::optional<MountLine> mount_of(std::string_view mountinfo, std::string_view path) {
  std::optional<MountLine> best;
  for (const std::string_view line : split(mountinfo, '\n')) {
    std::optional<MountLine> mount = parse_mount_line(line);
    if (!mount) continue;
    const std::string& point = mount->point;
    const bool holds = point == "/" || path == point ||
                       (path.size() > point.size() && path.starts_with(point) && path[point.size()] == '/');
    if (holds && (!best || point.size() >= best->point.size())) best = std::move(mount);
  }
  return best;
}

Result<Overlay> parse_overlay(std::string_view super_options) {
  Overlay out;
  for (const std::string_view option : split(super_options, ',')) {
    const std::size_t equals = option.find('=');
    const std::string_view key = option.substr(0, equals);
    const std::string value = equals == std::string_view::npos ? "" : unescape_octal(option.substr(equals + 1));
    if (key == "lowerdir") {
      if (value.find("::") != std::string::npos)
        return Error::of(Kind::unsupported, "overlay with data-only layers cannot be the root of a nest");
      out.lower = split_layers(value);
    } else if (key == "lowerdir+") {
      out.lower.push_back(value);
    } else if (key == "datadir+") {
      return Error::of(Kind::unsupported, "overlay with data-only layers cannot be the root of a nest");
    } else if (key == "upperdir") {
      out.upper = value;
    } else if (key == "workdir") {
      out.work = value;
    } else {
      for (const std::string_view kept : kept_options)
        if (option == kept) out.options.emplace_back(kept);
    }
  }
  const bool unnamed = std::ranges::any_of(out.lower, [](const std::string& layer) { return layer.empty(); });
  if (out.lower.empty() || unnamed) return Error::of(Kind::unsupported, "overlay does not say what its layers are");
  return out;
}

}  // namespace caisson::nest

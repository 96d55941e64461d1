// What the option words of a mount mean: flags, propagation, recursive attributes, extensions, or data for the fs.
// Layer: oci (pure). Used by runtime, nest and the `features` document.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/oci/mount_options.h"

#include <linux/mount.h>

#include <algorithm>

namespace caisson::oci {
namespace {

enum class Does : unsigned char { set, clear, propagate, set_attr, clear_attr, copy_up, idmap, ridmap, inside, view };

struct Word {
  std::string_view text;
  Does does;
  std::uint64_t bits;
};

// Sorted: `features` prints it as it is. "acl" and "noacl" are missing on purpose: the kernel takes ACLs as data of the
// file system, not as MS_POSIXACL (runc issue 3738).
constexpr Word kWords[] = {
    {"async", Does::clear, MS_SYNCHRONOUS},
    {"atime", Does::clear, MS_NOATIME},
    {"bind", Does::set, MS_BIND},
    {"defaults", Does::set, 0},
    {"dev", Does::clear, MS_NODEV},
    {"diratime", Does::clear, MS_NODIRATIME},
    {"dirsync", Does::set, MS_DIRSYNC},
    {"exec", Does::clear, MS_NOEXEC},
    {"idmap", Does::idmap, 0},
    {"iversion", Does::set, MS_I_VERSION},
    {"lazytime", Does::set, MS_LAZYTIME},
    {"loud", Does::clear, MS_SILENT},
    {"mand", Does::set, MS_MANDLOCK},
    {"noatime", Does::set, MS_NOATIME},
    {"nodev", Does::set, MS_NODEV},
    {"nodiratime", Does::set, MS_NODIRATIME},
    {"noexec", Does::set, MS_NOEXEC},
    {"noiversion", Does::clear, MS_I_VERSION},
    {"nolazytime", Does::clear, MS_LAZYTIME},
    {"nomand", Does::clear, MS_MANDLOCK},
    {"norelatime", Does::clear, MS_RELATIME},
    {"nostrictatime", Does::clear, MS_STRICTATIME},
    {"nosuid", Does::set, MS_NOSUID},
    {"nosymfollow", Does::set, MS_NOSYMFOLLOW},
    {"private", Does::propagate, MS_PRIVATE},
    {"ratime", Does::clear_attr, MOUNT_ATTR_NOATIME},
    {"rbind", Does::set, MS_BIND | MS_REC},
    {"rdev", Does::clear_attr, MOUNT_ATTR_NODEV},
    {"rdiratime", Does::clear_attr, MOUNT_ATTR_NODIRATIME},
    {"relatime", Does::set, MS_RELATIME},
    {"remount", Does::set, MS_REMOUNT},
    {"rexec", Does::clear_attr, MOUNT_ATTR_NOEXEC},
    {"ridmap", Does::ridmap, 0},
    {"rnoatime", Does::set_attr, MOUNT_ATTR_NOATIME},
    {"rnodev", Does::set_attr, MOUNT_ATTR_NODEV},
    {"rnodiratime", Does::set_attr, MOUNT_ATTR_NODIRATIME},
    {"rnoexec", Does::set_attr, MOUNT_ATTR_NOEXEC},
    {"rnorelatime", Does::clear_attr, MOUNT_ATTR_RELATIME},
    {"rnostrictatime", Does::clear_attr, MOUNT_ATTR_STRICTATIME},
    {"rnosuid", Does::set_attr, MOUNT_ATTR_NOSUID},
    {"rnosymfollow", Does::set_attr, MOUNT_ATTR_NOSYMFOLLOW},
    {"ro", Does::set, MS_RDONLY},
    {"rprivate", Does::propagate, MS_PRIVATE | MS_REC},
    {"rrelatime", Does::set_attr, MOUNT_ATTR_RELATIME},
    {"rro", Does::set_attr, MOUNT_ATTR_RDONLY},
    {"rrw", Does::clear_attr, MOUNT_ATTR_RDONLY},
    {"rshared", Does::propagate, MS_SHARED | MS_REC},
    {"rslave", Does::propagate, MS_SLAVE | MS_REC},
    {"rstrictatime", Does::set_attr, MOUNT_ATTR_STRICTATIME},
    {"rsuid", Does::clear_attr, MOUNT_ATTR_NOSUID},
    {"rsymfollow", Does::clear_attr, MOUNT_ATTR_NOSYMFOLLOW},
    {"runbindable", Does::propagate, MS_UNBINDABLE | MS_REC},
    {"rw", Does::clear, MS_RDONLY},
    {"shared", Does::propagate, MS_SHARED},
    {"silent", Does::set, MS_SILENT},
    {"slave", Does::propagate, MS_SLAVE},
    {"strictatime", Does::set, MS_STRICTATIME},
    {"suid", Does::clear, MS_NOSUID},
    {"symfollow", Does::clear, MS_NOSYMFOLLOW},
    {"sync", Does::set, MS_SYNCHRONOUS},
    {"tmpcopyup", Does::copy_up, 0},
    {"unbindable", Does::propagate, MS_UNBINDABLE},
    {"x-caisson.inside", Does::inside, 0},
    {"x-caisson.view", Does::view, 0},
};

const Word* find(std::string_view text) {
  const Word* word = std::ranges::lower_bound(kWords, text, {}, &Word::text);
  return word != std::end(kWords) && word->text == text ? word : nullptr;
}

// The access time is one field of several values, not a set of bits: whoever names one replaces what was there, and
// mount_setattr(2) wants the whole field in attr_clr. RELATIME is the value 0.
bool is_access_time(std::uint64_t bits) { return (bits & MOUNT_ATTR__ATIME) == bits; }

void set_attribute(MountOptions& options, std::uint64_t bits) {
  if (is_access_time(bits)) {
    options.attr_set &= ~static_cast<std::uint64_t>(MOUNT_ATTR__ATIME);
    options.attr_clear |= MOUNT_ATTR__ATIME;
  } else {
    options.attr_clear &= ~bits;
  }
  options.attr_set |= bits;
}

void clear_attribute(MountOptions& options, std::uint64_t bits) {
  if (bits == MOUNT_ATTR_RELATIME) return;  // "not relatime" names no value to take instead
  options.attr_set &= ~bits;
  options.attr_clear |= is_access_time(bits) ? MOUNT_ATTR__ATIME : bits;
}

void take(MountOptions& options, const Word& word) {
  switch (word.does) {
    case Does::set:
      options.flags |= word.bits;
      options.cleared &= ~word.bits;
      break;
    case Does::clear:
      options.flags &= ~word.bits;
      options.cleared |= word.bits;
      break;
    case Does::propagate:
      options.propagation.push_back(word.bits);
      break;
    case Does::set_attr:
      set_attribute(options, word.bits);
      break;
    case Does::clear_attr:
      clear_attribute(options, word.bits);
      break;
    case Does::copy_up:
      options.copy_up = true;
      break;
    case Does::idmap:
      options.idmap = Idmap::flat;
      break;
    case Does::ridmap:
      options.idmap = Idmap::recursive;
      break;
    case Does::inside:
      options.inside = true;
      break;
    case Does::view:
      options.view = true;
      break;
  }
}

}  // namespace

MountOptions parse_mount_options(const std::vector<std::string>& options) {
  MountOptions parsed;
  for (const std::string& option : options) {
    if (const Word* word = find(option)) {
      take(parsed, *word);
    } else if (!option.empty()) {
      if (!parsed.data.empty()) parsed.data += ',';
      parsed.data += option;
    }
  }
  return parsed;
}

bool is_bind(const Mount& mount, const MountOptions& options) {
  return (options.flags & MS_BIND) != 0 || mount.type == "bind";
}

std::vector<std::string_view> mount_option_names() {
  std::vector<std::string_view> names;
  names.reserve(std::size(kWords));
  for (const Word& word : kWords) names.push_back(word.text);
  return names;
}

unsigned long propagation_flags(std::string_view name) {
  const Word* word = find(name);
  return word != nullptr && word->does == Does::propagate ? word->bits : 0;
}

}  // namespace caisson::oci

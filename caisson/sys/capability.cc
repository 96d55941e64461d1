#include "caisson/sys/capability.h"

#include <linux/capability.h>
#include <sys/prctl.h>

#include "caisson/sys/raw.h"

namespace caisson::sys {

Result<Capabilities> capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (const long r = raw::call(SYS_capget, &header, data); r < 0) return Error::os(static_cast<int>(-r), "capget");
  const auto joined = [](std::uint32_t low, std::uint32_t high) { return std::uint64_t{high} << 32 | low; };
  return Capabilities{.effective = joined(data[0].effective, data[1].effective),
                      .permitted = joined(data[0].permitted, data[1].permitted),
                      .inheritable = joined(data[0].inheritable, data[1].inheritable)};
}

Result<void> set_capabilities(const Capabilities& wanted) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const auto part = [&](int shift) {
    return __user_cap_data_struct{static_cast<std::uint32_t>(wanted.effective >> shift),
                                  static_cast<std::uint32_t>(wanted.permitted >> shift),
                                  static_cast<std::uint32_t>(wanted.inheritable >> shift)};
  };
  const __user_cap_data_struct data[2] = {part(0), part(32)};
  if (const long r = raw::call(SYS_capset, &header, data); r < 0) return Error::os(static_cast<int>(-r), "capset");
  return ok();
}

Result<void> drop_bounding(std::uint64_t keep) {
  for (unsigned i = 0; i < 64; ++i) {
    if ((keep >> i & 1) != 0) continue;
    const long r = raw::call(SYS_prctl, PR_CAPBSET_DROP, i, 0UL, 0UL, 0UL);
    // Past the kernel's last capability. One of those we know is asked for again: a set never stays wider by chance.
    if (r == -EINVAL && (i > CAP_LAST_CAP || raw::call(SYS_prctl, PR_CAPBSET_READ, i, 0UL, 0UL, 0UL) == -EINVAL))
      return ok();
    if (r < 0) return Error::os(static_cast<int>(-r), "drop from the bounding set");
  }
  return ok();
}

}  // namespace caisson::sys

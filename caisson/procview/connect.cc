// The connection: /dev/fuse and a mount of it that is attached nowhere.
// Layer: procview.
// SPDX-License-Identifier: Apache-2.0
#include <sys/mount.h>
#include <sys/stat.h>

#include <array>

#include "caisson/procview/procview.h"
#include "caisson/sys/file.h"
#include "caisson/sys/mount.h"

namespace caisson::procview {

Result<Connection> connect() {
  Connection out;
  out.fuse = TRY(sys::open_file("/dev/fuse", O_RDWR));
  // As text: kernels differ in whether they take the descriptor as one. The ids are those of the root's attributes
  // until the first answer; who may do what is up to the modes of the files.
  const std::array<sys::FilesystemOption, 6> options = {{
      {"fd", std::to_string(out.fuse.get())},
      {"rootmode", "40555"},
      {"user_id", "0"},
      {"group_id", "0"},
      {"allow_other", ""},
      {"default_permissions", ""},
  }};
  out.mount = TRY(sys::new_filesystem("fuse", options.data(), options.size(),
                                      MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
  return out;
}

Result<void> abort_connection(const Connection& connection) {
  // Not by a look at the root: that would ask the server. source: linux Documentation/filesystems/fuse.rst
  const sys::DeviceNumber device = TRY(sys::filesystem_device(connection.mount.get()));
  const std::string name = std::to_string(device.major << 20 | device.minor);
  return sys::write_once("/sys/fs/fuse/connections/" + name + "/abort", "1");
}

}  // namespace caisson::procview

#include "caisson/runtime/overlay_by_path.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "caisson/runtime/channel.h"
#include "caisson/sys/file.h"
#include "caisson/sys/mount.h"
#include "caisson/sys/path.h"
#include "caisson/sys/process.h"
#include "caisson/sys/raw.h"
#include "caisson/sys/unix_socket.h"

namespace caisson::runtime {
namespace {

using sys::Recursive;
using sys::UniqueFd;
namespace raw = sys::raw;

Error failure(long result, std::string_view call) { return Error::os(static_cast<int>(-result), call); }

// Overlayfs splits its own text at commas and colons. source: ovl_next_opt(), ovl_unescape()
std::string escaped(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c == '\\' || c == ',' || c == ':') out += '\\';
    out += c;
  }
  return out;
}

Result<void> attach(int scratch, const std::string& name, int layer) {
  UniqueFd place = TRY(sys::make_directories_in_root(scratch, name, 0700));
  return sys::attach_mount(layer, place.get());
}

// mount(2) goes through the mount point as working directory: the layers are beside it.
Result<UniqueFd> mount_overlay(int scratch, const OverlayLayers& layers) {
  std::string data = "lowerdir=";
  for (std::size_t i = 0; i < layers.lower.size(); ++i) {
    const std::string name = std::to_string(i);
    TRY(attach(scratch, name, layers.lower[i].get()));
    data += (i == 0 ? "../" : ":../") + name;
  }
  if (layers.above) {
    TRY(attach(scratch, "u", layers.above.get()));
    data += ",upperdir=../u/" + escaped(layers.upper) + ",workdir=../u/" + escaped(layers.work);
  }
  for (const std::string& option : layers.options) data += "," + option;
  if (data.size() >= static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)))
    return Error::os(E2BIG, "overlay of " + std::to_string(layers.lower.size()) + " layers");
  UniqueFd point = TRY(sys::make_directories_in_root(scratch, "m", 0700));
  TRY(sys::mount_filesystem(point.get(), "overlay", "overlay", 0, data));
  const UniqueFd mounted = TRY(sys::open_in_root(scratch, "m", O_PATH | O_DIRECTORY));
  return sys::open_tree_clone(mounted.get(), "", Recursive::no);
}

Result<UniqueFd> in_own_namespace(const std::string& scratch, const OverlayLayers& layers) {
  raw::call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0UL, 0UL, 0UL);
  if (const long r = raw::call(SYS_unshare, CLONE_NEWNS); r < 0) return failure(r, "unshare the mount namespace");
  TRY(sys::set_propagation("/", MS_REC | MS_PRIVATE));
  const UniqueFd place = TRY(sys::open_file(scratch, O_PATH | O_DIRECTORY));
  TRY(sys::mount_filesystem(place.get(), "tmpfs", "tmpfs", 0, "mode=700"));
  const UniqueFd top = TRY(sys::open_file(scratch, O_PATH | O_DIRECTORY));
  return mount_overlay(top.get(), layers);
}

}  // namespace

Result<UniqueFd> overlay_by_path(const std::string& scratch, const OverlayLayers& layers) {
  auto [parent_end, child_end] = TRY(Channel::make());
  const pid_t pid = TRY(sys::clone_process(0));
  if (pid == 0) {
    parent_end.close();
    auto made = in_own_namespace(scratch, layers);
    if (!made) child_end.fail(made.error());
    std::vector<UniqueFd> answer;
    answer.push_back(std::move(*made));
    if (auto sent = child_end.go(answer); !sent) child_end.fail(sent.error());
    ::_exit(0);
  }
  sys::Process child(pid);
  child_end.close();
  sys::Message answer = TRY(sys::receive_message(parent_end.fd(), 8192));
  TRY(child.wait());
  if (answer.descriptors.size() == 1) return std::move(answer.descriptors.front());
  if (answer.text.empty()) return Error::of(Kind::os, "the process that mounts the overlay died");
  return error_of(answer.text.substr(1));
}

}  // namespace caisson::runtime

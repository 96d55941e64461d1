#include "caisson/procview/triggers.h"

#include <fcntl.h>

#include "caisson/procview/words.h"
#include "caisson/sys/file.h"

namespace caisson::procview {

namespace {

std::string name_of(std::uint64_t handle) { return "psi-" + std::to_string(handle); }

Result<sys::UniqueFd> open_trigger(const std::string& file, std::string_view text) {
  sys::UniqueFd fd = TRY(sys::open_file(file, O_RDWR | O_NONBLOCK));
  // With the NUL that the kernel's parser wants room for.
  const std::string whole = std::string(text) + '\0';
  TRY(sys::write_all(fd.get(), whole));
  return fd;
}

}  // namespace

void Triggers::save(std::uint64_t handle, const Watched& watched) const {
  (void)store_.write(name_of(handle), std::to_string(watched.kernel_handle) + " " + watched.file + "\n" + watched.text);
}

bool Triggers::load(std::uint64_t handle) {
  const std::optional<std::string> saved = store_.read(name_of(handle));
  if (!saved) return false;
  const std::size_t space = saved->find(' ');
  const std::size_t end = saved->find('\n');
  if (space == std::string::npos || end == std::string::npos || end < space) return false;
  Watched watched;
  watched.kernel_handle = number_of(std::string_view(*saved).substr(0, space)).value_or(0);
  watched.file = saved->substr(space + 1, end - space - 1);
  watched.text = saved->substr(end + 1);
  Result<sys::UniqueFd> fd = open_trigger(watched.file, watched.text);
  if (!fd) return false;
  watched.fd = *std::move(fd);
  watched_[handle] = std::move(watched);
  return true;
}

void Triggers::resume() {
  const auto entries = sys::list_directory_at(store_.directory(), ".");
  if (!entries) return;
  for (const sys::DirectoryEntry& entry : *entries)
    if (entry.name.starts_with("psi-"))
      if (const auto handle = number_of(std::string_view(entry.name).substr(4))) (void)load(*handle);
}

Result<void> Triggers::add(std::uint64_t handle, const std::string& file, std::string_view text) {
  const auto found = watched_.find(handle);
  if (found != watched_.end() && (found->second.file != file || found->second.text != text))
    return Error::os(EBUSY, "write");
  if (found != watched_.end()) return ok();  // the same, sent again
  Watched watched;
  watched.fd = TRY(open_trigger(file, text));
  watched.file = file;
  watched.text = text;
  save(handle, watched);
  watched_[handle] = std::move(watched);
  return ok();
}

void Triggers::remove(std::uint64_t handle) {
  watched_.erase(handle);
  store_.remove(name_of(handle));
  store_.remove(name_of(handle) + ".fired");
}

Triggers::Answer Triggers::ask(std::uint64_t handle, std::uint64_t kernel_handle) {
  // Another server may have taken the write.
  if (!watched_.contains(handle) && !load(handle)) return {};
  const auto found = watched_.find(handle);
  if (found->second.kernel_handle != kernel_handle) {
    found->second.kernel_handle = kernel_handle;
    save(handle, found->second);
  }
  Answer out{true, false};
  pollfd now{found->second.fd.get(), POLLPRI, 0};
  if (::poll(&now, 1, 0) > 0 && (now.revents & POLLPRI) != 0) out.fired = true;
  const std::string flag = name_of(handle) + ".fired";
  if (store_.read(flag)) {
    out.fired = true;
    store_.remove(flag);
  }
  return out;
}

void Triggers::append_to(std::vector<pollfd>& out) const {
  for (const auto& [handle, watched] : watched_) out.push_back({watched.fd.get(), POLLPRI, 0});
}

std::vector<std::uint64_t> Triggers::fired(const std::vector<pollfd>& polled) {
  std::vector<std::uint64_t> out;
  for (auto at = watched_.begin(); at != watched_.end();) {
    bool gone = false;
    for (const pollfd& one : polled) {
      if (one.fd != at->second.fd.get() || one.revents == 0) continue;
      // The flag first: whoever is woken asks at once.
      (void)store_.write(name_of(at->first) + ".fired", "1");
      if (at->second.kernel_handle != 0) out.push_back(at->second.kernel_handle);
      gone = (one.revents & (POLLERR | POLLNVAL)) != 0;  // the cgroup is gone: it would fire for ever
    }
    at = gone ? watched_.erase(at) : std::next(at);
  }
  return out;
}

}  // namespace caisson::procview

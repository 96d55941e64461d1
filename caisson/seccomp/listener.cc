#include "caisson/seccomp/listener.h"

#include "caisson/sys/unix_socket.h"

namespace caisson::seccomp {
namespace {

std::string quoted(std::string_view text) {
  static constexpr char hex[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      out += {'\\', c};
    else if (byte < 0x20)
      out += {'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15]};
    else
      out += c;
  }
  return out + "\"";
}

}  // namespace

std::string listener_message(std::string_view version, pid_t pid, std::string_view metadata, std::string_view state) {
  std::string out = R"({"ociVersion":)" + quoted(version) + R"(,"fds":["seccompFd"],"pid":)" + std::to_string(pid);
  if (!metadata.empty()) out += R"(,"metadata":)" + quoted(metadata);
  return out.append(R"(,"state":)").append(state).append("}");
}

Result<void> send_listener(const std::string& path, int listener, std::string_view message) {
  const sys::UniqueFd agent = TRY(sys::connect_unix(path).during("failed to connect with seccomp agent"));
  return sys::send_with_descriptors(agent.get(), message, &listener, 1).during("seccomp listener");
}

}  // namespace caisson::seccomp

// The conversation between the runtime and the container's first process while that is being made.
// Layer: runtime. Used by spawn, container_init, create and exec.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "caisson/base/result.h"
#include "caisson/sys/unique_fd.h"

namespace caisson::runtime {

// What the child says; the parent answers each but `pid`, `failed` and `going` with go().
enum class Said : char {
  pid = 'p',       // text: the pid of the process that goes on in this one's place
  unmapped = 'u',  // in its user namespace, wants the id maps
  mounted = 'm',   // the root is built: time for createRuntime hooks
  listener = 's',  // text: number of the seccomp notify descriptor in the child
  ready = 'r',     // all is done but the last step; still dies with its parent
  going = 'g',     // on its own from here
  failed = 'e',    // text: errno in decimal, a blank, what failed
  ended = '\0',    // the other end is closed: it runs, or it died
};

struct Saying {
  Said said = Said::ended;
  std::string text;
};

class Channel {
 public:
  static Result<std::pair<Channel, Channel>> make();
  explicit Channel(sys::UniqueFd fd) : fd_(std::move(fd)) {}

  int fd() const { return fd_.get(); }
  void close() { fd_.reset(); }

  // The parent's side.
  Result<Saying> listen() const;
  // Waits for exactly this. errors: what the child said failed, or that it died
  Result<std::string> expect(Said said) const;
  // From a child that has forked another one, which holds the child's end too: then its death closes nothing.
  Result<std::string> expect_from(pid_t child, Said said) const;
  Result<void> go() const { return go({}); }
  Result<void> go(const std::vector<sys::UniqueFd>& descriptors) const;

  // The child's side: without a parent there is nobody to tell, and the child ends.
  void say(Said said, std::string_view text = {}) const;
  std::vector<sys::UniqueFd> await() const;
  [[noreturn]] void fail(const Error& error) const;

 private:
  sys::UniqueFd fd_;
};

// The error that the child sent. Keeps the errno, so that callers can still ask for it.
Error error_of(const std::string& text);

}  // namespace caisson::runtime

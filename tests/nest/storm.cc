// storm SEED COUNT [--verbose] [--trapped]: makes COUNT attempts, each in a process of its own, and says which were
// allowed that must not be. Layer: test program, linked with nothing. Users: tests/nest/storm_test.py, which runs it as
// root of a nest. SPDX-License-Identifier: Apache-2.0
//
// Prints "escape WHAT" for each that must fail and did not, and last "attempts N allowed M".
#include "storm.h"

#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace storm {

std::uint64_t Random::next() {
  state_ ^= state_ >> 12;
  state_ ^= state_ << 25;
  state_ ^= state_ >> 27;
  return state_ * 2685821657736338717U;
}

namespace {

constexpr unsigned longest_attempt = 10;  // seconds

enum Verdict { refused = 0, allowed = 1, escaped = 2 };

// Most attempts get a mount namespace of their own, so that the storm still has its files when one has torn them down.
[[noreturn]] void make_one(Random& random, const World& world, const Family& family, bool verbose) {
  ::alarm(longest_attempt);
  if (!random.one_in(8) && ::unshare(CLONE_NEWNS) < 0) ::_exit(refused);
  if (random.one_in(10)) ::unshare(CLONE_NEWUSER);
  const Outcome outcome = family.attempt(random, world);
  const bool escape = family.must_fail && outcome.result >= 0;
  if (escape || verbose)
    std::fprintf(stdout, "%s %s: %s\n",
                 escape                ? "escape"
                 : outcome.result >= 0 ? "allowed"
                                       : "refused",
                 family.name, outcome.what.c_str());
  std::fflush(stdout);
  ::_exit(escape ? escaped : outcome.result >= 0 ? allowed : refused);
}

struct Options {
  bool verbose = false;
  bool only_trapped = false;
};

int run(std::uint64_t seed, int count, const Options& options) {
  const World world = look_around();
  std::vector<Family> families;
  if (options.only_trapped)
    families.assign(trapped_families().begin(), trapped_families().end());
  else
    for (const auto& some : {mount_families(), file_families(), call_families()})
      families.insert(families.end(), some.begin(), some.end());
  ::mkdir("/tmp/storm", 0755);
  int verdicts[3] = {};
  for (int i = 0; i < count; ++i) {
    Random random(seed * 1000003 + static_cast<std::uint64_t>(i));
    for (int warm = 0; warm < 4; ++warm) random.next();
    const Family& family = families[static_cast<std::size_t>(i) % families.size()];
    const pid_t child = ::fork();
    if (child == 0) make_one(random, world, family, options.verbose);
    int status = 0;
    // As pid 1 of the nest, orphans of an attempt arrive here too.
    while (::waitpid(-1, &status, 0) != child) continue;
    ++verdicts[WIFEXITED(status) && WEXITSTATUS(status) <= 2 ? WEXITSTATUS(status) : 0];
  }
  std::printf("seen %zu sysctls %zu proc %zu sys %zu cgroup files\n", world.sysctls.size(), world.proc_files.size(),
              world.sys_files.size(), world.cgroup_files.size());
  std::printf("attempts %d allowed %d\n", count, verdicts[allowed] + verdicts[escaped]);
  return verdicts[escaped] == 0 ? 0 : 1;
}

}  // namespace
}  // namespace storm

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: storm SEED COUNT [--verbose] [--trapped]\n");
    return 2;
  }
  storm::Options options;
  for (int i = 3; i < argc; ++i) {
    options.verbose |= std::string_view(argv[i]) == "--verbose";
    options.only_trapped |= std::string_view(argv[i]) == "--trapped";
  }
  return storm::run(std::strtoull(argv[1], nullptr, 10), std::atoi(argv[2]), options);
}

#include "caisson/nest/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace caisson::nest {
namespace {

using ::testing::ElementsAre;

CommandLine read(std::vector<std::string> words) { return read_command_line(words); }

TEST(NestCommandLine, ContainerdsCreateIsRead) {
  const CommandLine line = read({"--root", "/r", "--log", "/l", "--log-format", "json", "create", "--bundle", "/b",
                                 "--pid-file", "/b/pid", "id1"});
  EXPECT_EQ(line.root, "/r");
  EXPECT_EQ(line.log, "/l");
  EXPECT_EQ(line.log_format, "json");
  EXPECT_EQ(line.command, "create");
  EXPECT_EQ(line.bundle, "/b");
  EXPECT_EQ(line.id, "id1");
}

TEST(NestCommandLine, ItsOwnFlagsAreReadAndNotPassedOn) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"--grants", "+kvm", "--root", "/r", "--profile=hardened", "run", "--bundle", "/b",
                                 "id"},
        {"--root", "/r", "run", "--grants=+kvm", "--bundle", "/b", "id", "--profile", "hardened"}}) {
    const CommandLine line = read(words);
    EXPECT_EQ(line.terms.grants, "+kvm");
    EXPECT_EQ(line.terms.profile, "hardened");
    EXPECT_THAT(line.global, ElementsAre("--root", "/r"));
    EXPECT_THAT(line.rest, ElementsAre("--bundle", "/b", "id"));
    EXPECT_EQ(line.id, "id");
  }
  EXPECT_THAT(read({"exec", "id", "tool", "--grants", "x"}).rest, ElementsAre("id", "tool", "--grants", "x"));
  EXPECT_THAT(read({"run", "id", "--grants"}).rest, ElementsAre("id", "--grants"));  // the runtime says what is wrong
}

TEST(NestCommandLine, FlagsTakeOneDashAnEqualsSignAndMayFollowTheId) {
  const CommandLine line = read({"-root=/r", "-debug", "run", "id", "-b", "/x", "--detach", "--bundle=/y"});
  EXPECT_EQ(line.root, "/r");
  EXPECT_TRUE(line.debug);
  EXPECT_EQ(line.bundle, "/y");
  EXPECT_EQ(line.id, "id");
}

TEST(NestCommandLine, TheBundleIsReplacedAndTheRestStays) {
  const CommandLine line = read({"run", "-b", "/x", "--pid-file", "-b", "--detach", "--bundle=/y", "id"});
  EXPECT_THAT(with_flag(line, "bundle", "/new"), ElementsAre("--bundle", "/new", "--pid-file", "-b", "--detach", "id"));
}

TEST(NestCommandLine, WordsOfAnInnerProgramAreNotOurs) {
  const CommandLine line = read({"exec", "-t", "--process", "/p", "id", "sh", "--process", "/q"});
  EXPECT_EQ(line.process, "/p");
  EXPECT_EQ(line.id, "id");
  EXPECT_THAT(with_flag(line, "process", "/n"), ElementsAre("--process", "/n", "-t", "id", "sh", "--process", "/q"));
}

TEST(NestCommandLine, NothingIsNeeded) {
  EXPECT_TRUE(read({}).command.empty());
  EXPECT_TRUE(read({"--version"}).command.empty());
  EXPECT_TRUE(read({"create", "--bundle"}).id.empty());
  EXPECT_EQ(read({"create", "--", "id"}).id, "id");
}

}  // namespace
}  // namespace caisson::nest

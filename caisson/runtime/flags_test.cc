#include "caisson/runtime/flags.h"

#include <gtest/gtest.h>

#include <set>

#include "caisson/runtime/command_table.h"

namespace caisson::runtime {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Line = std::vector<std::string>;

const Command& command(std::string_view name) { return *find_command(commands(), name); }

Arguments parsed(std::string_view name, const Line& line) {
  Arguments out;
  const auto result = parse_command(command(name), line, out);
  EXPECT_TRUE(result) << result.error().message();
  return out;
}

std::string refused(std::string_view name, const Line& line) {
  Arguments out;
  const auto result = parse_command(command(name), line, out);
  return result ? "no error" : result.error().message();
}

TEST(Flags, OneDashOrTwoWithOrWithoutEquals) {
  for (const Line& line : {Line{"--bundle", "/b", "id"}, Line{"--bundle=/b", "id"}, Line{"-bundle", "/b", "id"},
                           Line{"-bundle=/b", "id"}, Line{"-b", "/b", "id"}, Line{"--b=/b", "id"}}) {
    const Arguments arguments = parsed("create", line);
    EXPECT_EQ(arguments.text("bundle"), "/b");
    EXPECT_EQ(arguments.id(), "id");
  }
  EXPECT_TRUE(parsed("run", {"-no-subreaper", "id"}).on("no-subreaper"));
}

TEST(Flags, ASwitchTakesItsValueOnlyAfterEquals) {
  EXPECT_TRUE(parsed("delete", {"-f", "true"}).on("force"));
  EXPECT_EQ(parsed("delete", {"-f", "true"}).id(), "true");
  EXPECT_FALSE(parsed("delete", {"--force=false", "a"}).on("force"));
  EXPECT_EQ(refused("delete", {"--force=yes", "a"}), "invalid boolean value \"yes\" for -force: parse error");
  EXPECT_EQ(refused("delete", {"--force=", "a"}), "invalid boolean value \"\" for -force: parse error");
}

TEST(Flags, AnUnknownFlagIsNamedAsGoNamesIt) {
  EXPECT_EQ(refused("create", {"--foo", "a"}), "flag provided but not defined: -foo");
  EXPECT_EQ(refused("create", {"-x=1", "a"}), "flag provided but not defined: -x");
  EXPECT_EQ(refused("create", {"---bundle", "a"}), "bad flag syntax: ---bundle");
  EXPECT_EQ(refused("create", {"--=a", "a"}), "bad flag syntax: --=a");
  EXPECT_EQ(refused("create", {"a", "--bundle"}), "flag needs an argument: -bundle");
}

TEST(Flags, ValuesMayLookLikeFlagsAndBeEmpty) {
  EXPECT_EQ(parsed("update", {"--memory", "-1", "a"}).text("memory"), "-1");
  EXPECT_EQ(parsed("update", {"--resources=-", "a"}).text("resources"), "-");
  EXPECT_EQ(parsed("update", {"-r", "-", "a"}).text("resources"), "-");
  EXPECT_TRUE(parsed("update", {"--cpuset-cpus=", "a"}).given("cpuset-cpus"));
}

TEST(Flags, NumbersAndDurationsAreCheckedWhenRead) {
  EXPECT_EQ(parsed("create", {"--preserve-fds", "3", "a"}).number("preserve-fds"), 3);
  EXPECT_EQ(parsed("create", {"a"}).number("preserve-fds"), 0);
  EXPECT_EQ(refused("create", {"--preserve-fds", "x", "a"}), "invalid value \"x\" for flag -preserve-fds: parse error");
  EXPECT_EQ(parsed("events", {"a"}).duration("interval"), seconds(5));
  EXPECT_EQ(refused("events", {"--interval", "5", "a"}), "invalid value \"5\" for flag -interval: parse error");
}

TEST(Flags, FlagsMayFollowTheIdExceptWhereTheRestIsSomebodyElses) {
  EXPECT_TRUE(parsed("delete", {"a", "--force"}).on("force"));
  EXPECT_TRUE(parsed("kill", {"a", "--all", "KILL"}).on("all"));
  EXPECT_EQ(parsed("kill", {"a", "--all", "KILL"}).rest(), (Line{"a", "KILL"}));
  EXPECT_EQ(parsed("exec", {"-t", "a", "ls", "-t", "--help"}).rest(), (Line{"a", "ls", "-t", "--help"}));
  EXPECT_EQ(parsed("ps", {"a", "-ef"}).rest(), (Line{"a", "-ef"}));
}

TEST(Flags, TwoDashesEndTheFlags) {
  EXPECT_EQ(parsed("delete", {"--", "-a"}).id(), "-a");
  EXPECT_EQ(parsed("exec", {"--", "a", "--", "-x"}).rest(), (Line{"a", "--", "-x"}));
  EXPECT_EQ(parsed("state", {"-"}).id(), "-");
}

TEST(Flags, TheLastValueWinsAndListsKeepAll) {
  EXPECT_EQ(parsed("create", {"-b", "1", "-b", "2", "a"}).text("bundle"), "2");
  EXPECT_EQ(parsed("exec", {"-e", "A=1", "--env", "B=2", "a"}).texts("env"), (Line{"A=1", "B=2"}));
}

TEST(Flags, TheNumberOfArgumentsIsChecked) {
  EXPECT_EQ(refused("create", {}), "caisson-runtime: \"create\" requires exactly 1 argument(s)");
  EXPECT_EQ(refused("create", {"a", "b"}), "caisson-runtime: \"create\" requires exactly 1 argument(s)");
  EXPECT_EQ(refused("kill", {}), "caisson-runtime: \"kill\" requires a minimum of 1 argument(s)");
  EXPECT_EQ(refused("kill", {"a", "9", "9"}), "caisson-runtime: \"kill\" requires a maximum of 2 argument(s)");
  EXPECT_EQ(refused("list", {"a"}), "caisson-runtime: \"list\" requires exactly 0 argument(s)");
}

TEST(Flags, HelpNeedsNoArgument) {
  for (const char* flag : {"--help", "-help", "-h"}) EXPECT_TRUE(parsed("create", {flag}).on("help"));
}

TEST(Flags, RestoreIsReadAsContainerdWritesIt) {
  const Arguments read = parsed("restore", {"--image-path", "/i", "--detach", "-no-subreaper", "--bundle", "/b", "a"});
  EXPECT_EQ(read.text("image-path"), "/i");
  EXPECT_TRUE(read.on("no-subreaper"));
  EXPECT_EQ(read.rest(), Line{"a"});
}

TEST(Flags, GlobalFlagsEndAtTheCommandAndSurviveALaterError) {
  Arguments out;
  EXPECT_TRUE(parse_global(global_flags(), Line{"--root", "/r", "--debug", "delete", "--force", "a"}, out));
  EXPECT_EQ(out.text("root"), "/r");
  EXPECT_EQ(out.rest(), (Line{"delete", "--force", "a"}));
  Arguments partial;
  EXPECT_FALSE(parse_global(global_flags(), Line{"--log", "/l", "--foo", "list"}, partial));
  EXPECT_EQ(partial.text("log"), "/l");
}

TEST(Flags, NoTwoFlagsOfACommandShareAName) {
  for (const Command& each : commands()) {
    std::set<std::string_view> names = {"help", "h"};
    for (const Flag& flag : each.flags) {
      EXPECT_TRUE(names.insert(flag.name).second) << each.name << " " << flag.name;
      EXPECT_TRUE(flag.alias.empty() || names.insert(flag.alias).second) << each.name << " " << flag.alias;
    }
  }
}

TEST(Flags, HelpListsEveryFlagOfTheTable) {
  for (const Command& each : commands()) {
    const std::string help = command_help(each);
    for (const Flag& flag : each.flags) EXPECT_NE(help.find("--" + std::string(flag.name)), help.npos);
    EXPECT_NE(global_help(global_flags(), commands()).find("   " + std::string(each.name)), std::string::npos);
  }
}

TEST(Flags, DurationsAreGos) {
  EXPECT_EQ(parse_duration("300ms"), milliseconds(300));
  EXPECT_EQ(parse_duration("1m30s"), seconds(90));
  EXPECT_EQ(parse_duration("1.5h"), seconds(5400));
  EXPECT_EQ(parse_duration("-2s"), seconds(-2));
  EXPECT_EQ(parse_duration("0"), seconds(0));
  for (const char* text : {"", "-", "5", "s", "5x", "1..5s", "5s5", "99999999999h"})
    EXPECT_FALSE(parse_duration(text)) << text;
}

TEST(Flags, BytesAreDockers) {
  EXPECT_EQ(parse_bytes("64M"), 64 << 20);
  EXPECT_EQ(parse_bytes("1.5g"), 1610612736);
  EXPECT_EQ(parse_bytes("2 KiB"), 2048);
  EXPECT_EQ(parse_bytes("10mb"), 10 << 20);
  EXPECT_EQ(parse_bytes("7b"), 7);
  EXPECT_EQ(parse_bytes("9223372036854771712"), 9223372036854771712);
  EXPECT_EQ(parse_bytes("-1"), -1);
  for (const char* text : {"", "-2", "-1k", "M", "64X", "64MM", "1e3", "99999999999999999999"})
    EXPECT_FALSE(parse_bytes(text)) << text;
}

}  // namespace
}  // namespace caisson::runtime

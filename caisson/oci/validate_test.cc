#include "caisson/oci/validate.h"

#include <gtest/gtest.h>

#include "caisson/oci/guest_path.h"
#include "caisson/oci/number_list.h"

namespace caisson::oci {
namespace {

Spec good() {
  Spec spec;
  spec.version = "1.3.0";
  spec.root.path = "rootfs";
  spec.process.emplace();
  spec.process->cwd = "/";
  spec.process->args = {"sh"};
  spec.mounts = {{.destination = "/proc", .type = "proc", .source = "proc"}};
  for (NamespaceType type :
       {NamespaceType::mount, NamespaceType::pid, NamespaceType::network, NamespaceType::uts, NamespaceType::ipc}) {
    spec.linux.namespaces.push_back({type});
  }
  return spec;
}

void drop(Spec& spec, NamespaceType type) {
  std::erase_if(spec.linux.namespaces, [type](const Namespace& ns) { return ns.type == type; });
}

std::string text(const Result<void>& result) {
  if (result) return "";
  EXPECT_EQ(result.error().kind(), Kind::invalid);
  return result.error().message();
}

TEST(Validate, APlainContainerIsGood) { EXPECT_EQ(text(validate(good())), ""); }

TEST(Validate, IdsAreRuncs) {
  for (const char* id : {"a", "A-b_c.d+e", "0", "...", "a..b"}) EXPECT_TRUE(validate_id(id)) << id;
  for (const char* id : {"", ".", "..", "a/b", "../a", "a b", "a\n", "a:b", "\xc3\xa4"}) {
    EXPECT_EQ(text(validate_id(id)), "invalid container ID format") << id;
  }
  EXPECT_TRUE(validate_id(std::string(1024, 'a')));
  EXPECT_FALSE(validate_id(std::string(1025, 'a')));
}

TEST(Validate, TheProcessSaysWhatRunsAndWhere) {
  Spec spec = good();
  spec.process->cwd = "tmp";
  EXPECT_EQ(text(validate(spec)), "Cwd must be an absolute path");
  spec.process->cwd = "";
  EXPECT_EQ(text(validate(spec)), "Cwd property must not be empty");
  spec.process->cwd = "/";
  spec.process->args.clear();
  EXPECT_EQ(text(validate(spec)), "args must not be empty");
  spec.process.reset();
  EXPECT_EQ(text(validate(spec)), "process property must not be empty");
}

TEST(Validate, RlimitsAreKnownUniqueAndOrdered) {
  Process process = *good().process;
  process.rlimits = {{"RLIMIT_NOFILE", 10, 20}, {"RLIMIT_CORE", 0, 0}};
  EXPECT_TRUE(validate_process(process));
  process.rlimits[1].type = "RLIMIT_TEST";
  EXPECT_EQ(text(validate_process(process)), "wrong rlimit value: RLIMIT_TEST");
  process.rlimits[1] = {"RLIMIT_NOFILE", 1, 1};
  EXPECT_EQ(text(validate_process(process)), "rlimit RLIMIT_NOFILE is given twice");
  process.rlimits = {{"RLIMIT_NOFILE", 2, 1}};
  EXPECT_FALSE(validate_process(process));
}

TEST(Validate, SchedulersTakeOnlyWhatTheirPolicyHas) {
  Process process = *good().process;
  process.scheduler = {.policy = "SCHED_BATCH", .nice = 19};
  EXPECT_TRUE(validate_process(process));
  process.scheduler = {.policy = "SCHED_BATCH", .nice = 20};
  EXPECT_EQ(text(validate_process(process)), "invalid scheduler.nice: 20");
  process.scheduler = {.policy = "SCHED_OTHER", .priority = 1};
  EXPECT_EQ(text(validate_process(process)),
            "scheduler.priority can only be specified for SchedFIFO or SchedRR policy");
  process.scheduler = {.policy = "SCHED_FIFO", .runtime = 1};
  EXPECT_EQ(text(validate_process(process)),
            "scheduler runtime/deadline/period can only be specified for SchedDeadline policy");
  process.scheduler = {.policy = "SCHED_NONE"};
  EXPECT_FALSE(validate_process(process));
  process.scheduler.reset();
  process.io_priority = {"IOPRIO_CLASS_BE", 8};
  EXPECT_EQ(text(validate_process(process)), "invalid ioPriority.Priority: 8");
  process.io_priority = {"IOPRIO_CLASS_XX", 1};
  EXPECT_EQ(text(validate_process(process)), "invalid ioPriority.Class: \"IOPRIO_CLASS_XX\"");
}

TEST(Validate, NamesNeedAUtsNamespace) {
  Spec spec = good();
  spec.hostname = "h";
  spec.domainname = "d";
  EXPECT_EQ(text(validate(spec)), "");
  drop(spec, NamespaceType::uts);
  EXPECT_EQ(text(validate(spec)), "unable to set hostname without a private UTS namespace");
  spec.hostname = "";
  EXPECT_EQ(text(validate(spec)), "unable to set domainname without a private UTS namespace");
}

TEST(Validate, MasksNeedAMountNamespaceAndAbsolutePaths) {
  Spec spec = good();
  spec.linux.masked_paths = {"/proc/kcore"};
  EXPECT_EQ(text(validate(spec)), "");
  drop(spec, NamespaceType::mount);
  EXPECT_EQ(text(validate(spec)), "unable to restrict sys entries without a private MNT namespace");
  spec = good();
  spec.linux.readonly_paths = {"proc"};
  EXPECT_EQ(text(validate(spec)), "readonlyPaths: \"proc\" must be an absolute path");
}

TEST(Validate, IdMapsNeedAUserNamespaceAndBothSides) {
  Spec spec = good();
  spec.linux.uid_mappings = {{0, 100000, 65536}};
  EXPECT_EQ(text(validate(spec)), "user namespace mappings specified, but user namespace isn't enabled in the config");
  spec.linux.namespaces.push_back({NamespaceType::user});
  EXPECT_EQ(text(validate(spec)), "user namespaces enabled, but no gid mappings found");
  spec.linux.gid_mappings = {{0, 100000, 65536}};
  EXPECT_EQ(text(validate(spec)), "");
  spec.linux.uid_mappings.clear();
  spec.linux.gid_mappings.clear();
  EXPECT_EQ(text(validate(spec)),
            "user namespaces enabled, but no namespace path to join nor mappings to apply specified");
  spec.linux.namespaces.back().path = "/proc/1/ns/user";
  EXPECT_EQ(text(validate(spec)), "");
}

TEST(Validate, IdMapsDoNotOverlapWrapOrEnd) {
  EXPECT_TRUE(validate_id_mappings({{0, 1000, 1}, {1, 100000, 65535}}));
  EXPECT_TRUE(validate_id_mappings({{0, 0, 4294967295}}));
  EXPECT_FALSE(validate_id_mappings({{0, 1000, 0}}));
  EXPECT_FALSE(validate_id_mappings({{0, 0, 10}, {9, 100, 10}}));
  EXPECT_FALSE(validate_id_mappings({{0, 0, 10}, {10, 9, 10}}));
  EXPECT_FALSE(validate_id_mappings({{1, 0, 4294967295}}));
  EXPECT_FALSE(validate_id_mappings({{4294967295, 0, 1}}));
  std::vector<IdMapping> many;
  for (std::uint32_t i = 0; i < 340; ++i) many.push_back({i, i, 1});
  EXPECT_TRUE(validate_id_mappings(many));
  many.push_back({340, 340, 1});
  EXPECT_FALSE(validate_id_mappings(many));
}

std::string sysctl(const std::string& name, Spec spec = good()) {
  spec.linux.sysctl = {{name, "1"}};
  return text(validate(spec));
}

TEST(Sysctl, OnlyNamesOfAPrivateNamespaceAreAllowed) {
  for (const char* name :
       {"net.ipv4.ip_forward", "net/ipv4/ip_forward", "net.ipv4.conf.eth0/1.forwarding", "kernel.sem",
        "kernel.shm_rmid_forced", "kernel.msgmax", "fs.mqueue.msg_max", "kernel.domainname"}) {
    EXPECT_EQ(sysctl(name), "") << name;
  }
  for (const char* name : {"kernel.core_pattern", "kernel/core_pattern", "vm.overcommit_memory", "fs.file-max",
                           "kernel.msgmaxx", "kernel.shm", "user.max_user_namespaces", "net", "netx.a"}) {
    EXPECT_EQ(sysctl(name), "sysctl \"" + std::string(name) + "\" is not in a separate kernel namespace") << name;
  }
  EXPECT_EQ(sysctl("kernel.hostname"),
            "sysctl \"kernel.hostname\" is not allowed as it conflicts with the OCI \"hostname\" field");
  Spec shared = good();
  drop(shared, NamespaceType::network);
  drop(shared, NamespaceType::ipc);
  drop(shared, NamespaceType::uts);
  EXPECT_EQ(sysctl("net.core.somaxconn", shared),
            "sysctl \"net.core.somaxconn\" not allowed in host network namespace");
  EXPECT_EQ(sysctl("kernel.sem", shared), "sysctl \"kernel.sem\" is not allowed in the hosts ipc namespace");
  EXPECT_EQ(sysctl("fs/mqueue/msg_max", shared),
            "sysctl \"fs/mqueue/msg_max\" is not allowed in the hosts ipc namespace");
  EXPECT_EQ(sysctl("kernel.domainname", shared), "sysctl \"kernel.domainname\" is not in a separate kernel namespace");
}

TEST(Sysctl, NothingIsSmuggledPastTheList) {  // CVE-2022-0811
  for (const char* name :
       {"net.ipv4/../../kernel/core_pattern", "net/../kernel/core_pattern", "net.//.//.kernel.core_pattern",
        "net...kernel", "net.ipv4.a+b", "net.ipv4.a\nkernel.core_pattern", "net.ipv4.a b", "net.ipv4.a=1", "/net/a",
        ".net.a", "net.", "net/", "", "net.a..b", "net.ipv4.*", "net.$x"}) {
    EXPECT_NE(sysctl(name), "") << name;
    EXPECT_EQ(sysctl(name).find('\n'), std::string::npos) << name;
  }
}

TEST(Sysctl, TheFirstSeparatorDecidesWhatTheOtherMeans) {
  EXPECT_EQ(*sysctl_path("net.ipv4.ip_forward"), "net/ipv4/ip_forward");
  EXPECT_EQ(*sysctl_path("net/ipv4/conf/eno2.100/rp_filter"), "net/ipv4/conf/eno2.100/rp_filter");
  EXPECT_EQ(*sysctl_path("net.ipv4.conf.eno2/100.rp_filter"), "net/ipv4/conf/eno2.100/rp_filter");
  EXPECT_FALSE(sysctl_path("net.ipv4.//.x"));
  EXPECT_FALSE(sysctl_path("."));
}

std::string mount(const Mount& mount) {
  Spec spec = good();
  spec.mounts.push_back(mount);
  return text(validate(spec));
}

TEST(ValidateMounts, ProcTakesOnlyAProc) {  // CVE-2019-16884, CVE-2025-52881
  EXPECT_EQ(mount({.destination = "/proc", .type = "bind", .source = "/proc", .options = {"rbind"}}), "");
  for (const char* where : {"/proc", "/proc/", "//proc/.", "proc", "/a/../proc", "../proc"}) {
    EXPECT_NE(mount({.destination = where, .type = "tmpfs", .source = "tmpfs"}), "") << where;
  }
  EXPECT_EQ(mount({.destination = "/proc", .type = "tmpfs"}),
            "invalid mount \"/proc\": \"/proc\" cannot be mounted because it is not of type proc");
  EXPECT_EQ(mount({.destination = "/proc/sys/net/", .type = "bind", .source = "/x", .options = {"bind"}}),
            "invalid mount \"/proc/sys/net/\": \"/proc/sys/net\" cannot be mounted because it is inside /proc");
  EXPECT_EQ(mount({.destination = "/proc/cpuinfo", .type = "bind", .source = "/x", .options = {"bind"}}), "");
  EXPECT_EQ(mount({.destination = "/process", .type = "tmpfs"}), "");
}

TEST(ValidateMounts, BindMountsHaveNoData) {
  EXPECT_EQ(mount({.destination = "/a", .type = "bind", .source = "/b", .options = {"rbind", "ro", "size=1"}}),
            "invalid mount \"/a\": bind mounts cannot have any filesystem-specific options applied");
  EXPECT_EQ(mount({.destination = "/a", .type = "tmpfs", .source = "b", .options = {"ro", "size=1"}}), "");
}

TEST(ValidateMounts, IdMapsAreForBindsAndNeedMaps) {
  Mount tmpfs{.destination = "/a", .type = "tmpfs", .source = "b", .options = {"idmap"}};
  EXPECT_EQ(mount(tmpfs), "invalid mount \"/a\": id-mapped mounts are only supported for bind-mounts");
  Mount bind{.destination = "/a", .type = "bind", .source = "/b", .options = {"bind", "ridmap"}};
  EXPECT_EQ(mount(bind), "invalid mount \"/a\": id-mapped mounts must have both uid and gid mappings specified");
  bind.uid_mappings = {{0, 1000, 1}};
  EXPECT_NE(mount(bind), "");
  bind.gid_mappings = {{0, 1000, 1}};
  EXPECT_EQ(mount(bind), "");
  bind.gid_mappings = {{0, 1000, 0}};
  EXPECT_NE(mount(bind), "");
}

TEST(Validate, RootlessNeedsAMappedUserNamespace) {
  Spec spec = good();
  EXPECT_EQ(text(validate_rootless(spec)), "rootless container requires user namespaces");
  spec.linux.namespaces.push_back({NamespaceType::user});
  EXPECT_EQ(text(validate_rootless(spec)), "rootless containers requires at least one UID mapping");
  spec.linux.uid_mappings = {{0, 1000, 1}};
  EXPECT_EQ(text(validate_rootless(spec)), "rootless containers requires at least one GID mapping");
  spec.linux.gid_mappings = {{0, 1000, 1}};
  EXPECT_EQ(text(validate_rootless(spec)), "");
  spec.mounts.push_back({.destination = "/dev/pts", .type = "devpts", .options = {"gid=5"}});
  EXPECT_NE(text(validate_rootless(spec)), "");
  spec.mounts.back().options = {"gid=0", "uid=0"};
  EXPECT_EQ(text(validate_rootless(spec)), "");
}

TEST(Validate, OffsetsNeedANewTimeNamespace) {
  Spec spec = good();
  spec.linux.time_offsets.emplace().boottime = {1, 0};
  EXPECT_EQ(text(validate(spec)), "time namespace offsets specified, but time namespace isn't enabled in the config");
  spec.linux.namespaces.push_back({NamespaceType::time});
  EXPECT_EQ(text(validate(spec)), "");
  spec.linux.namespaces.back().path = "/proc/1/ns/time";
  EXPECT_NE(text(validate(spec)), "");
}

TEST(Validate, ResourcesAreWellFormed) {
  EXPECT_TRUE(validate_resources({.devices = {{.allow = true, .type = "c", .access = "rwm"}}}));
  EXPECT_EQ(text(validate_resources({.devices = {{.allow = false}}})), "device access at 0 field cannot be empty");
  EXPECT_FALSE(validate_resources({.devices = {{.allow = false, .access = "x"}}}));
  EXPECT_EQ(text(validate_resources({.devices = {{.allow = false, .type = "u", .access = "r"}}})),
            "invalid cgroup device type \"u\"");
  EXPECT_FALSE(validate_resources({.unified = {{"../cgroup.procs", "1"}}}));
  EXPECT_FALSE(validate_resources({.memory = Memory{.swappiness = 101}}));
}

TEST(Validate, TheRestOfLinuxIsChecked) {
  auto wrong = [](auto change) {
    Spec spec = good();
    change(spec);
    return text(validate(spec));
  };
  EXPECT_EQ(wrong([](Spec& s) { s.linux.rootfs_propagation = "x"; }), "rootfsPropagation=x is not supported");
  EXPECT_EQ(wrong([](Spec& s) { s.linux.rootfs_propagation = "rslave"; }), "");
  EXPECT_EQ(wrong([](Spec& s) { s.linux.personality = {.domain = "BSD"}; }), "invalid personality domain BSD");
  EXPECT_EQ(wrong([](Spec& s) { s.linux.intel_rdt = {.clos_id = "a/b"}; }), "invalid intelRdt.ClosID \"a/b\"");
  EXPECT_NE(wrong([](Spec& s) { s.linux.memory_policy = {.mode = "MPOL_X"}; }), "");
  EXPECT_NE(wrong([](Spec& s) { s.linux.devices = {{.type = "c", .path = "dev/x"}}; }), "");
  EXPECT_NE(wrong([](Spec& s) { s.linux.net_devices = {{"a/b", {}}}; }), "");
  EXPECT_NE(wrong([](Spec& s) { s.hooks.prestart = {{.path = "hook"}}; }), "");
  EXPECT_NE(wrong([](Spec& s) { s.process->exec_cpu_affinity = {.initial = "1-"}; }), "");
}

TEST(GuestPath, IsCleanedAsTextWithoutLeavingTheRoot) {
  EXPECT_EQ(clean_guest_path("/a//b/./c/../d/"), "/a/b/d");
  EXPECT_EQ(clean_guest_path("../../x"), "/x");
  EXPECT_EQ(clean_guest_path(""), "/");
  EXPECT_EQ(clean_guest_path("/a/.."), "/");
  EXPECT_TRUE(is_within("/proc", "/proc/a"));
  EXPECT_TRUE(is_within("/proc", "/proc"));
  EXPECT_FALSE(is_within("/proc", "/process"));
  EXPECT_TRUE(is_within("/", "/a"));
}

TEST(NumberList, BecomesTheMaskThatTheKernelTakes) {
  EXPECT_EQ(*parse_number_list("0-3,7"), std::vector<unsigned long>{0x8f});
  EXPECT_EQ(*parse_number_list(" 64 , 1 "), (std::vector<unsigned long>{2, 1}));
  EXPECT_TRUE(parse_number_list("")->empty());
  for (const char* bad : {"a", "1-", "-1", "3-1", "1,", ",1", "1,,2", "99999999999", "65536", "1-2-3", "0x1"}) {
    EXPECT_FALSE(parse_number_list(bad)) << bad;
  }
}

}  // namespace
}  // namespace caisson::oci

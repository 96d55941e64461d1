"""What the process is born with: ids, capabilities, limits, scheduling, environment, directory, terminal.

Layer: tests, on harness.py. The probe tells what it sees from inside.
SPDX-License-Identifier: Apache-2.0
"""
import fcntl
import os
import unittest

from harness import PEER, RuntimeTest, main, not_on, since_runc, wait_until
from machine import capability, cgroup_mounts, has_cgroup_file, without_limit
from terminal import ConsoleSocket, run_on_terminal

CAPS = {"CAP_CHOWN": 0, "CAP_DAC_OVERRIDE": 1, "CAP_KILL": 5, "CAP_SETGID": 6, "CAP_SETUID": 7, "CAP_NET_BIND_SERVICE": 10,
        "CAP_NET_ADMIN": 12, "CAP_SYS_ADMIN": 21, "CAP_AUDIT_WRITE": 29}


def mask(*names):
    return sum(1 << CAPS[name] for name in names)


class Identity(RuntimeTest):
    def test_UserGroupsAndUmaskAreTaken(self):
        c = self.container()
        c.process["user"] = {"uid": 1000, "gid": 1001, "additionalGids": [5, 7, 70000], "umask": 0o27}
        seen = c.report()
        self.assertEqual([seen[k] for k in ("uid", "euid", "suid")], [1000] * 3)
        self.assertEqual([seen[k] for k in ("gid", "egid", "sgid")], [1001] * 3)
        self.assertEqual(sorted(set(seen["groups"]) - {1001}), [5, 7, 70000])
        self.assertEqual(seen["umask"], 0o27)

    def test_WithoutAdditionalGroupsThereAreNoneOfTheCaller(self):
        c = self.container()
        c.process["user"] = {"uid": 1000, "gid": 1000}
        os.setgroups([1234])
        self.addCleanup(os.setgroups, [])
        self.assertLessEqual(set(c.report()["groups"]), {1000})

    def test_TheDefaultUmaskIs022(self):
        old = os.umask(0o77)
        self.addCleanup(os.umask, old)
        self.assertEqual(self.container().report()["umask"], 0o22)

    def test_LargeIdsAreNotTruncated(self):
        if PEER != "caisson":
            self.skipTest("peer: runc stops at 2147483647")
        c = self.container()
        c.process["user"] = {"uid": 4294967294, "gid": 3000000000}
        seen = c.report()
        self.assertEqual((seen["uid"], seen["gid"]), (4294967294, 3000000000))

    def test_InitIsPidOneAndLeadsItsSession(self):
        seen = self.container().report()
        self.assertEqual((seen["pid"], seen["ppid"], seen["sid"], seen["pgid"]), (1, 0, 1, 1))

    def test_NoSignalIsBlockedOrIgnored(self):
        seen = self.container().report()
        self.assertEqual(seen["blocked"], [])
        self.assertEqual(seen["ignored"], [])

    def test_DeathOfTheRuntimeIsNoConcern(self):
        self.assertEqual(self.container().report()["pdeathsig"], 0)

    def test_ItHasItsOwnSessionKeyring(self):
        if PEER == "runc-1.1":
            self.skipTest("peer: looked at on ours")
        first = self.container()
        keyring = first.report()["keyring"]
        self.assertIn(f"_ses.{first.id}", keyring)
        second = self.container()
        self.assertNotIn(f"_ses.{second.id}", second.report("--no-new-keyring")["keyring"])


class Capabilities(RuntimeTest):
    def test_TheFiveSetsAreExactlyWhatIsAsked(self):
        c = self.container()
        c.process["capabilities"] = {
            "bounding": ["CAP_KILL", "CAP_CHOWN", "CAP_NET_ADMIN", "CAP_SETUID"],
            "permitted": ["CAP_KILL", "CAP_CHOWN", "CAP_SETUID"], "effective": ["CAP_KILL", "CAP_CHOWN"],
            "inheritable": ["CAP_KILL"], "ambient": ["CAP_KILL"]}
        c.process["user"] = {"uid": 1000, "gid": 1000}
        seen = c.report()["caps"]  # for an ordinary user only ambient survives execve
        self.assertEqual(seen["bounding"], mask("CAP_KILL", "CAP_CHOWN", "CAP_NET_ADMIN", "CAP_SETUID"))
        self.assertEqual(seen["inheritable"], mask("CAP_KILL"))
        self.assertEqual(seen["ambient"], mask("CAP_KILL"))
        self.assertEqual(seen["permitted"], mask("CAP_KILL"))
        self.assertEqual(seen["effective"], mask("CAP_KILL"))

    def test_RootGetsTheBoundingSet(self):
        c = self.container()
        seen = c.report()["caps"]
        expected = mask("CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE")
        self.assertEqual(seen, {"bounding": expected, "permitted": expected, "effective": expected, "inheritable": 0, "ambient": 0})

    def test_InheritableIsEmptyUnlessAsked(self):
        for user in (0, 1000):
            c = self.container()
            c.process["user"] = {"uid": user, "gid": user}
            self.assertEqual(c.report()["caps"]["inheritable"], 0)

    def test_NoCapabilitiesMeansNone(self):
        for given in ({}, None):
            c = self.container()
            if given is None:
                del c.process["capabilities"]
            else:
                c.process["capabilities"] = given
            seen = c.report()["caps"]
            if given is not None or PEER == "caisson":
                self.assertEqual(set(seen.values()), {0}, seen)

    def test_AnUnknownCapabilityIsIgnored(self):
        c = self.container()
        c.process["capabilities"]["bounding"].append("CAP_BANANA")
        self.assertEqual(c.report()["caps"]["bounding"], mask("CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"))

    def test_AllCapabilitiesAreThoseOfTheMachine(self):
        c = self.container()
        names = ["CAP_" + n for n in """CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
            NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT
            SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE
            MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE""".split()]
        names = [name for number, name in enumerate(names) if capability(number)]
        c.process["capabilities"] = {kind: list(names) for kind in ("bounding", "effective", "permitted")}
        expected = sum(1 << i for i in range(41) if capability(i))
        self.assertEqual(c.report()["caps"]["effective"], expected)


class Limits(RuntimeTest):
    def test_RlimitsAreTaken(self):
        c = self.container()
        c.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}, {"type": "RLIMIT_CORE", "soft": 0, "hard": 0},
                                {"type": "RLIMIT_STACK", "soft": 4194304, "hard": 8388608}]
        seen = c.report()["rlimits"]
        self.assertEqual(seen["RLIMIT_NOFILE"], [100, 200])
        self.assertEqual(seen["RLIMIT_CORE"], [0, 0])
        self.assertEqual(seen["RLIMIT_STACK"], [4194304, 8388608])

    def test_DuplicateRlimitsAreRefused(self):
        if PEER != "caisson":
            self.skipTest("peer: runc takes the last one")
        c = self.container()
        c.process["rlimits"] = [{"type": "RLIMIT_CORE", "soft": 0, "hard": 0}] * 2
        c.create(rc=1)

    @unittest.skipIf(os.path.exists("/sys/kernel/security/apparmor"), "machine: no absence of AppArmor")
    def test_AnAppArmorProfileWithoutAppArmorIsRefused(self):
        c = self.container()
        c.process["apparmorProfile"] = "some-profile"
        outcome = c.create(rc=1)
        self.assertIn("apparmor", outcome.err.lower())
        self.assert_nothing_left()

    def test_LabelsWithoutSelinuxAreIgnored(self):
        c = self.container()
        if os.path.exists("/sys/fs/selinux/enforce"):
            self.skipTest("machine: has SELinux")
        c.process["selinuxLabel"] = "system_u:system_r:container_t:s0"
        if PEER == "caisson":
            c.report()

    def test_NoNewPrivileges(self):
        for value in (True, False):
            c = self.container()
            c.process["noNewPrivileges"] = value
            self.assertEqual(c.report()["no_new_privs"], int(value))

    def test_OomScoreAdj(self):
        c = self.container()
        c.process["oomScoreAdj"] = 321
        self.assertEqual(c.report()["oom_score_adj"], 321)

    def test_OomScoreAdjIsInheritedWhenAbsent(self):
        with open("/proc/self/oom_score_adj") as file:
            mine = int(file.read())
        self.assertEqual(self.container().report()["oom_score_adj"], mine)

    @since_runc("1.2", "scheduler")
    def test_SchedulerPolicies(self):
        rows = [({"policy": "SCHED_OTHER", "nice": 7}, {"policy": 0, "nice": 7}), ({"policy": "SCHED_BATCH", "nice": 3}, {"policy": 3, "nice": 3}),
                ({"policy": "SCHED_IDLE"}, {"policy": 5}), ({"policy": "SCHED_FIFO", "priority": 2}, {"policy": 1, "priority": 2}),
                ({"policy": "SCHED_RR", "priority": 3, "flags": ["SCHED_FLAG_RESET_ON_FORK"]}, {"policy": 2, "priority": 3, "flags": 1})]
        for given, expected in rows:
            with self.subTest(policy=given["policy"]):
                c = self.container()
                if given["policy"] in ("SCHED_FIFO", "SCHED_RR"):
                    self.allow_realtime(c)
                c.process["scheduler"] = given
                seen = c.report()["scheduler"]
                self.assertEqual({k: seen[k] for k in expected}, expected)

    def allow_realtime(self, c):
        """Where the kernel groups real-time tasks, a new cgroup has no time for them."""
        parent = os.path.join(cgroup_mounts().get("cpu", "/none"), self.cgroup.lstrip("/"))
        if not has_cgroup_file("cpu", "cpu.rt_runtime_us"):
            return
        os.makedirs(parent, exist_ok=True)
        with open(os.path.join(parent, "cpu.rt_runtime_us"), "w") as file:
            file.write("20000")
        c.linux["resources"]["cpu"] = {"realtimeRuntime": 10000}

    @since_runc("1.2", "scheduler")
    def test_AnUnknownSchedulerIsRefused(self):
        for given in ({"policy": "SCHED_BANANA"}, {"policy": ""}, {"policy": "SCHED_OTHER", "flags": ["SCHED_FLAG_BANANA"]}):
            c = self.container()
            c.process["scheduler"] = given
            c.create(rc=1)
            self.assert_nothing_left()

    @since_runc("1.2", "ioPriority")
    def test_IoPriority(self):
        for kind, number in (("IOPRIO_CLASS_RT", 1), ("IOPRIO_CLASS_BE", 2), ("IOPRIO_CLASS_IDLE", 3)):
            with self.subTest(kind=kind):
                c = self.container()
                c.process["ioPriority"] = {"class": kind, "priority": 4}
                self.assertEqual(c.report()["ioprio"], number << 13 | 4)

    @since_runc("1.2", "ioPriority")
    def test_AnUnknownIoPriorityIsRefused(self):
        for given in ({"class": "IOPRIO_CLASS_BANANA", "priority": 1}, {"class": "IOPRIO_CLASS_BE", "priority": 9}):
            c = self.container()
            c.process["ioPriority"] = given
            c.create(rc=1)
            self.assert_nothing_left()

    def test_Personality(self):
        if PEER == "runc-1.1":
            self.skipTest("peer: runc has personality since 1.2")
        c = self.container()
        c.linux["personality"] = {"domain": "LINUX32"}
        seen = c.report()
        self.assertEqual(seen["personality"] & 0xff, 8)
        self.assertEqual(seen["machine"], "i686")

    @without_limit("numa-policy")
    def test_MemoryPolicy(self):
        if PEER != "caisson":
            self.skipTest("peer: spec 1.3")
        c = self.container()
        c.linux["memoryPolicy"] = {"mode": "MPOL_BIND", "nodes": "0"}
        seen = c.report()
        self.assertEqual((seen["mempolicy"], seen["memnodes"]), (2, 1))


class Surroundings(RuntimeTest):
    def test_TheEnvironmentIsExactlyTheConfigs(self):
        c = self.container()
        os.environ["CAISSON_LEAK"] = "host"
        self.addCleanup(os.environ.pop, "CAISSON_LEAK")
        c.process["env"] = ["A=1", "B=two words", "EMPTY=", "PATH=/bin", "HOME=/x"]
        self.assertEqual(sorted(c.report()["env"]), sorted(c.process["env"]))

    def test_HomeComesFromPasswdWhenAbsentOrEmpty(self):
        for extra in ([], ["HOME="]):
            for uid, home in ((0, "/root"), (1000, "/home/user"), (4242, "/")):
                with self.subTest(extra=extra, uid=uid):
                    c = self.container()
                    c.process["user"] = {"uid": uid, "gid": uid}
                    c.process["env"] = ["PATH=/bin"] + extra
                    if extra and PEER == "runc-1.1":
                        continue
                    self.assertIn(f"HOME={home}", c.report()["env"])

    def test_AGivenHomeIsKept(self):
        c = self.container()
        c.process["env"].append("HOME=/elsewhere")
        self.assertEqual([v for v in c.report()["env"] if v.startswith("HOME=")], ["HOME=/elsewhere"])

    def test_AMissingCwdIsMade(self):
        c = self.container()
        c.process["cwd"] = "/made/by/the/runtime"
        self.assertEqual(c.report()["cwd"], "/made/by/the/runtime")

    def test_AMissingCwdIsMadeInAReadOnlyRoot(self):
        c = self.container()
        c.config["root"]["readonly"] = True
        c.process["cwd"] = "/made/by/the/runtime"
        self.assertEqual(c.report()["cwd"], "/made/by/the/runtime")

    def test_CwdThatOnlyTheContainersRootMayEnterIsEntered(self):
        c = self.container()
        os.makedirs(c.rootfs + "/closed", 0o700)
        c.process["user"] = {"uid": 1000, "gid": 1000}
        c.process["cwd"] = "/closed"
        self.assertEqual(c.report()["cwd"], "/closed")

    def test_AVariableGivenTwiceHasItsLastValue(self):
        c = self.container()
        c.process["env"] += ["A=first", "B=1", "A=last"]
        self.assertEqual([v for v in c.report()["env"] if v[:2] in ("A=", "B=")], ["B=1", "A=last"])

    @since_runc("1.2", "the affinity reset")
    @unittest.skipIf(len(os.sched_getaffinity(0)) < 2, "needs two CPUs")
    def test_TheCallersAffinityIsNotTheContainers(self):
        cpus = sorted(os.sched_getaffinity(0))
        c = self.container("/bin/sh", "-c", "grep Cpus_allowed: /proc/self/status; sleep 1000")
        c.write()
        one = ("taskset", "-c", str(cpus[0]))
        whole = self.begin("run", "--bundle", c.bundle, c.id)
        wait_until(lambda: "allowed" in whole.out(), "it told")
        self.runtime("delete", "--force", c.id)
        whole.wait()
        bound = self.begin("run", "--bundle", c.bundle, c.id, wrap=one)
        wait_until(lambda: "allowed" in bound.out(), "it told")
        self.assertEqual(bound.out(), whole.out())
        seen = self.begin("exec", c.id, "/bin/grep", "Cpus_allowed:", "/proc/self/status", wrap=one).wait()
        self.assertEqual(seen.out, whole.out())
        self.runtime("delete", "--force", c.id)
        bound.wait()

    @not_on("runc-1.1", "exec has not the personality")
    def test_PersonalityIsThatOfAnExecToo(self):
        c = self.container()
        c.linux["personality"] = {"domain": "LINUX32"}
        self.assertEqual(c.up().exec("/bin/cat", "/proc/self/personality").out, "00000008\n")

    def test_CwdMayBeAMount(self):
        c = self.container()
        c.mount("/data", "tmpfs", "tmpfs", ["mode=755"])
        c.process["cwd"] = "/data"
        self.assertEqual(c.report()["cwd"], "/data")

    def test_CwdOfAnotherUserIsEnteredWithItsRights(self):
        c = self.container()
        os.makedirs(c.rootfs + "/home/user", 0o755)
        os.chown(c.rootfs + "/home/user", 1000, 1000)
        os.chmod(c.rootfs + "/home/user", 0o700)
        c.process["user"] = {"uid": 1000, "gid": 1000}
        c.process["cwd"] = "/home/user"
        self.assertEqual(c.report()["cwd"], "/home/user")

    def test_HostnameAndDomainname(self):
        c = self.container()
        c.config["hostname"] = "a-name"
        if PEER != "runc-1.1":
            c.config["domainname"] = "a.domain"
        seen = c.report()
        self.assertEqual(seen["hostname"], "a-name")
        if PEER != "runc-1.1":
            self.assertEqual(seen["domainname"], "a.domain")

    def test_ArgumentsArriveAsTheyAre(self):
        c = self.container("/probe", "report", "", "a b", "ü\n\"", "$HOME")
        seen = c.run().json()["args"]
        self.assertEqual([a.encode("latin1").decode() for a in seen[2:]], ["", "a b", "ü\n\"", "$HOME"])

    def test_OnlyStandardDescriptorsAreOpen(self):
        self.assertEqual(self.container().report()["open_fds"], [0, 1, 2])

    def test_PreservedDescriptorsArriveAndNoOthers(self):
        c = self.container()
        self.place(3, 4, 5)
        outcome = c.run("--preserve-fds", "2", close_fds=False)
        self.assertEqual(outcome.json()["open_fds"], [0, 1, 2, 3, 4])

    def place(self, *numbers):
        """Opens exactly these descriptors, inheritable; nobody else of this process holds them while a test runs."""
        source = fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, 100)
        for number in numbers:
            self.assertFalse(os.path.exists(f"/proc/self/fd/{number}"), f"{number} is taken")
            os.dup2(source, number, inheritable=True)
            self.addCleanup(os.close, number)
        os.close(source)

    def test_SocketActivationPassesDescriptors(self):
        c = self.container()
        self.place(3)
        seen = c.run(close_fds=False, wrap=("/bin/sh", "-c", 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"', "sh")).json()
        self.assertIn("LISTEN_FDS=1", seen["env"])
        self.assertIn("LISTEN_PID=1", seen["env"])
        self.assertEqual(seen["open_fds"], [0, 1, 2, 3])


class Terminal(RuntimeTest):
    def test_TheConsoleSocketReceivesTheMaster(self):
        with ConsoleSocket(self.directory) as console:
            c = self.container()
            c.process["terminal"] = True
            c.process["consoleSize"] = {"height": 33, "width": 77}
            c.create("--console-socket", console.path)
            master = console.receive()
            c.start()
            seen = master.json()
            self.assertEqual(seen["tty"], [True] * 3)
            self.assertEqual(seen["tty_rdev_major"], 136)
            self.assertEqual(seen["winsize"], [33, 77])
            self.assertTrue(seen["controlling_tty"])
            self.assertEqual(seen["open_fds"], [0, 1, 2])
            self.assertEqual(seen["tcpgrp"], 1)

    def test_DevConsoleIsTheTerminal(self):
        with ConsoleSocket(self.directory) as console:
            c = self.container("/probe", "stat", "/dev/console", "/dev/pts/0")
            c.process["terminal"] = True
            c.run("-d", "--console-socket", console.path)
            seen = console.receive().json()
            self.assertEqual([seen["/dev/console"][k] for k in ("major", "minor")], [136, 0])
            self.assertEqual(seen["/dev/console"]["ino"], seen["/dev/pts/0"]["ino"])

    def test_DevMayBeReadOnly(self):
        with ConsoleSocket(self.directory) as console:
            c = self.container("/probe", "stat", "/dev/console", "/dev/pts/0")
            next(m for m in c.config["mounts"] if m["destination"] == "/dev")["options"].append("ro")
            c.config["root"]["readonly"] = True
            c.process["terminal"] = True
            c.run("-d", "--console-socket", console.path)
            self.assertEqual(console.receive().json()["/dev/console"]["major"], 136)

    def test_LinesEndAsTheyWereWritten(self):
        c = self.container("/bin/sh", "-c", "echo one; echo two")
        c.process["terminal"] = True
        self.assertEqual(c.run().out, "one\ntwo\n")

    def test_WhatIsTypedArrives(self):
        with ConsoleSocket(self.directory) as console:
            c = self.container("/bin/sh", "-c", "read line; echo got $line; stty size; exit 3")
            c.process["terminal"] = True
            c.run("-d", "--console-socket", console.path)
            master = console.receive()
            master.write(b"some words\n")
            master.wait_for("got some words")
            c.wait_stopped()

    def test_InterruptReachesTheForegroundGroup(self):
        with ConsoleSocket(self.directory) as console:
            c = self.container("/bin/sh", "-c", "trap 'echo interrupted; exit 0' INT; echo ready; while :; do sleep 0.05; done")
            c.process["terminal"] = True
            c.run("-d", "--console-socket", console.path)
            master = console.receive()
            master.wait_for("ready")
            master.write(b"\x03")
            master.wait_for("interrupted")

    def test_AForegroundRunProxiesItsTerminal(self):
        c = self.container("/bin/sh", "-c", "tty; read line; echo got $line; stty size; exit 5")
        c.process["terminal"] = True
        c.write()
        with run_on_terminal(self, "run", "--bundle", c.bundle, c.id, size=(20, 50)) as session:
            session.wait_for("/dev/")
            session.write(b"hello\n")
            session.wait_for("got hello")
            session.wait_for("20 50")
            self.assertEqual(session.wait(), 5)
        self.assert_nothing_left()

    def test_AForegroundTerminalFollowsResizes(self):
        c = self.container("/bin/sh", "-c", "stty size; echo ready; read line; stty size")
        c.process["terminal"] = True
        c.write()
        with run_on_terminal(self, "run", "--bundle", c.bundle, c.id, size=(20, 50)) as session:
            session.wait_for("ready")
            session.resize(44, 99)
            session.write(b"\n")
            session.wait_for("44 99")
            self.assertEqual(session.wait(), 0)

    def test_TheTerminalOfTheCallerIsRestored(self):
        c = self.container("/bin/sh", "-c", "echo ready; exit 0")
        c.process["terminal"] = True
        c.write()
        with run_on_terminal(self, "run", "--bundle", c.bundle, c.id) as session:
            before = session.attributes
            self.assertEqual(session.wait(), 0)
            self.assertEqual(session.current_attributes(), before)

    def test_TheSlaveBelongsToTheUser(self):
        with ConsoleSocket(self.directory) as console:
            c = self.container("/probe", "stat", "/dev/pts/0")
            c.process["terminal"] = True
            c.process["user"] = {"uid": 1000, "gid": 1000}
            c.run("-d", "--console-socket", console.path)
            self.assertEqual(console.receive().json()["/dev/pts/0"]["uid"], 1000)

    def test_WithoutATerminalThereIsNoControllingOne(self):
        seen = self.container().report()
        self.assertFalse(seen["controlling_tty"])


if __name__ == "__main__":
    main()

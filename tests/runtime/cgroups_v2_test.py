"""Cgroup v2 alone: every limit by its files, devices by eBPF, pressure, OOM, update in place, freeze, kill, delegation.

Layer: tests, on harness.py. All of it is skipped where the controllers are on v1; `./dev vm` runs it.
SPDX-License-Identifier: Apache-2.0
"""
import ctypes
import json
import os

from harness import LIBC, PEER, RuntimeTest, main, wait_until
from machine import cgroup_mounts, own_cgroups, v2_controllers, without_limit

MIB = 1 << 20
SYS_BPF, PROG_QUERY, CGROUP_DEVICE = 321, 16, 6  # linux/bpf.h, x86_64


def disk():
    for name in ("nvme0n1", "vda", "sda"):
        if os.path.exists(f"/dev/{name}"):
            number = os.stat(f"/dev/{name}").st_rdev
            return os.major(number), os.minor(number)
    return None


def device_programs(directory):
    """Ids of the eBPF programs that decide about devices in this cgroup itself."""
    class Query(ctypes.Structure):
        _fields_ = [("fd", ctypes.c_uint32), ("type", ctypes.c_uint32), ("query_flags", ctypes.c_uint32),
                    ("attach_flags", ctypes.c_uint32), ("ids", ctypes.c_uint64), ("count", ctypes.c_uint32),
                    ("rest", ctypes.c_uint8 * 64)]
    ids = (ctypes.c_uint32 * 16)()
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        query = Query(fd, CGROUP_DEVICE, 0, 0, ctypes.addressof(ids), 16)
        if LIBC.syscall(SYS_BPF, PROG_QUERY, ctypes.byref(query), 40) != 0:
            raise OSError(ctypes.get_errno(), "BPF_PROG_QUERY")
        return list(ids[:query.count])
    finally:
        os.close(fd)


class V2(RuntimeTest):
    def limited(self, resources, *arguments):
        c = self.container(*arguments)
        c.linux["resources"].update(resources)
        return c.up()

    def value(self, c, *names):
        return c.cgroup_value("unified", os.path.join(*names))

    def check(self, resources, **expected):
        """A container with these limits; `memory_max` is the file memory.max."""
        c = self.limited(resources)
        for name, value in expected.items():
            self.assertEqual(self.value(c, name.replace("_", ".", 1).replace("_", ".")), value, name)
        return c

    def writable(self, c):
        """Gives it a cgroup namespace and a view of its cgroup that can be written."""
        c.namespace("cgroup")
        for mount in c.config["mounts"]:
            if mount["type"] == "cgroup":
                mount["options"] = ["nosuid", "noexec", "nodev"]
        return c


@without_limit("cgroup-v2")
class Limits(V2):
    def test_MemoryAndSwapAreCountedApart(self):
        self.check({"memory": {"limit": 64 * MIB, "swap": 96 * MIB, "reservation": 32 * MIB}},
                   memory_max=str(64 * MIB), memory_swap_max=str(32 * MIB), memory_low=str(32 * MIB))

    def test_UnlimitedIsMax(self):
        self.check({"memory": {"limit": -1, "swap": -1}, "pids": {"limit": -1}, "cpu": {"quota": -1, "period": 50000}},
                   memory_max="max", memory_swap_max="max", pids_max="max", cpu_max="max 50000")

    def test_SharesBecomeAWeightAndTheDefaultStaysTheDefault(self):
        for shares, weight in ((2, "1"), (1024, "100"), (262144, "10000")):
            with self.subTest(shares=shares):
                self.check({"cpu": {"shares": shares}}, cpu_weight=weight)

    def test_BurstAndIdle(self):
        self.check({"cpu": {"quota": 30000, "period": 50000, "burst": 10000}}, cpu_max="30000 50000", cpu_max_burst="10000")
        self.check({"cpu": {"idle": 1, "shares": 512}}, cpu_idle="1")

    def test_Cpuset(self):
        c = self.check({"cpu": {"cpus": "0", "mems": "0"}}, cpuset_cpus="0", cpuset_mems="0")
        self.assertEqual(c.exec("/probe").json()["affinity"], [0])

    @without_limit("block-device")
    def test_BlockThrottlesAreOneLine(self):
        major, minor = disk()
        rate = lambda value: [{"major": major, "minor": minor, "rate": value}]  # noqa: E731
        c = self.limited({"blockIO": {"throttleReadBpsDevice": rate(MIB), "throttleWriteIOPSDevice": rate(77)}})
        self.assertEqual(self.value(c, "io.max"), f"{major}:{minor} rbps={MIB} wbps=max riops=max wiops=77")

    def test_BlockWeightIsScaledWhereThereIsNoBfq(self):
        c = self.limited({"blockIO": {"weight": 1000}})
        bfq = os.path.exists(c.cgroup("unified", "io.bfq.weight"))
        self.assertEqual(self.value(c, "io.bfq.weight" if bfq else "io.weight"), "default " + ("1000" if bfq else "10000"))

    def test_HugePagesAndTheirReservations(self):
        c = self.limited({"hugepageLimits": [{"pageSize": "2MB", "limit": 4 * MIB}]})
        self.assertEqual(self.value(c, "hugetlb.2MB.max"), str(4 * MIB))
        self.assertEqual(self.value(c, "hugetlb.2MB.rsvd.max"), str(4 * MIB))

    def test_EveryControllerReachesANewDeepParent(self):
        c = self.container()
        c.linux["cgroupsPath"] = f"{self.cgroup}/a/b/{c.id}"
        c.linux["resources"].update({"memory": {"limit": 64 * MIB}, "pids": {"limit": 9}, "cpu": {"quota": 30000, "cpus": "0"}})
        c.up()
        self.assertEqual([self.value(c, n) for n in ("memory.max", "pids.max", "cpuset.cpus")], [str(64 * MIB), "9", "0"])
        c.delete("--force")
        os.rmdir(os.path.join(cgroup_mounts()["unified"], self.cgroup.lstrip("/"), "a/b"))
        os.rmdir(os.path.join(cgroup_mounts()["unified"], self.cgroup.lstrip("/"), "a"))

    def test_PidsLimitHolds(self):
        c = self.container("/bin/sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do sleep 100 & done; echo all; wait")
        c.linux["resources"]["pids"] = {"limit": 5}
        outcome = c.run(rc=None)
        self.assertNotIn("all", outcome.out)
        self.assertIn("fork", outcome.err)

    def test_ALimitTheKernelRefusesIsACleanError(self):
        c = self.container()
        c.linux["resources"]["cpu"] = {"cpus": "4000"}
        c.run(rc=1)
        self.assert_nothing_left()


@without_limit("cgroup-v2")
class Unified(V2):
    def test_FilesAreWrittenAfterTheRest(self):
        self.check({"pids": {"limit": 50}, "unified": {"pids.max": "40", "memory.high": str(32 * MIB), "cpu.weight": "77",
                                                       "cgroup.max.depth": "3"}},
                   pids_max="40", memory_high=str(32 * MIB), cpu_weight="77", cgroup_max_depth="3")

    @without_limit("block-device")
    def test_ALineIsAWrite(self):
        major, minor = disk()
        c = self.limited({"unified": {"io.max": f"{major}:{minor} rbps={MIB}\n{major}:{minor} wiops=70"}})
        self.assertEqual(self.value(c, "io.max"), f"{major}:{minor} rbps={MIB} wbps=max riops=max wiops=70")

    def test_WhatCannotBeIsRefused(self):
        for file, text in (("nothing.max", "controller.*not available"), ("../pids.max", "no slashes|must be a file name"),
                           ("memory.nosuch", "memory.nosuch"), ("nodot", "CONTROLLER")):
            with self.subTest(file=file):
                c = self.container()
                c.linux["resources"]["unified"] = {file: "1"}
                outcome = c.run(rc=1)
                if PEER == "caisson":
                    self.assertRegex(outcome.said, text)
                self.assert_nothing_left()


@without_limit("cgroup-v2")
class Devices(V2):
    MAKE = "mknod /tmp/d c {0} {1} && dd if=/tmp/d of=/dev/null bs=1 count=0 2>&1 && echo opened"

    def maker(self, script, rules=()):
        c = self.container()
        for kind in ("bounding", "effective", "permitted"):
            c.process["capabilities"][kind] += ["CAP_MKNOD", "CAP_SYSLOG"]  # to open kmsg, where dmesg is restricted
        c.linux["resources"]["devices"] = [{"allow": False, "access": "rwm"}, *rules]
        return c.shell(script)

    def rule(self, allow, minor=None, access="rwm"):
        return {"allow": allow, "type": "c", "major": 1, "access": access, **({} if minor is None else {"minor": minor})}

    def test_OneProgramAndNoneAbove(self):
        c = self.container().up()
        self.assertEqual(len(device_programs(c.cgroup("unified"))), 1)
        self.assertEqual(device_programs(os.path.dirname(c.cgroup("unified"))), [])

    def test_TheLastRuleThatMatchesDecides(self):
        cases = (([], False), ([self.rule(True, 11)], True), ([self.rule(True)], True),
                 ([self.rule(True), self.rule(False, 11)], False), ([self.rule(False, 11), self.rule(True)], True),
                 ([self.rule(True, 11, "m")], False))
        for rules, opened in cases:
            with self.subTest(rules=rules):
                outcome = self.maker(self.MAKE.format(1, 11) + "; true", rules).run()
                self.assertEqual("opened" in outcome.out, opened, outcome)

    def test_ExecAndSubGroupsAreUnderItToo(self):
        c = self.writable(self.maker("sleep 1000"))
        c.process["args"] = ["/bin/sleep", "1000"]
        c.up()
        script = "mkdir /sys/fs/cgroup/in && echo $$ > /sys/fs/cgroup/in/cgroup.procs && "
        for before in ("", script):
            outcome = c.exec("/bin/sh", "-c", before + "mknod /tmp/k c 1 11; cat /tmp/k", rc=None)
            self.assertNotEqual(outcome.rc, 0)
            self.assertIn("not permitted", outcome.err)

    def test_AnUpdateLeavesTheProgram(self):
        c = self.container().up()
        before = device_programs(c.cgroup("unified"))
        self.runtime("update", "--memory", "64M", "--pids-limit", "20", c.id)
        self.assertEqual(device_programs(c.cgroup("unified")), before)


@without_limit("cgroup-v2")
class Update(V2):
    def setUp(self):
        super().setUp()
        self.c = self.limited({"memory": {"limit": 64 * MIB, "swap": 64 * MIB}, "pids": {"limit": 50},
                               "cpu": {"shares": 1024, "quota": 20000, "period": 50000}})

    def update(self, *flags, **options):
        return self.runtime("update", *flags, self.c.id, **options)

    def test_EveryFlagChangesItsFileAndNoOther(self):
        rows = [(["--memory", "40M"], "memory.max", str(40 * MIB)), (["--memory-reservation", "20M"], "memory.low", str(20 * MIB)),
                (["--memory-swap", "80M"], "memory.swap.max", str(40 * MIB)), (["--cpu-share", "262144"], "cpu.weight", "10000"),
                (["--cpu-quota", "33000"], "cpu.max", "33000 50000"), (["--cpu-period", "60000"], "cpu.max", "33000 60000"),
                (["--cpu-quota", "-1"], "cpu.max", "max 60000"), (["--pids-limit", "44"], "pids.max", "44"),
                (["--pids-limit", "-1"], "pids.max", "max"), (["--cpuset-cpus", "0"], "cpuset.cpus", "0"),
                (["--cpuset-mems", "0"], "cpuset.mems", "0"), (["--cpu-idle", "1"], "cpu.idle", "1")]
        names = sorted({name for _, name, _ in rows if name not in ("cpu.idle", "cpu.weight")})
        for flags, name, expected in rows:
            with self.subTest(flags=flags):
                before = {n: self.value(self.c, n) for n in names if n != name}
                self.update(*flags)
                self.assertEqual(self.value(self.c, name), expected)
                after = {n: self.value(self.c, n) for n in names if n != name}
                if flags[0] != "--memory":  # swap.max is counted from it
                    self.assertEqual(after, before)

    def test_BothGoUpAndDownTogether(self):
        for memory, swap in ((256, 512), (32, 48)):
            self.update("--memory", f"{memory}M", "--memory-swap", f"{swap}M")
            self.assertEqual(self.value(self.c, "memory.max"), str(memory * MIB))
            self.assertEqual(self.value(self.c, "memory.swap.max"), str((swap - memory) * MIB))

    def test_ResourcesFromStandardInput(self):
        self.update("--resources", "-", stdin=json.dumps({"memory": {"limit": 48 * MIB}, "unified": {"memory.high": str(40 * MIB)}}))
        self.assertEqual(self.value(self.c, "memory.max"), str(48 * MIB))
        self.assertEqual(self.value(self.c, "memory.high"), str(40 * MIB))
        self.assertEqual(self.value(self.c, "pids.max"), "50")

    def test_BadInputChangesNothing(self):
        for flags in (["--memory", "banana"], ["--cpu-share", "x"], ["--cpuset-cpus", "4000"]):
            with self.subTest(flags=flags):
                self.update(*flags, rc=1)
                self.assertEqual(self.value(self.c, "memory.max"), str(64 * MIB))
                self.assertEqual(self.c.status(), "running")

    def test_APausedContainerCanBeUpdatedAndStaysPaused(self):
        self.runtime("pause", self.c.id)
        self.update("--pids-limit", "33")
        self.assertEqual(self.value(self.c, "pids.max"), "33")
        self.assertEqual(self.c.status(), "paused")
        self.runtime("resume", self.c.id)
        self.assertEqual(self.c.exec("/bin/echo", "alive").out, "alive\n")


@without_limit("cgroup-v2")
class Looking(V2):
    def test_StatsAreWhatTheFilesSay(self):
        c = self.limited({"memory": {"limit": 64 * MIB}, "pids": {"limit": 20}},
                         "/bin/sh", "-c", "dd if=/dev/zero of=/dev/shm/x bs=1M count=8; echo done; sleep 1000")
        c.wait_output("")
        wait_until(lambda: "done" in c.output.out(), "8 MiB are written")
        data = self.runtime("events", "--stats", c.id).json()["data"]
        self.assertEqual(data["memory"]["usage"]["limit"], 64 * MIB)
        self.assertGreater(data["memory"]["usage"]["usage"], 8 * MIB)
        self.assertGreaterEqual(data["memory"]["raw"]["shmem"], 8 * MIB)
        self.assertEqual(data["pids"]["limit"], 20)
        self.assertGreater(data["cpu"]["usage"]["total"], 0)

    def test_PressureIsThereWhereTheKernelHasIt(self):
        c = self.limited({"memory": {"limit": 64 * MIB}})
        data = self.runtime("events", "--stats", c.id).json()["data"]
        for key, name in (("cpu", "cpu.pressure"), ("memory", "memory.pressure"), ("blkio", "io.pressure")):
            self.assertTrue(os.path.exists(c.cgroup("unified", name)), name)
            self.assertEqual(set(data[key]["psi"]["some"]), {"avg10", "avg60", "avg300", "total"}, key)

    def test_AnOomKillIsAnEvent(self):
        c = self.limited({"memory": {"limit": 16 * MIB, "swap": 16 * MIB}})
        call = self.begin("events", "--interval", "100ms", c.id)
        wait_until(lambda: '"stats"' in call.out(), "events have begun")
        outcome = c.exec("/bin/dd", "if=/dev/zero", "of=/dev/shm/fill", "bs=1M", "count=48", rc=None)
        self.assertEqual(outcome.rc, 128 + 9, outcome)
        wait_until(lambda: f'"type":"oom","id":"{c.id}"' in call.out(), "the event came")
        self.assertRegex(self.value(c, "memory.events"), r"oom_kill [1-9]")
        self.assertEqual(c.status(), "running")
        call.process.terminate()
        call.process.wait()


@without_limit("cgroup-v2")
class FreezeAndKill(V2):
    def test_FreezingReachesSubGroups(self):
        c = self.writable(self.container("/bin/sh", "-c", "mkdir /sys/fs/cgroup/in; echo 0 > /sys/fs/cgroup/in/cgroup.procs;"
                                         "while :; do echo tick; sleep 0.01; done")).up()
        c.wait_output("tick")
        self.runtime("pause", c.id)
        self.assertEqual(self.value(c, "cgroup.freeze"), "1")
        self.assertIn("frozen 1", self.value(c, "in/cgroup.events"))
        self.assertRegex(c.exec("/bin/true", rc=None).err, "paused")
        self.runtime("resume", c.id)
        self.assertIn("frozen 0", self.value(c, "in/cgroup.events"))

    def test_DeleteWinsAgainstAForkStorm(self):
        script = "f() { while :; do (sleep 1000 &); done; }; f & f & echo up; f"
        c = self.limited({"pids": {"limit": 150}}, "/bin/sh", "-c", script)
        c.wait_output("up")
        c.delete("--force")
        self.assert_nothing_left()

    def test_WithoutAPidNamespaceAllOfItIsKilled(self):
        c = self.writable(self.container("/bin/sh", "-c", "mkdir /sys/fs/cgroup/in; sleep 1000 & echo $! > /sys/fs/cgroup/in/cgroup.procs;"
                                         "echo up; sleep 1000 & wait"))
        c.namespace("pid", False)
        c.up()
        c.wait_output("up")
        c.kill("KILL", "--all")
        wait_until(lambda: self.reap() or "populated 0" in self.value(c, "cgroup.events"), "nobody is left")
        c.delete("--force")
        self.assert_nothing_left()


@without_limit("cgroup-v2")
class Paths(V2):
    def membership(self, pid):
        with open(f"/proc/{pid}/cgroup") as file:
            return [line.rstrip("\n").split(":", 2)[2] for line in file if line.startswith("0::")][0]

    def test_AnAbsolutePathIsBelowTheRoot(self):
        c = self.container().up()
        self.assertEqual(self.membership(c.pid), f"{self.cgroup}/{c.id}")

    def test_AnAbsentOrRelativePathIsBesideTheRuntimesOwnGroup(self):
        own = os.path.dirname(own_cgroups()["unified"])  # below it nothing could be limited: it has processes
        for path in ("", "relative"):
            c = self.container()
            c.linux["cgroupsPath"] = path and c.id
            c.up()
            self.assertEqual(self.membership(c.pid), os.path.join(own, c.id))
            c.delete("--force")
        self.assert_nothing_left()

    def test_AGroupThatIsInUseIsRefused(self):
        first = self.container().up()
        second = self.container()
        second.linux["cgroupsPath"] = first.linux["cgroupsPath"]
        self.assertRegex(second.run(rc=1).said, "not empty")
        self.assertEqual(first.status(), "running")

    def test_SubGroupsGoWithTheContainer(self):
        c = self.container().up()
        os.makedirs(c.cgroup("unified", "inner/deep"))
        c.delete("--force")
        self.assert_nothing_left()


@without_limit("cgroup-v2")
class Inside(V2):
    def test_TheNamespacesRootIsTheContainersGroup(self):
        c = self.writable(self.container())
        c.linux["resources"]["pids"] = {"limit": 31}
        c.shell("cat /proc/self/cgroup /sys/fs/cgroup/pids.max; cat /sys/fs/cgroup/cgroup.controllers")
        lines = c.run().out.splitlines()
        self.assertEqual(lines[:2], ["0::/", "31"])
        self.assertLessEqual({"memory", "pids", "cpu"}, set(lines[2].split()))
        self.assertLessEqual(set(lines[2].split()), set(v2_controllers()))

    def test_ExecEntersTheLeafWhenTheGroupGivesControllersAway(self):
        script = ("cd /sys/fs/cgroup && mkdir leaf && echo 0 > leaf/cgroup.procs && echo +pids > cgroup.subtree_control && echo up;"
                  "sleep 1000")
        c = self.writable(self.container("/bin/sh", "-c", script)).up()
        c.wait_output("up")
        self.assertEqual(c.exec("/bin/cat", "/proc/self/cgroup").out, "0::/leaf\n")

    def test_AUserNamespacesRootOwnsItsGroupButNotItsLimits(self):
        c = self.writable(self.container())
        c.user_namespace()
        c.linux["resources"]["pids"] = {"limit": 50}
        c.shell("cd /sys/fs/cgroup && mkdir in && echo 0 > in/cgroup.procs && echo +pids > cgroup.subtree_control && cat in/pids.max;"
                "echo 60 > pids.max; true")
        outcome = c.run()
        self.assertEqual(outcome.out, "max\n", outcome)
        self.assertIn("ermission denied", outcome.err)


if __name__ == "__main__":
    main()

"""Cgroups: limits are read back from the kernel, paths are where they should be, frozen is frozen.

Layer: tests, on harness.py.
SPDX-License-Identifier: Apache-2.0
"""
import json
import os

from harness import PEER, RuntimeTest, main, since_runc, wait_until
from machine import cgroup_mounts, own_cgroups, without_limit


def block_device():
    for name in ("vda", "sda", "nvme0n1"):
        if os.path.exists(f"/dev/{name}"):
            number = os.stat(f"/dev/{name}").st_rdev
            return os.major(number), os.minor(number)
    return None


@without_limit("cgroup-v1")
class Resources(RuntimeTest):
    def check(self, resources, rows):
        c = self.container()
        c.linux["resources"].update(resources)
        c.up()
        for controller, name, expected in rows:
            self.assertEqual(c.cgroup_value(controller, name), expected, name)
        return c

    def test_MemoryLimits(self):
        self.check({"memory": {"limit": 64 << 20, "reservation": 32 << 20, "swappiness": 17}},
                   [("memory", "memory.limit_in_bytes", str(64 << 20)), ("memory", "memory.soft_limit_in_bytes", str(32 << 20)),
                    ("memory", "memory.swappiness", "17")])

    @without_limit("memsw")
    def test_SwapIsMemoryPlusSwap(self):
        self.check({"memory": {"limit": 64 << 20, "swap": 96 << 20}},
                   [("memory", "memory.memsw.limit_in_bytes", str(96 << 20)), ("memory", "memory.limit_in_bytes", str(64 << 20))])

    def test_UnlimitedMemoryIsMinusOne(self):
        c = self.check({"memory": {"limit": -1}}, [])
        self.assertGreater(int(c.cgroup_value("memory", "memory.limit_in_bytes")), 1 << 50)

    def test_TheOomKillerCanBeDisabled(self):
        c = self.check({"memory": {"limit": 64 << 20, "disableOOMKiller": True}}, [])
        self.assertIn("oom_kill_disable 1", c.cgroup_value("memory", "memory.oom_control"))

    def test_CpuShares(self):
        self.check({"cpu": {"shares": 512}}, [("cpu", "cpu.shares", "512")])

    @without_limit("cpu-quota")
    def test_CpuQuotaAndPeriod(self):
        self.check({"cpu": {"quota": 30000, "period": 50000}}, [("cpu", "cpu.cfs_quota_us", "30000"), ("cpu", "cpu.cfs_period_us", "50000")])

    @without_limit("cpu-quota")
    def test_CpuQuotaMayBeUnlimited(self):
        self.check({"cpu": {"quota": -1, "period": 50000}}, [("cpu", "cpu.cfs_quota_us", "-1")])

    @without_limit("cpu-burst")
    @since_runc("1.2", "cpu burst")
    def test_CpuBurst(self):
        self.check({"cpu": {"quota": 30000, "period": 50000, "burst": 10000}}, [("cpu", "cpu.cfs_burst_us", "10000")])

    @without_limit("cpu-idle")
    @since_runc("1.2", "cpu idle on v1")
    def test_CpuIdle(self):
        self.check({"cpu": {"idle": 1}}, [("cpu", "cpu.idle", "1")])

    @without_limit("cpuset-v1")
    def test_Cpuset(self):
        c = self.check({"cpu": {"cpus": "0", "mems": "0"}}, [("cpuset", "cpuset.cpus", "0"), ("cpuset", "cpuset.mems", "0")])
        self.assertEqual(c.exec("/probe").json()["affinity"], [0])

    @without_limit("cpuset-v1")
    def test_ACpusetIsInheritedThroughNewParents(self):
        c = self.container()
        c.linux["cgroupsPath"] = f"{self.cgroup}/{c.id}"
        c.up()
        self.assertNotEqual(c.cgroup_value("cpuset", "cpuset.cpus"), "")

    def test_PidsLimitHolds(self):
        c = self.check({"pids": {"limit": 7}}, [("pids", "pids.max", "7")])
        outcome = c.exec("/bin/sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do sleep 0.01 & done; wait", rc=None)
        self.assertRegex(outcome.err, "(?i)can't fork|resource temporarily")

    def test_PidsMinusOneIsMax(self):
        self.check({"pids": {"limit": -1}}, [("pids", "pids.max", "max")])

    @without_limit("blkio-throttle")
    @without_limit("block-device")
    def test_BlockThrottles(self):
        major, minor = block_device()
        rule = [{"major": major, "minor": minor, "rate": 1048576}]
        names = {"throttleReadBpsDevice": "read_bps_device", "throttleWriteBpsDevice": "write_bps_device",
                 "throttleReadIOPSDevice": "read_iops_device", "throttleWriteIOPSDevice": "write_iops_device"}
        self.check({"blockIO": {key: rule for key in names}},
                   [("blkio", f"blkio.throttle.{name}", f"{major}:{minor} 1048576") for name in names.values()])

    def test_DeviceRulesKeepTheirOrder(self):
        c = self.check({"devices": [
            {"allow": False, "access": "rwm"}, {"allow": True, "type": "c", "major": 10, "minor": 229, "access": "rw"},
            {"allow": True, "type": "b", "major": 7, "access": "r"}]}, [])
        rules = c.cgroup_value("devices", "devices.list").splitlines()
        self.assertIn("c 10:229 rw", rules)
        self.assertIn("b 7:* r", rules)
        self.assertNotIn("a *:* rwm", rules)
        for needed in ("c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm", "c 1:8 rwm", "c 1:9 rwm", "c 5:0 rwm", "c 5:2 rwm", "c 136:* rwm"):
            self.assertIn(needed, rules, "a default device")

    def test_DeviceRulesHold(self):
        c = self.container()
        for kind in ("bounding", "effective", "permitted"):
            c.process["capabilities"][kind].append("CAP_MKNOD")
        c.shell("mknod /tmp/kmsg c 1 11 && cat /tmp/kmsg; mknod /tmp/null c 1 3 && echo ok > /tmp/null && echo written")
        outcome = c.run(rc=None)
        self.assertIn("not permitted", outcome.err)
        self.assertEqual(outcome.out, "written\n")

    def test_NoDeviceRulesAtAllStillDenyTheRest(self):
        c = self.container()
        c.linux["resources"] = {}
        c.up()
        self.assertEqual(c.status(), "running")

    def test_UnifiedOnV1IsRefused(self):
        if PEER == "runc-1.1":
            self.skipTest("peer: looked at on ours")
        c = self.container()
        c.linux["resources"]["unified"] = {"memory.high": "1000000"}
        c.run(rc=1)
        self.assert_nothing_left()

    def test_ALimitTheKernelRefusesIsACleanError(self):
        for resources in ({"cpu": {"cpus": "4000"}}, {"cpu": {"period": 1}}, {"memory": {"swappiness": 1000}}):
            with self.subTest(resources=resources):
                c = self.container()
                c.linux["resources"].update(resources)
                c.run(rc=1)
                self.assert_nothing_left()


@without_limit("cgroup-v2")
class ResourcesV2(RuntimeTest):
    def check(self, resources, rows):
        c = self.container()
        c.linux["resources"].update(resources)
        c.up()
        for name, expected in rows:
            self.assertEqual(c.cgroup_value("unified", name), expected, name)
        return c

    def test_MemoryLimits(self):
        self.check({"memory": {"limit": 64 << 20, "reservation": 32 << 20, "swap": 96 << 20}},
                   [("memory.max", str(64 << 20)), ("memory.low", str(32 << 20)), ("memory.swap.max", str(32 << 20))])

    def test_CpuQuota(self):
        self.check({"cpu": {"quota": 30000, "period": 50000}}, [("cpu.max", "30000 50000")])

    def test_PidsLimit(self):
        self.check({"pids": {"limit": 7}}, [("pids.max", "7")])

    def test_Unified(self):
        self.check({"unified": {"memory.high": str(32 << 20)}}, [("memory.high", str(32 << 20))])

    def test_DeviceRulesHold(self):
        c = self.container()
        for kind in ("bounding", "effective", "permitted"):
            c.process["capabilities"][kind].append("CAP_MKNOD")
        c.shell("mknod /tmp/kmsg c 1 11 && cat /tmp/kmsg; mknod /tmp/null c 1 3 && echo ok > /tmp/null && echo written")
        outcome = c.run(rc=None)
        self.assertIn("not permitted", outcome.err)
        self.assertEqual(outcome.out, "written\n")

    def test_UpdateChangesOneValue(self):
        c = self.check({"memory": {"limit": 64 << 20}, "pids": {"limit": 50}}, [])
        self.runtime("update", "--memory", "32M", c.id)
        self.assertEqual(c.cgroup_value("unified", "memory.max"), str(32 << 20))
        self.assertEqual(c.cgroup_value("unified", "pids.max"), "50")

    def test_StatsAreOneJsonObject(self):
        c = self.check({"memory": {"limit": 64 << 20}, "pids": {"limit": 20}}, [])
        data = self.runtime("events", "--stats", c.id).json()["data"]
        self.assertEqual(data["memory"]["usage"]["limit"], 64 << 20)
        self.assertEqual((data["pids"]["current"], data["pids"]["limit"]), (1, 20))


@without_limit("cgroup-v1")
class Paths(RuntimeTest):
    def membership(self, pid):
        found = {}
        with open(f"/proc/{pid}/cgroup") as file:
            for line in file:
                _, names, path = line.rstrip("\n").split(":", 2)
                for name in names.split(",") if names else ["unified"]:
                    found[name] = path
        return found

    def test_AnAbsolutePathIsBelowEveryHierarchysRoot(self):
        c = self.container().up()
        seen = self.membership(c.pid)
        for controller in cgroup_mounts():
            self.assertEqual(seen[controller], f"{self.cgroup}/{c.id}", controller)

    def test_AnAbsentPathIsBelowTheRuntimesOwnGroup(self):
        c = self.container()
        c.linux["cgroupsPath"] = ""
        c.up()
        seen, own = self.membership(c.pid), own_cgroups()
        for controller in ("memory", "pids", "cpu", "devices"):
            self.assertEqual(seen[controller], os.path.join(own[controller], c.id), controller)
        c.delete("--force")
        self.assert_nothing_left()

    def test_ARelativePathIsBelowTheRuntimesOwnGroup(self):
        c = self.container()
        c.linux["cgroupsPath"] = c.id
        c.up()
        seen, own = self.membership(c.pid), own_cgroups()
        self.assertEqual(seen["memory"], os.path.join(own["memory"], c.id))
        c.delete("--force")
        self.assert_nothing_left()

    def test_DotDotDoesNotLeaveTheHierarchy(self):
        c = self.container()
        c.linux["cgroupsPath"] = f"/../../..{self.cgroup}/{c.id}"
        c.run(rc=None)
        self.assert_nothing_left()

    def test_TheWholeContainerIsInside(self):
        c = self.container()
        c.shell("sleep 1000 & sleep 1000 & echo up; wait")
        c.up()
        c.wait_output("up")
        for controller in cgroup_mounts():
            self.assertEqual(len(c.cgroup_value(controller, "cgroup.procs").split()), 3, controller)

    def test_SubGroupsMadeByTheContainerGoWithIt(self):
        c = self.container().up()
        for controller in ("pids", "freezer", "memory"):
            os.makedirs(c.cgroup(controller, "inner/deep"))
        c.delete("--force")
        self.assert_nothing_left()

    def test_ASubGroupsProcessesAreKilled(self):
        c = self.container().up()
        path = os.path.join(self.directory, "pid")
        c.exec("/bin/sleep", "1000", flags=("-d", "--pid-file", path))
        with open(path) as file:
            pid = file.read()
        for controller in ("pids", "freezer"):
            os.makedirs(c.cgroup(controller, "inner"))
            with open(c.cgroup(controller, "inner", "cgroup.procs"), "w") as procs:
                procs.write(pid)
        c.delete("--force")
        self.assert_nothing_left()


class Freezer(RuntimeTest):
    def test_PausedIsFrozenAndResumedRuns(self):
        c = self.container("/bin/sh", "-c", "while :; do echo tick; sleep 0.01; done").up()
        c.wait_output("tick")
        self.runtime("pause", c.id)
        self.assertEqual(c.status(), "paused")
        if "freezer" in cgroup_mounts():
            self.assertEqual(c.cgroup_value("freezer", "freezer.state"), "FROZEN")
        else:
            self.assertIn("frozen 1", c.cgroup_value("unified", "cgroup.events"))
        frozen = c.output.out()
        self.runtime("list")  # some time passes
        self.assertEqual(c.output.out(), frozen)
        self.runtime("resume", c.id)
        self.assertEqual(c.status(), "running")
        wait_until(lambda: len(c.output.out()) > len(frozen), "ticks again")

    def test_PauseOfAStoppedContainerIsRefused(self):
        c = self.container("/bin/true").up()
        c.wait_stopped()
        self.assertRegex(self.runtime("pause", c.id, rc=1).err, "container not running|not running")

    def test_ResumeOfARunningContainerIsRefused(self):
        c = self.container().up()
        self.assertIn("container not paused", self.runtime("resume", c.id, rc=1).err)

    def test_APausedContainerCanBeKilledAndDeleted(self):
        c = self.container().up()
        self.runtime("pause", c.id)
        c.delete("--force")
        self.assert_nothing_left()

    def test_KillOfAPausedContainerTakesEffect(self):
        if PEER == "runc-1.1":
            self.skipTest("peer: it stays until resume")
        c = self.container().up()
        self.runtime("pause", c.id)
        c.kill("KILL")
        c.wait_stopped()


@without_limit("cgroup-v1")
class Update(RuntimeTest):
    def setUp(self):
        super().setUp()
        self.c = self.container()
        self.c.linux["resources"].update({"memory": {"limit": 64 << 20}, "cpu": {"shares": 100, "quota": 20000, "period": 50000},
                                          "pids": {"limit": 50}})
        self.c.up()

    def update(self, *flags, rc=0, **options):
        return self.runtime("update", *flags, self.c.id, rc=rc, **options)

    def test_FlagsChangeOneValueAndLeaveTheOthers(self):
        self.assertEqual(self.update("--memory", "32M").out, "")
        self.assertEqual(self.c.cgroup_value("memory", "memory.limit_in_bytes"), str(32 << 20))
        self.assertEqual(self.c.cgroup_value("pids", "pids.max"), "50")
        self.update("--pids-limit", "30")
        self.assertEqual(self.c.cgroup_value("pids", "pids.max"), "30")
        self.assertEqual(self.c.cgroup_value("memory", "memory.limit_in_bytes"), str(32 << 20))
        self.update("--cpu-share", "200", "--memory-reservation", "16777216")
        self.assertEqual(self.c.cgroup_value("cpu", "cpu.shares"), "200")
        self.assertEqual(self.c.cgroup_value("memory", "memory.soft_limit_in_bytes"), "16777216")

    @without_limit("cpu-quota")
    def test_QuotaAndPeriod(self):
        self.update("--cpu-quota", "40000", "--cpu-period", "100000")
        self.assertEqual(self.c.cgroup_value("cpu", "cpu.cfs_quota_us"), "40000")
        self.assertEqual(self.c.cgroup_value("cpu", "cpu.cfs_period_us"), "100000")
        self.update("--cpu-quota", "-1")
        self.assertEqual(self.c.cgroup_value("cpu", "cpu.cfs_quota_us"), "-1")

    @without_limit("cpuset-v1")
    def test_Cpuset(self):
        self.update("--cpuset-cpus", "0", "--cpuset-mems", "0")
        self.assertEqual(self.c.cgroup_value("cpuset", "cpuset.cpus"), "0")

    def test_EveryFlagThisMachineCanObey(self):
        rows = [("--memory", "40M", "memory", "memory.limit_in_bytes", str(40 << 20)),
                ("--memory-reservation", "20M", "memory", "memory.soft_limit_in_bytes", str(20 << 20)),
                ("--memory-swap", "80M", "memory", "memory.memsw.limit_in_bytes", str(80 << 20)),
                ("--cpu-share", "333", "cpu", "cpu.shares", "333"), ("--cpu-period", "60000", "cpu", "cpu.cfs_period_us", "60000"),
                ("--cpu-quota", "33000", "cpu", "cpu.cfs_quota_us", "33000"), ("--pids-limit", "44", "pids", "pids.max", "44"),
                ("--cpuset-cpus", "0", "cpuset", "cpuset.cpus", "0"), ("--cpuset-mems", "0", "cpuset", "cpuset.mems", "0")]
        checked = 0
        for flag, value, controller, name, expected in rows:
            if not os.path.exists(self.c.cgroup(controller, name)):
                continue
            with self.subTest(flag=flag):
                self.update(flag, value)
                self.assertEqual(self.c.cgroup_value(controller, name), expected)
                checked += 1
        self.assertGreaterEqual(checked, 5)

    def test_AnUpdateOutlivesItsCommand(self):
        self.update("--memory", "32M")
        self.update("--pids-limit", "-1")
        self.assertEqual(self.c.cgroup_value("pids", "pids.max"), "max")
        self.runtime("pause", self.c.id)
        self.runtime("resume", self.c.id)
        self.assertEqual(self.c.cgroup_value("memory", "memory.limit_in_bytes"), str(32 << 20))

    def test_ResourcesFromStandardInput(self):
        self.update("--resources", "-", stdin=json.dumps({"memory": {"limit": 48 << 20}, "pids": {"limit": 9}}))
        self.assertEqual(self.c.cgroup_value("memory", "memory.limit_in_bytes"), str(48 << 20))
        self.assertEqual(self.c.cgroup_value("pids", "pids.max"), "9")
        self.assertEqual(self.c.cgroup_value("cpu", "cpu.shares"), "100")

    def test_ResourcesFromAFile(self):
        path = os.path.join(self.directory, "resources.json")
        with open(path, "w") as file:
            json.dump({"cpu": {"shares": 333}}, file)
        self.update(f"--resources={path}")
        self.assertEqual(self.c.cgroup_value("cpu", "cpu.shares"), "333")

    def test_BadInputChangesNothing(self):
        for flags, stdin in ((["-r", "-"], "{"), (["-r", "-"], '{"memory":{"limit":"64M"}}'), (["--memory", "banana"], None),
                             (["--cpu-share", "x"], None), (["-r", "/nowhere"], None), (["-r", "-"], "[]")):
            with self.subTest(flags=flags, stdin=stdin):
                outcome = self.update(*flags, rc=1, stdin=stdin)
                self.assertNotEqual(outcome.err, "")
                self.assertEqual(self.c.cgroup_value("memory", "memory.limit_in_bytes"), str(64 << 20))
                self.assertEqual(self.c.status(), "running")

    def test_DevicesAreNotTouchedByAnUpdate(self):
        before = self.c.cgroup_value("devices", "devices.list")
        self.update("--memory", "32M")
        self.assertEqual(self.c.cgroup_value("devices", "devices.list"), before)

    def test_AProcessStaysRunnable(self):
        self.update("--memory", "32M")
        self.assertEqual(self.c.exec("/bin/echo", "alive").out, "alive\n")


class Looking(RuntimeTest):
    def test_PsListsHostPids(self):
        c = self.container("/bin/sh", "-c", "sleep 1000 & echo up; wait").up()
        c.wait_output("up")
        pids = self.runtime("ps", "--format", "json", c.id).json()
        self.assertEqual(sorted(pids), sorted(int(p) for p in c.cgroup_value("pids", "cgroup.procs").split()))
        self.assertIn(c.pid, pids)
        table = self.runtime("ps", c.id).out
        self.assertIn("PID", table.splitlines()[0])
        self.assertEqual(len(table.splitlines()), 3, table)
        self.assertIn("PID", self.runtime("ps", c.id, "-o", "pid,args").out)

    def test_PsOfAStoppedContainerIsEmpty(self):
        c = self.container("/bin/true").up()
        c.wait_stopped()
        self.assertIn(self.runtime("ps", "-f", "json", c.id).out.strip(), ("[]", "null"))

    @without_limit("cgroup-v1")
    def test_StatsAreOneJsonObject(self):
        c = self.container()
        c.linux["resources"]["memory"] = {"limit": 64 << 20}
        c.linux["resources"]["pids"] = {"limit": 20}
        c.up()
        stats = self.runtime("events", "--stats", c.id).json()
        self.assertEqual((stats["type"], stats["id"]), ("stats", c.id))
        data = stats["data"]
        self.assertEqual(data["memory"]["usage"]["limit"], 64 << 20)
        self.assertGreater(data["memory"]["usage"]["usage"], 0)
        self.assertEqual((data["pids"]["current"], data["pids"]["limit"]), (1, 20))
        self.assertGreater(data["cpu"]["usage"]["total"], 0)

    def test_EventsGoOnUntilTheContainerEnds(self):
        c = self.container().up()
        call = self.begin("events", "--interval", "100ms", c.id)
        wait_until(lambda: call.out().count('"stats"') >= 2, "two rounds of stats")
        c.kill("KILL")
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(self.children()[0], 0)[1]), -9)
        c.delete()
        call.process.terminate()
        call.process.wait()

    @without_limit("memory-controller")
    def test_WhatMemoryRunsOutForIsAnEvent(self):
        c = self.container()
        c.linux["resources"]["memory"] = {"limit": 16 << 20, "swap": 16 << 20}
        c.up()
        call = self.begin("events", "--interval", "1h", c.id)
        wait_until(lambda: '"stats"' in call.out(), "the first statistics")
        c.exec("/bin/dd", "if=/dev/zero", "of=/dev/shm/fill", "bs=1M", "count=48", rc=None)
        wait_until(lambda: {"type": "oom", "id": c.id} in [json.loads(line) for line in call.out().splitlines()], "an oom event")
        call.process.terminate()
        call.process.wait()

    @without_limit("memory-controller")
    def test_TheMemoryLimitHolds(self):
        c = self.container()
        c.linux["resources"]["memory"] = {"limit": 16 << 20, "swap": 16 << 20}
        c.up()
        outcome = c.exec("/bin/dd", "if=/dev/zero", "of=/dev/shm/fill", "bs=1M", "count=48", rc=None)
        self.assertEqual(outcome.rc, 128 + 9, outcome)


if __name__ == "__main__":
    main()

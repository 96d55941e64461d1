"""The systemd cgroup driver: what it says to systemd, what it does when systemd says no, and that every command finds the unit.

Layer: tests, on harness.py and fake_systemd.py. With a real systemd: tests/vm.
SPDX-License-Identifier: Apache-2.0
"""
import contextlib
import os
import random
import shutil
import signal
import subprocess
import time
import unittest

from fake_systemd import FakeSystemd, message_bus
from harness import LIBC, LONG, PEER, RUNTIME, RuntimeTest, main, wait_until
from machine import cgroup_mounts

V2 = "memory" not in cgroup_mounts()
MEMORY_FILE, MEMORY, SHARES = ("memory.max", "MemoryMax", ("CPUWeight", 59)) if V2 else (
    "memory.limit_in_bytes", "MemoryLimit", ("CPUShares", 512))
CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 0x40000


@unittest.skipUnless(PEER == "caisson", "peer: its bus is not to be faked")
class Systemd(RuntimeTest):
    flags = ("--systemd-cgroup",)

    @classmethod
    def setUpClass(cls):
        # /run/systemd of this process and what it starts: a machine that systemd runs on.
        if LIBC.unshare(CLONE_NEWNS) != 0 or LIBC.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) != 0:
            raise unittest.SkipTest("machine: no mount namespace")
        os.makedirs("/run/systemd", exist_ok=True)
        if LIBC.mount(b"tmpfs", b"/run/systemd", b"tmpfs", 0, None) != 0:
            raise unittest.SkipTest("machine: no tmpfs")
        os.mkdir("/run/systemd/system")

    def setUp(self):
        super().setUp()
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(("DBUS_", "XDG_"))}
        self.environment["DBUS_SYSTEM_BUS_ADDRESS"] = "unix:path=/none"
        self.systemd = self.make_systemd()

    def make_systemd(self):
        return FakeSystemd(self.cgroup).listen("/run/systemd/private")

    def begin(self, *arguments, globals=(), **options):
        options.setdefault("env", self.environment)
        return super().begin(*arguments, globals=(*globals, *self.flags), **options)

    def leftovers(self):
        for mount in set(cgroup_mounts().values()):  # slices stay, as on a real machine; these are ours
            for path, _, _ in os.walk(os.path.join(mount, self.cgroup.lstrip("/")), topdown=False):
                if path.endswith(".slice"):
                    with contextlib.suppress(OSError):
                        os.rmdir(path)
        return super().leftovers()

    def clean(self):
        self.systemd.results = []
        try:
            super().clean()
        finally:
            self.systemd.stop()
            with contextlib.suppress(OSError):
                os.unlink("/run/systemd/private")
        self.assertEqual(self.systemd.failures, [])

    def scope(self, *arguments, path=""):
        c = self.container(*arguments)
        c.linux["cgroupsPath"] = path
        return c

    def started(self):
        return next(given for member, given in self.systemd.calls if member == "StartTransientUnit")

    def members(self):
        return [member for member, _ in self.systemd.calls]

    def directory_of(self, controller, path):
        return cgroup_mounts().get(controller, cgroup_mounts().get("unified")) + self.cgroup + path


class Units(Systemd):
    def test_AContainerIsAScopeOfSystemSlice(self):
        c = self.scope().up()
        name, _, properties, _ = self.started()
        self.assertEqual(name, f"runc-{c.id}.scope")
        given = dict(properties)
        self.assertEqual(given["Slice"], "system.slice")
        self.assertEqual((given["Delegate"], given["DefaultDependencies"], given["TasksAccounting"]), (1, 0, 1))
        for controller in set(cgroup_mounts()) & {"name=systemd", "memory", "pids", "unified"}:
            with open(self.directory_of(controller, f"/system.slice/{name}/cgroup.procs")) as procs:
                self.assertEqual(procs.read().split(), [str(c.pid)], f"{controller}: the container's process alone")
        c.kill("KILL")
        c.wait_stopped()
        c.delete()
        self.assertEqual(self.members().count("StopUnit"), 1)
        self.assertFalse(os.path.exists(self.directory_of("memory", f"/system.slice/{name}")))

    def test_CgroupsPathNamesSlicePrefixAndName(self):
        self.scope("/bin/true", path="a-b.slice:podman:box").run()
        self.assertEqual(self.started()[0], "podman-box.scope")
        self.assertEqual(dict(self.started()[2])["Slice"], "a-b.slice")

    def test_ANameThatIsASliceIsOne(self):
        c = self.scope(path="a.slice::a-box.slice").up()
        given = dict(self.started()[2])
        self.assertEqual((self.started()[0], given["Wants"]), ("a-box.slice", ["a.slice"]))
        self.assertNotIn("PIDs", given)
        with open(self.directory_of("memory", "/a.slice/a-box.slice/cgroup.procs")) as procs:
            self.assertEqual(procs.read().split(), [str(c.pid)])

    def test_AnyOtherPathIsRefused(self):
        for path in ("/a/b", "a:b", "a.slice:b:c:d", "a--b.slice:x:y", "a/b.slice:x:y", ":x:", "a.slice:x:b/c", "nothing:x:y"):
            outcome = self.scope("/bin/true", path=path).run(rc=1)
            self.assertRegex(outcome.said, "cgroupsPath|invalid slice name", path)
        self.assertNotIn("StartTransientUnit", self.members())

    def test_LaterCommandsNeedNoFlag(self):
        c = self.scope().up()
        self.flags = ()
        unit = f"/system.slice/runc-{c.id}.scope"
        c.exec("/bin/sleep", "1000", flags=("--detach", "--pid-file", os.path.join(self.directory, "pid")))
        with open(os.path.join(self.directory, "pid")) as file:
            pid = file.read()
        with open(f"/proc/{pid}/cgroup") as file:
            self.assertTrue(all(line.rstrip().endswith(unit) for line in file if V2 or "memory" in line or "systemd" in line))
        self.runtime("pause", c.id)
        self.assertEqual(c.status(), "paused")
        self.runtime("resume", c.id)
        self.runtime("update", "--memory", "64M", "--pids-limit", "50", c.id)
        _, given = next((m, g) for m, g in self.systemd.calls if m == "SetUnitProperties")
        self.assertEqual(dict(given[2])["TasksMax"], 50)
        with open(self.directory_of("memory", f"{unit}/{MEMORY_FILE}")) as file:
            self.assertEqual(int(file.read()), 64 << 20)
        self.runtime("events", "--stats", c.id)
        c.delete("--force")
        self.assertEqual(self.systemd.units, {})

    def test_AnnotationsAreNoProperties(self):
        c = self.scope("/bin/true")
        c.config["annotations"] = {"org.systemd.property.TimeoutStopUSec": "uint64 1", "org.systemd.property.ExecStart": "'/x'"}
        c.run()
        self.assertFalse({"TimeoutStopUSec", "ExecStart"} & set(dict(self.started()[2])))

    def test_ALimitOfOneProcessIsEnough(self):
        c = self.scope()
        c.linux["resources"]["pids"] = {"limit": 1}
        c.up()
        with open(self.directory_of("pids", f"/system.slice/runc-{c.id}.scope/pids.max")) as file:
            self.assertEqual(file.read(), "1\n")
        given = dict(self.systemd.units[f"runc-{c.id}.scope"])
        self.assertEqual(given["TasksMax"], 1)

    def test_LimitsAreProperties(self):
        c = self.scope()
        c.linux["resources"].update({"memory": {"limit": 32 << 20}, "cpu": {"shares": 512}, "pids": {"limit": 77}})
        c.up()
        given = dict(self.started()[2])
        self.assertEqual((given[MEMORY], given[SHARES[0]], given["TasksMax"]), (32 << 20, SHARES[1], 77))
        self.assertEqual(given["DevicePolicy"], "strict")
        self.assertIn(("/dev/char/1:3", "rwm"), given["DeviceAllow"])
        self.assertIn(("char-pts", "rwm"), given["DeviceAllow"])
        with open(self.directory_of("memory", f"/system.slice/runc-{c.id}.scope/{MEMORY_FILE}")) as file:
            self.assertEqual(int(file.read()), 32 << 20)


class Refusals(Systemd):
    def test_AUnitThatFailedIsForgottenAndStartedAgain(self):
        c = self.scope("/bin/true")
        self.systemd.exists.add(f"runc-{c.id}.scope")
        c.run()
        self.assertEqual([m for m in self.members() if m != "Subscribe"][:3],
                         ["StartTransientUnit", "ResetFailedUnit", "StartTransientUnit"])

    def test_AUnitThatIsThereIsAnError(self):
        self.scope(path="a.slice:x:same").up()
        outcome = self.scope("/bin/true", path="a.slice:x:same").run(rc=1)
        self.assertIn("unable to start unit \"x-same.scope\": org.freedesktop.systemd1.UnitExists", outcome.said)
        self.assertIn("x-same.scope", self.systemd.units, "the other container keeps it")

    def test_AJobThatFailsIsAnError(self):
        for result in ("failed", "canceled", "dependency"):
            self.systemd.results = [result]
            c = self.scope("/bin/true")
            outcome = c.run(rc=1)
            self.assertIn(f"error creating systemd unit `runc-{c.id}.scope`: got `{result}`", outcome.said)
            self.assertIn("ResetFailedUnit", self.members())
        self.assert_nothing_left("after jobs that failed")

    def test_WhatFailsLaterStopsTheUnit(self):
        outcome = self.scope("/none").run(rc=1)
        self.assertIn("no such file or directory", outcome.said)
        self.assertEqual(self.systemd.units, {})

    @unittest.skipUnless(LONG, "long: waits for a time-out of 30 s")
    def test_AJobThatNeverEndsTimesOut(self):
        self.systemd.results = [None]
        c = self.scope("/bin/true")
        self.assertIn(f"Timeout waiting for systemd to create runc-{c.id}.scope", c.run(rc=1).said)

    def test_WithoutSystemdItSaysSo(self):
        os.rename("/run/systemd/system", "/run/systemd/away")
        self.addCleanup(os.rename, "/run/systemd/away", "/run/systemd/system")
        self.assertIn("systemd not running on this host, cannot use systemd cgroups manager", self.scope("/bin/true").run(rc=1).said)

    def test_ADeadSystemdKeepsNobodyFromBeingDeleted(self):
        c = self.scope().up()
        self.systemd.stop()
        os.unlink("/run/systemd/private")
        c.delete("--force")
        self.systemd = self.make_systemd()

    def test_AKilledRuntimeLeavesNoMember(self):
        self.systemd.results = [None]
        c = self.scope("/bin/true")
        c.write()
        call = self.begin("run", "--bundle", c.bundle, c.id)
        wait_until(lambda: "StartTransientUnit" in self.members(), "the unit is asked for")
        call.process.kill()
        call.wait()
        c.delete("--force")
        self.assert_nothing_left("by a runtime that was killed")


@unittest.skipUnless(shutil.which("dbus-daemon"), "machine: no dbus-daemon")
class KilledAtAnyMoment(Systemd):
    """SIGKILL to the runtime; then `delete --force` takes all away, and a container of the same name can be made."""

    MOMENTS = 150 if LONG else 12

    def setUp(self):
        super().setUp()
        seed = int(os.environ.get("CAISSON_KILL_SEED") or random.randrange(1 << 32))
        print(f"CAISSON_KILL_SEED={seed}", flush=True)
        self.chance = random.Random(seed)

    def no_unit(self):
        self.systemd.collect()
        return not self.systemd.units

    def aftermath(self, c, when):
        answer = self.runtime("state", c.id, rc=None)
        self.assertTrue(answer.rc == 0 or "does not exist" in answer.said, f"{when}: {answer}")
        c.delete("--force")
        wait_until(self.no_unit, f"no unit is left, {when}")
        self.assert_nothing_left(when)
        self.runtime("run", "--detach", "--bundle", c.bundle, c.id)
        c.delete("--force")
        wait_until(self.no_unit, f"no unit is left after another life, {when}")
        self.assert_nothing_left(f"after another life, {when}")

    def killed(self, *command, longest):
        delay = self.chance.uniform(0, longest)
        call = self.begin(*command)
        time.sleep(delay)
        call.process.kill()
        call.wait()
        return f"killed {delay * 1000:.2f} ms after the begin of {command[0]}"

    def test_OfCreate(self):
        c = self.scope("/bin/sleep", "1000")
        c.write()
        for _ in range(self.MOMENTS):
            self.aftermath(c, self.killed("run", "--detach", "--bundle", c.bundle, c.id, longest=0.03))

    def test_OfDelete(self):
        c = self.scope("/bin/sleep", "1000")
        c.write()
        for _ in range(self.MOMENTS // 2):
            self.runtime("run", "--detach", "--bundle", c.bundle, c.id)
            self.aftermath(c, self.killed("delete", "--force", c.id, longest=0.015))


class OnABus(Systemd):
    def make_systemd(self):
        stack = contextlib.ExitStack()
        path, self.daemon = stack.enter_context(message_bus(self.directory))
        self.bus = stack
        self.environment["DBUS_SYSTEM_BUS_ADDRESS"] = f"unix:path={path}"
        return FakeSystemd(self.cgroup).connect(path)

    def children(self):
        return [pid for pid in super().children() if pid != self.daemon]

    def clean(self):
        try:
            super().clean()
        finally:
            self.bus.close()

    def test_TheSystemBusIsWhereTheEnvironmentSays(self):
        c = self.scope().up()
        self.assertIn("Subscribe", self.members())
        c.kill("KILL")
        c.wait_stopped()
        c.delete()
        self.assertEqual(self.systemd.units, {})

    def test_OnlySystemdSaysHowAJobEnded(self):
        self.systemd.forge = True
        self.scope("/bin/true").run()


class Cost(Systemd):
    @unittest.skipUnless(shutil.which("strace"), "machine: no strace")
    def test_WithoutTheDriverNobodyAsksForABus(self):
        self.flags = ()
        trace = os.path.join(self.directory, "trace")
        c = self.container("/bin/true")
        c.write()
        subprocess.run(["strace", "-f", "-qq", "-e", "trace=socket,connect", "-o", trace, RUNTIME, "--root", self.root, "run", "--bundle",
                        c.bundle, c.id], check=True, stdin=subprocess.DEVNULL)
        with open(trace) as file:
            self.assertEqual([line for line in file if "AF_UNIX" in line and "socketpair" not in line], [])

    def test_FeaturesSaySo(self):
        cgroup = self.runtime("features").json()["linux"]["cgroup"]
        self.assertEqual((cgroup["systemd"], cgroup["systemdUser"]), (True, True))


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    main()

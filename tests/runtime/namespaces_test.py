"""Namespaces: new, joined by path, shared with the host, with maps and offsets; and every wrong way to ask.

Layer: tests, on harness.py.
SPDX-License-Identifier: Apache-2.0
"""
import os
import time

from harness import PEER, RuntimeTest, main, since_runc
from machine import without_limit

FILES = {"pid": "pid", "network": "net", "ipc": "ipc", "uts": "uts", "mount": "mnt", "cgroup": "cgroup", "user": "user", "time": "time"}


def mine(kind):
    return os.readlink(f"/proc/self/ns/{FILES[kind]}")


class New(RuntimeTest):
    def test_EachKindIsNew(self):
        c = self.container()
        c.namespace("cgroup")
        seen = c.report()["namespaces"]
        for kind in ("pid", "network", "ipc", "uts", "mount", "cgroup"):
            self.assertNotEqual(seen[FILES[kind]], mine(kind), kind)
        self.assertEqual(seen["user"], mine("user"))

    def test_EachKindThatIsNotAskedIsTheHosts(self):
        for kind in ("pid", "network", "ipc", "uts", "cgroup"):
            with self.subTest(kind=kind):
                c = self.container()
                c.namespace(kind, False)
                if kind == "uts":
                    del c.config["hostname"]
                if kind in ("network", "ipc"):  # sysfs and mqueue of the host may still be mounted by host root
                    pass
                self.assertEqual(c.report()["namespaces"][FILES[kind]], mine(kind))

    def test_WithoutAMountNamespaceNothingRuns(self):
        c = self.container()
        c.namespace("mount", False)
        c.run(rc=1)
        self.assert_nothing_left()

    def test_ANewNetworkHasItsLoopbackUpAndNothingElse(self):
        c = self.container("/bin/sh", "-c", "cat /sys/class/net/lo/flags; ls /sys/class/net")
        c.namespace("network")
        flags, *names = c.run().out.split()
        self.assertEqual(int(flags, 16) & 1, 1, "IFF_UP")
        self.assertIn("lo", names)
        self.assertNotIn("eth0", names)

    def test_ThePidNamespaceStartsAtOne(self):
        self.assertEqual(self.container("/bin/sh", "-c", "echo $$").run().out.strip(), "1")

    def test_TheCgroupNamespaceHidesTheHostsTree(self):
        c = self.container()
        c.namespace("cgroup")
        for line in c.report()["cgroup"].splitlines():
            if not line.startswith("0::") or PEER == "caisson":
                self.assertTrue(line.endswith(":/"), line)

    @without_limit("time-namespace")
    @since_runc("1.2", "time namespaces")
    def test_TimeOffsetsAreSet(self):
        c = self.container()
        c.namespace("time")
        c.linux["timeOffsets"] = {"monotonic": {"secs": 100000, "nanosecs": 5}, "boottime": {"secs": 200000, "nanosecs": 7}}
        before = time.clock_gettime(time.CLOCK_MONOTONIC), time.clock_gettime(time.CLOCK_BOOTTIME)
        seen = c.report()
        after = time.clock_gettime(time.CLOCK_MONOTONIC), time.clock_gettime(time.CLOCK_BOOTTIME)
        self.assertTrue(before[0] + 99999 <= seen["monotonic"] <= after[0] + 100001)
        self.assertTrue(before[1] + 199999 <= seen["boottime"] <= after[1] + 200001)
        self.assertNotEqual(seen["namespaces"]["time"], mine("time"))
        self.assertEqual(seen["timens_offsets"].split(), ["monotonic", "100000", "5", "boottime", "200000", "7"])

    @without_limit("time-namespace")
    @since_runc("1.2", "time namespaces")
    def test_TimeOffsetsInAUserNamespace(self):
        c = self.container("/bin/cat", "/proc/self/timens_offsets")
        c.user_namespace()
        c.namespace("time")
        c.linux["timeOffsets"] = {"monotonic": {"secs": 7881, "nanosecs": 2718281}}
        self.assertIn(["monotonic", "7881", "2718281"], [line.split() for line in c.run().out.splitlines()])

    @since_runc("1.2", "time namespaces")
    def test_TimeOffsetsNeedATimeNamespace(self):
        c = self.container()
        c.linux["timeOffsets"] = {"monotonic": {"secs": 1, "nanosecs": 0}}
        c.run(rc=1)
        self.assert_nothing_left()

    @without_limit("time-namespace")
    @since_runc("1.2", "time namespaces")
    def test_ExecJoinsTheTimeNamespace(self):
        c = self.container()
        c.namespace("time")
        c.linux["timeOffsets"] = {"boottime": {"secs": 300000, "nanosecs": 0}}
        c.up()
        seen = c.exec("/probe").json()
        self.assertGreater(seen["boottime"], 300000)
        self.assertEqual(seen["namespaces"]["time"], os.readlink(f"/proc/{c.pid}/ns/time"))


class User(RuntimeTest):
    def test_MapsAreWritten(self):
        c = self.container()
        c.user_namespace()
        seen = c.report()
        self.assertEqual((seen["uid"], seen["gid"]), (0, 0))
        self.assertEqual(seen["uid_map"].split(), ["0", "100000", "65536"])
        self.assertEqual(seen["gid_map"].split(), ["0", "100000", "65536"])
        self.assertEqual(seen["setgroups"].strip(), "allow")
        self.assertNotEqual(seen["namespaces"]["user"], mine("user"))

    def test_ManyRangesAreWritten(self):
        c = self.container()
        c.user_namespace()
        for kind in ("uidMappings", "gidMappings"):
            c.linux[kind] = [{"containerID": i * 10, "hostID": 100000 + i * 20, "size": 10} for i in range(100)]
        seen = c.report()
        self.assertEqual(len(seen["uid_map"].splitlines()), 100)

    def test_TheHostSeesTheMappedUser(self):
        c = self.container()
        c.user_namespace()
        c.process["user"] = {"uid": 7, "gid": 8}
        c.up()
        found = os.stat(f"/proc/{c.pid}")
        with open(f"/proc/{c.pid}/status") as file:
            lines = dict(line.split(":", 1) for line in file if ":" in line)
        self.assertEqual(lines["Uid"].split(), ["100007"] * 4)
        self.assertEqual(lines["Gid"].split(), ["100008"] * 4)
        self.assertTrue(found)

    def test_DefaultDevicesAreThere(self):
        c = self.container("/bin/sh", "-c", "echo x > /dev/null && head -c 4 /dev/zero | wc -c && head -c 1 /dev/urandom | wc -c")
        c.user_namespace()
        self.assertEqual(c.run().out.split(), ["4", "1"])

    def test_TheOtherNamespacesBelongToIt(self):
        c = self.container("/bin/sh", "-c", "hostname changed && hostname && mount -t tmpfs x /mnt && echo mounted")
        os.mkdir(c.rootfs + "/mnt")
        os.chown(c.rootfs + "/mnt", 100000, 100000)
        c.user_namespace()
        c.process["noNewPrivileges"] = False
        for kind in ("bounding", "effective", "permitted"):
            c.process["capabilities"][kind] = ["CAP_SYS_ADMIN"]
        self.assertEqual(c.run().out.split(), ["changed", "mounted"])

    def test_ItIsNotDumpableForTheHostsOrdinaryUsers(self):
        c = self.container()
        c.user_namespace()
        c.up()
        self.assertEqual(c.exec("/probe").json()["uid"], 0)

    def test_MissingMapsAreRefused(self):
        c = self.container()
        c.namespace("user")
        c.run(rc=1)
        self.assert_nothing_left()

    def test_MapsWithoutAUserNamespaceAreRefused(self):
        c = self.container()
        c.linux["uidMappings"] = c.linux["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 10}]
        if PEER == "runc-1.1":
            self.skipTest("peer: runc ignores them")
        c.run(rc=1)
        self.assert_nothing_left()

    def test_AnUnmappedUserIsRefused(self):
        c = self.container()
        c.user_namespace(size=1000)
        c.process["user"] = {"uid": 1000, "gid": 0}
        c.run(rc=1)
        self.assert_nothing_left()

    def test_OverlappingMapsAreRefused(self):
        c = self.container()
        c.user_namespace()
        c.linux["uidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 10}, {"containerID": 5, "hostID": 200000, "size": 10}]
        c.run(rc=1)
        self.assert_nothing_left()


class Joined(RuntimeTest):
    def setUp(self):
        super().setUp()
        self.first = self.container()

    def test_EachKindIsJoinedByPath(self):
        self.first.namespace("cgroup")
        self.first.up()
        pid = self.first.pid
        for kind in ("network", "ipc", "uts", "pid", "cgroup"):
            with self.subTest(kind=kind):
                c = self.container()
                c.namespace(kind, f"/proc/{pid}/ns/{FILES[kind]}")
                if kind == "uts":
                    del c.config["hostname"]
                seen = c.report()
                self.assertEqual(seen["namespaces"][FILES[kind]], os.readlink(f"/proc/{pid}/ns/{FILES[kind]}"))
                if kind == "pid":
                    self.assertGreater(seen["pid"], 1)

    @since_runc("1.2", "maps read from a joined user namespace")
    def test_JoiningAUserNamespaceTakesItsMaps(self):
        self.first.user_namespace()
        self.first.up()
        c = self.container()
        c.user_namespace()
        c.namespace("user", f"/proc/{self.first.pid}/ns/user")
        del c.linux["uidMappings"], c.linux["gidMappings"]
        seen = c.report()
        self.assertEqual(seen["namespaces"]["user"], os.readlink(f"/proc/{self.first.pid}/ns/user"))
        self.assertEqual(seen["uid"], 0)
        self.assertEqual(seen["uid_map"].split(), ["0", "100000", "65536"])

    @since_runc("1.2", "maps read from a joined user namespace")
    def test_AUserNamespaceAndThoseItOwnsAreJoinedTogether(self):
        self.first.user_namespace()
        self.first.up()
        pid = self.first.pid
        c = self.container()
        c.user_namespace()
        del c.linux["uidMappings"], c.linux["gidMappings"]
        for kind in ("user", "network", "ipc"):
            c.namespace(kind, f"/proc/{pid}/ns/{FILES[kind]}")
        seen = c.report()
        for kind in ("user", "network", "ipc"):
            self.assertEqual(seen["namespaces"][FILES[kind]], os.readlink(f"/proc/{pid}/ns/{FILES[kind]}"))

    @without_limit("time-namespace")
    @since_runc("1.2", "time namespaces")
    def test_ATimeNamespaceIsJoined(self):
        self.first.namespace("time")
        self.first.linux["timeOffsets"] = {"boottime": {"secs": 400000, "nanosecs": 0}}
        self.first.up()
        c = self.container()
        c.namespace("time", f"/proc/{self.first.pid}/ns/time")
        self.assertGreater(c.report()["boottime"], 400000)

    def test_APathOfAnotherKindIsRefused(self):
        self.first.up()
        pid = self.first.pid
        for kind, file in (("network", "ipc"), ("ipc", "net"), ("uts", "mnt"), ("pid", "net")):
            with self.subTest(kind=kind):
                c = self.container()
                c.namespace(kind, f"/proc/{pid}/ns/{file}")
                if kind == "uts":
                    del c.config["hostname"]
                c.run(rc=1)
                self.assertEqual(self.first.status(), "running")

    def test_APathThatIsNoNamespaceIsRefused(self):
        for path in ("/etc/passwd", "/", "/nowhere", "relative", "/dev/null", "/proc/self/status"):
            with self.subTest(path=path):
                c = self.container()
                c.namespace("network", path)
                c.run(rc=1)
                self.assert_nothing_left()

    def test_JoinedNamespacesOutliveTheContainer(self):
        self.first.up()
        c = self.container("/bin/true")
        c.namespace("network", f"/proc/{self.first.pid}/ns/net")
        c.run()
        self.assertEqual(self.first.status(), "running")

    def test_AllPidsOfASharedPidNamespaceDieWithDelete(self):
        self.first.up()
        c = self.container()
        c.namespace("pid", f"/proc/{self.first.pid}/ns/pid")
        c.shell("sleep 1003 & sleep 1004 & echo up; wait")
        c.up()
        c.wait_output("up")
        c.delete("--force")
        self.assertEqual(self.first.status(), "running")
        with open(self.first.cgroup("pids", "cgroup.procs")) as file:
            self.assertEqual(len(file.read().split()), 1)


if __name__ == "__main__":
    main()

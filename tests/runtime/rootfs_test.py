"""The root file system: read-only, propagation, pivoted, and left as it was.

Layer: tests, on harness.py.
SPDX-License-Identifier: Apache-2.0
"""
import os

from harness import LIBC, PEER, RuntimeTest, main
from mounts_test import MS_BIND, MS_SHARED, parse_mountinfo


class Rootfs(RuntimeTest):
    def test_ReadOnlyRefusesWrites(self):
        c = self.container("/bin/sh", "-c", "echo x > /new; echo ok > /dev/shm/new && cat /dev/shm/new")
        c.config["root"]["readonly"] = True
        outcome = c.run()
        self.assertEqual(outcome.out, "ok\n")
        self.assertIn("Read-only", outcome.err)
        self.assertFalse(os.path.exists(c.rootfs + "/new"))

    def test_ReadOnlyStillMakesItsMountPoints(self):
        c = self.container()
        c.config["root"]["readonly"] = True
        c.mount("/deep/er", "tmpfs", "tmpfs", [])
        self.assertIn("/deep/er", parse_mountinfo(c.report()["mountinfo"]))

    def test_WritableIsWritten(self):
        c = self.container("/bin/sh", "-c", "echo kept > /new")
        c.run()
        with open(c.rootfs + "/new") as file:
            self.assertEqual(file.read(), "kept\n")

    def test_AnAbsolutePathIsTaken(self):
        c = self.container("/bin/true")
        c.config["root"]["path"] = c.rootfs
        c.run()

    def test_NoProcWithoutMasksCanBeHad(self):
        for flags in ((), ("--no-pivot",)):
            for kind in ("proc", "sysfs"):
                with self.subTest(flags=flags, kind=kind):
                    c = self.container()
                    c.process["capabilities"]["bounding"] += ["CAP_SETFCAP", "CAP_SYS_ADMIN"]
                    c.process["capabilities"]["permitted"] += ["CAP_SETFCAP", "CAP_SYS_ADMIN"]
                    c.shell(f"unshare -mnrpf mount -t {kind} none /tmp && echo mounted || echo refused")
                    outcome = c.run(*flags)
                    self.assertEqual(outcome.out, "refused\n")
                    self.assertIn("ermission denied", outcome.err)

    def test_APathThroughASymlinkIsTakenOrRefusedCleanly(self):
        c = self.container("/bin/true")
        link = os.path.join(self.directory, "link")
        os.symlink(c.rootfs, link)
        c.config["root"]["path"] = link
        c.run(rc=None)
        self.assert_nothing_left()

    def test_TheBundleDefaultsToTheWorkingDirectory(self):
        c = self.container("/bin/true")
        c.write()
        self.runtime("run", c.id, cwd=c.bundle)

    def test_NothingOfTheHostsTreeIsLeftInside(self):
        c = self.container()
        seen = c.report()["mountinfo"]
        found = parse_mountinfo(seen)
        self.assertIn("/", found)
        self.assertNotIn(self.directory, "\n".join(p for p in found if p != "/"))
        allowed = ("/", "/proc", "/dev", "/sys")
        for point in found:
            self.assertTrue(point == "/" or point.startswith(allowed[1:]), point)

    def test_TheHostSeesNoneOfItsMounts(self):
        c = self.container()
        c.mount("/seen", "tmpfs", "tmpfs", [])
        c.up()
        with open("/proc/self/mountinfo") as file:
            self.assertEqual([line for line in file if self.directory in line], [])

    def propagation(self, value):
        """(fields of / inside, whether a later host mount arrives inside)"""
        c = self.container()
        outer = os.path.join(self.directory, f"outer-{value}")
        os.mkdir(outer)
        for source, flags in ((outer, MS_BIND), (None, MS_SHARED)):
            if LIBC.mount(source.encode() if source else None, outer.encode(), None, flags, None) != 0:
                self.fail("cannot make a shared mount")
        self.addCleanup(lambda: LIBC.umount2(outer.encode(), 2))
        os.mkdir(os.path.join(outer, "late"))
        c.mount("/vol", outer, "bind", ["rbind", "rslave"])
        if value:
            c.linux["rootfsPropagation"] = value
        c.up()
        late = os.path.join(outer, "late")
        self.assertEqual(LIBC.mount(b"tmpfs", late.encode(), b"tmpfs", 0, None), 0)
        try:
            info = c.exec("/bin/cat", "/proc/self/mountinfo").out
        finally:
            LIBC.umount2(late.encode(), 2)
        c.delete("--force")
        found = parse_mountinfo(info)
        return " ".join(found["/"]["fields"]), "/vol/late" in found

    def test_PropagationOfTheRoot(self):
        for value in ("private", "rprivate"):
            with self.subTest(value=value):
                fields, _ = self.propagation(value)
                self.assertNotIn("shared", fields)
        for value in ("slave", "rslave", None):
            with self.subTest(value=value):
                fields, arrives = self.propagation(value)
                self.assertNotIn("shared:", fields)
                self.assertTrue(arrives, "a slave volume receives later mounts")
        if PEER == "caisson":  # runc leaves its root private
            self.assertIn("shared:", self.propagation("shared")[0])

    def test_AHostWhoseMountsAreSharedKeepsThemAll(self):
        """systemd makes / shared. The host here is a mount namespace of the test, with peers of its own."""
        for value in ("shared", "rshared", "slave", "rslave", "private", "rprivate", ""):
            with self.subTest(value=value):
                c = self.container("/bin/true")
                c.linux["rootfsPropagation"] = value
                c.mount("/vol", self.directory, "bind", ["rbind", "rshared"])
                before, after = (os.path.join(self.directory, f"{name}-{value}") for name in ("before", "after"))
                # The bundle is on a mount of its own, as an engine's overlay or a tmpfs at /run is.
                script = (f"mount --bind {self.directory} {self.directory} && mount --make-rshared / && cat /proc/self/mountinfo > $1 && shift && after=$1 && shift && \"$@\"; rc=$?; "
                          "cat /proc/self/mountinfo > $after; exit $rc")
                c.run(wrap=("unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", script, "sh", before, after))
                with open(before) as first, open(after) as second:
                    was, now = first.read(), second.read()
                self.assertIn(" shared:", was)
                self.assertEqual(now, was)

    def test_UnknownPropagationIsRefused(self):
        c = self.container()
        c.linux["rootfsPropagation"] = "banana"
        c.run(rc=1)
        self.assert_nothing_left()

    def test_NoPivotRunsToo(self):
        c = self.container()
        seen = c.report("--no-pivot")
        self.assertIn("/proc", parse_mountinfo(seen["mountinfo"]))
        self.assertEqual(seen["cwd"], "/")

    def test_ARootOnTmpfsRuns(self):
        c = self.container("/bin/cat", "/etc/passwd")
        point = os.path.join(self.directory, "tmpfs")
        os.mkdir(point)
        self.assertEqual(LIBC.mount(b"tmpfs", point.encode(), b"tmpfs", 0, b"mode=755"), 0)
        self.addCleanup(lambda: LIBC.umount2(point.encode(), 2))
        os.system(f"cp -a {c.rootfs} {point}/rootfs")
        c.config["root"]["path"] = os.path.join(point, "rootfs")
        self.assertIn("root:x:0", c.run().out)

    def test_TheRuntimeWritesNothingElseIntoTheRoot(self):
        c = self.container("/bin/true")
        before = sorted(os.path.join(p, n) for p, d, f in os.walk(c.rootfs) for n in d + f)
        c.run()
        after = sorted(os.path.join(p, n) for p, d, f in os.walk(c.rootfs) for n in d + f)
        self.assertEqual(after, before)

    def test_DevConsoleIsNotLeftByARunWithoutATerminal(self):
        c = self.container("/probe", "stat", "/dev/console")
        seen = c.run().json()["/dev/console"]
        if PEER == "caisson":
            self.assertEqual(seen.get("errno"), 2)


if __name__ == "__main__":
    main()

"""A machine that has run out: of room, descriptors, processes, memory; and many containers at once. One clear line, nothing left.

Layer: tests, on faults.py. What is scarce is scarce for the call alone: a mount namespace, a cgroup or a limit of its own.
SPDX-License-Identifier: Apache-2.0
"""
import contextlib
import itertools
import os
import unittest

from faults import LONG, PATIENCE, FaultTest, cgroup_mounts, main, wait_until
from harness import PEER, without_limit

AT_ONCE, IN_SERIES = (200, 2000) if LONG else (30, 100)
MOUNTED = """mount -t tmpfs -o "$1" none "$2" || exit 99; eval "$3"; shift 3; "$@"; rc=$?
cd "${root:-/}" || exit 98; for name in * .[!.]*; do [ ! -e "$name" ] || [ "$name" = fill ] || echo "left: $name"; done; exit $rc"""


@unittest.skipUnless(PEER == "caisson", "peer: ours alone")
class Exhaustion(FaultTest):
    def setUp(self):
        super().setUp()
        self.pools = []
        self.addCleanup(self.empty_pools)

    def pool(self, controller, **values):
        """A cgroup of our own for a caller; the path of its cgroup.procs."""
        path = os.path.join(cgroup_mounts()[controller], f"caisson-pool-{os.getpid()}-{len(self.pools)}")
        os.makedirs(path)
        self.pools.append(path)
        for name, value in values.items():
            with open(os.path.join(path, f"{controller}.{name}"), "w") as file:
                file.write(str(value))
        return os.path.join(path, "cgroup.procs")

    def empty_pools(self):
        """Away with them, and with what a container below one made of its name in the other hierarchies."""
        for name, mount in itertools.product({os.path.basename(path) for path in self.pools}, set(cgroup_mounts().values())):
            wait_until(lambda path=os.path.join(mount, name): self.removed(path), f"{name} is empty in {mount}")

    def removed(self, path):
        self.reap_all()
        with contextlib.suppress(OSError):
            os.rmdir(path)
        return not os.path.exists(path)

    @staticmethod
    def inside(procs):
        return ("/bin/sh", "-c", f'echo $$ > {procs} && exec "$@"', "sh")

    @staticmethod
    def limited(limit):
        return ("/bin/sh", "-c", f'ulimit {limit} && exec "$@"', "sh")

    def clear(self, result, what):
        """Failed in one line and left nothing; 255 is exec's."""
        self.assertIn(result.rc, (1, 255), f"{what}: {result}")
        self.assertRegex(result.err, r"^[^\n]+\n$", f"{what}: {result}")
        self.assertNotRegex(result.err, "terminate called|what\\(\\)|core dumped", f"{what}: {result}")

    def run_it(self, c, **options):
        c.write()
        return self.call("run", "--bundle", c.bundle, c.id, seconds=3 * PATIENCE, **options)

    def either(self, c, result, what):
        """It ran, or it failed clearly; True when it ran."""
        if result.rc == 0:
            self.assertEqual((result.out, result.err), ("here\n", ""), what)
        else:
            self.clear(result, what)
            self.assertEqual(result.out, "", what)
        self.assertEqual(self.gone(c), [], f"{what}: {result}")
        return result.rc == 0

    def echo(self):
        return self.container("/bin/echo", "here")

    # A --root without room.

    def on_tmpfs(self, c, options, prepare):
        script = MOUNTED.replace("${root:-/}", self.root)
        c.write()
        return self.call("run", "--bundle", c.bundle, c.id,
                         wrap=("unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", script, "sh", options, self.root, prepare))

    def test_ARootWithoutRoomFailsClearlyWhereverTheRoomEnds(self):
        c = self.echo()
        ran = []
        for pages in (0, 1, 2, 3, 4, 16):
            result = self.on_tmpfs(c, "size=256k", f"head -c {256 * 1024 - 4096 * pages} /dev/zero > {self.root}/fill")
            ran.append(self.either(c, result, f"{pages} pages free"))
        self.assertEqual((ran[0], ran[-1]), (False, True), ran)

    def test_ARootWithoutInodesToo(self):
        c = self.echo()
        ran = [self.either(c, self.on_tmpfs(c, f"size=1m,nr_inodes={inodes}", ":"), f"{inodes} inodes") for inodes in (1, 2, 3, 4, 5, 32)]
        self.assertEqual((ran[0], ran[-1]), (False, True), ran)

    def test_AReadOnlyRootSaysSo(self):
        c = self.echo()
        result = self.on_tmpfs(c, "ro", ":")
        self.assertFalse(self.either(c, result, "read-only"))
        self.assertIn("read-only file system", result.err)

    # Descriptors, processes.

    def test_FewDescriptorsAreEnoughOrFailClearly(self):
        c = self.echo()
        ran = [self.either(c, self.run_it(c, wrap=self.limited(f"-Sn {most}")), f"{most} descriptors")
               for most in (3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 20, 24, 32, 64)]
        self.assertEqual((ran[0], ran[-1]), (False, True), ran)

    def test_AnExecWithFewDescriptorsLeavesTheContainerWhole(self):
        c = self.container("/bin/sleep", "1000").up()
        for most in (3, 4, 6, 8, 12, 64):
            result = self.call("exec", c.id, "/bin/echo", "here", wrap=self.limited(f"-Sn {most}"))
            if result.rc != 0:
                self.clear(result, f"{most} descriptors")
        self.assertEqual((result.rc, result.out), (0, "here\n"), result)
        self.assertEqual(c.status(), "running")

    @without_limit("cgroup-v1")
    def test_ACallerThatCannotForkFailsClearly(self):
        c = self.echo()
        ran = []
        for most in (1, 2, 3, 8):
            ran.append(self.either(c, self.run_it(c, wrap=self.inside(self.pool("pids", max=most))), f"{most} processes"))
        self.assertEqual((ran[0], ran[-1]), (False, True), ran)

    @without_limit("cgroup-v1")
    def test_AContainerWithoutRoomForItsFirstProcessFailsClearly(self):
        c = self.echo()
        procs = self.pool("pids", max=0)
        c.linux["cgroupsPath"] = "/" + os.path.basename(os.path.dirname(procs)) + "/" + c.id
        result = self.run_it(c)
        self.assertIn(result.rc, (0, 1), result)  # the kernel holds to the limit at fork, not where a process is moved
        self.either(c, result, "pids.max 0 above")

    # Memory.

    def test_MemoryThatIsGoneIsOneLine(self):
        """Not an abort: std::bad_alloc has nobody to catch it."""
        c = self.echo()
        c.process["env"] = [f"V{i}={'x' * 1000}" for i in range(8000)]
        c.write()
        for kilobytes in (8000, 12000, 16000, 20000):
            result = self.run_it(c, wrap=self.limited(f"-v {kilobytes}"))
            self.assertEqual((result.rc, result.err), (1, "out of memory\n"), f"{kilobytes}: {result}")
            self.assertEqual(self.gone(c), [])

    def test_AHeapThatCannotGrowIsEnoughOrFailsClearly(self):
        c = self.echo()
        ran = []
        for kilobytes in (400, 600, 800, 1000, 1200, 1400, 1600, 2000, 16000):
            ran.append(self.either(c, self.run_it(c, wrap=self.limited(f"-d {kilobytes}")), f"{kilobytes} kB of data"))
        self.assertTrue(ran[-1], ran)

    @without_limit("memory-controller")
    def test_AContainerThatIsTooSmallToStartFailsClearly(self):
        c = self.echo()
        ran = []
        for kilobytes in (4, 64, 128, 256, 512, 1024, 65536):
            c.linux["resources"]["memory"] = {"limit": kilobytes * 1024}
            result = self.run_it(c)
            if result.rc == 137:  # the program was there and was killed: not our failure
                self.assertEqual((result.err, self.gone(c)), ("", []), f"{kilobytes} kB: {result}")
                ran.append(None)
            else:
                ran.append(self.either(c, result, f"{kilobytes} kB"))
        self.assertEqual((ran[0], ran[-1]), (False, True), ran)

    @without_limit("cgroup-v1")
    def test_ACallerThatIsKilledForItsMemoryLeavesNothingThatDeleteDoesNotTake(self):
        c = self.echo()
        for kilobytes in (256, 512, 768, 1024, 1536, 2048, 65536):
            procs = self.pool("memory", limit_in_bytes=kilobytes * 1024)
            result = self.run_it(c, wrap=self.inside(procs))
            if result.rc < 0:
                self.force(c)
                self.assertEqual(self.gone(c), [], f"{kilobytes} kB: {result}")
            else:
                self.either(c, result, f"{kilobytes} kB")
        self.assertEqual(result.rc, 0, result)

    # Cgroups that somebody took away.

    def test_ACgroupThatIsGoneDoesNotHinderKillAndDelete(self):
        for verbs in ((("kill", "KILL"), ("delete",)), (("delete", "--force"),)):
            c = self.container("/bin/sleep", "1000").up()
            pid = c.pid
            for mount in set(cgroup_mounts().values()):
                path = os.path.join(mount, c.linux["cgroupsPath"].lstrip("/"))
                if os.path.isdir(path):
                    with open(os.path.join(mount, "cgroup.procs"), "w") as procs:
                        procs.write(str(pid))
                    os.rmdir(path)
            self.assertEqual(c.status(), "running")
            for verb, *flags in verbs:
                arguments = (verb, *flags, c.id) if verb == "delete" else (verb, c.id, *flags)
                self.runtime(*arguments, meanwhile=self.reap)
                if verb == "kill":
                    c.wait_stopped()
            self.assertEqual(self.gone(c), [], verbs)

    # Many.

    def test_ManyContainersAtOnce(self):
        made = [self.container("/bin/echo", str(number)) for number in range(AT_ONCE)]
        for c in made:
            c.write()
        began = [self.begin("run", "--bundle", c.bundle, c.id) for c in made]
        for number, call in enumerate(began):
            outcome = call.wait(10 * PATIENCE)
            self.assertEqual((outcome.rc, outcome.out, outcome.err), (0, f"{number}\n", ""), outcome)
        self.assert_nothing_left("by many at once")

    def test_ManyContainersInSeries(self):
        c = self.echo()
        for number in range(IN_SERIES):
            result = self.run_it(c)
            self.assertEqual((result.rc, result.out, result.err), (0, "here\n", ""), number)
        self.assertEqual(self.gone(c), [])


if __name__ == "__main__":
    main()

"""checkpoint and restore, through CRIU: a container's processes go to files and come back with what they had in memory.

Layer: tests, on harness.py. Skipped where there is no criu, or it does not know this kernel (`criu check`).
SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import shutil
import subprocess
import unittest

from harness import PEER, RuntimeTest, main, wait_until

COUNT = "i=0; while true; do i=$((i+1)); echo $i > /count.tmp; mv /count.tmp /count; sleep 0.05; done"


def criu_works(*feature):
    if not shutil.which("criu"):
        return False
    return subprocess.run(["criu", "check", *feature], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0


@unittest.skipUnless(PEER == "caisson", "peer: their own tests cover it")
class WithoutCriu(RuntimeTest):
    def test_ItIsAnErrorThatNamesIt(self):
        c = self.container().up()
        no_criu = {**os.environ, "PATH": "/nowhere"}
        images = os.path.join(self.directory, "images")
        self.assertIn("no criu in $PATH", self.runtime("checkpoint", "--image-path", images, c.id, rc=1, env=no_criu).said)
        self.assertEqual(c.status(), "running")
        c.delete("--force")
        outcome = self.runtime("restore", "--bundle", c.bundle, "--image-path", images, c.id, rc=1, env=no_criu)
        self.assertIn("no criu in $PATH", outcome.said)

    def test_WhatDoesNotRunCannotBeCheckpointed(self):
        c = self.container("/bin/true")
        c.create()
        self.assertIn("cannot be checkpointed in created state", self.runtime("checkpoint", c.id, rc=1, cwd=self.directory).said)
        c.start()
        c.wait_stopped()
        self.assertIn("cannot be checkpointed in stopped state", self.runtime("checkpoint", c.id, rc=1, cwd=self.directory).said)

    def test_OptionsAreChecked(self):
        c = self.container().up()
        images = ["--image-path", os.path.join(self.directory, "images")]
        for flags, text in ((["--manage-cgroups-mode", "some"], "Invalid manage-cgroups-mode"), (["--empty-ns", "pid"], "pid"),
                            (["--parent-path", "/absolute"], "relative"), (["--page-server", "nothing"], "ADDRESS:PORT")):
            if not shutil.which("criu"):
                self.skipTest("machine: no criu")
            with self.subTest(flags=flags):
                self.assertIn(text, self.runtime("checkpoint", *images, *flags, c.id, rc=1).said)
        self.assertEqual(c.status(), "running")


@unittest.skipUnless(PEER == "caisson", "peer: their own tests cover it")
@unittest.skipUnless(criu_works(), "machine: no criu that knows this kernel")
class Checkpoint(RuntimeTest):
    def setUp(self):
        super().setUp()
        self.images = os.path.join(self.directory, "images")
        self.c = self.container("/bin/sh", "-c", COUNT)

    def count(self):
        path = os.path.join(self.c.rootfs, "count")
        return int(open(path).read() or 0) if os.path.exists(path) else 0

    def up(self):
        """With a plain /dev/null: what the harness gives is a file that was opened not to be reached through links."""
        self.c.create(stdin=subprocess.DEVNULL)
        self.c.start()

    def counts_on(self, since):
        wait_until(lambda: self.count() > since + 2, "the container counts on")

    def checkpoint(self, *flags, **options):
        return self.runtime("checkpoint", "--image-path", self.images, *flags, self.c.id, **options)

    def restore(self, *flags, **options):
        outcome = self.runtime("restore", "--detach", "--image-path", self.images, "--bundle", self.c.bundle, *flags, self.c.id,
                               rc=None, **{"stdin": subprocess.DEVNULL, **options})
        log = os.path.join(self.images, "restore.log")
        if outcome.rc and os.path.exists(log):
            with open(log, errors="replace") as file:
                self.fail(f"{outcome}\n{file.read()[-6000:]}")
        self.assertEqual(outcome.rc, 0, outcome)
        return outcome

    def there_and_back(self):
        self.up()
        self.counts_on(0)
        self.checkpoint()
        before = self.count()
        self.assertNotIn(self.c.id, self.runtime("list", "-q").out)
        self.restore()
        self.counts_on(before)
        self.assertLess(self.count(), before + 1000)
        return before

    def test_ItCountsOnWhereItWas(self):
        pid_file = os.path.join(self.directory, "pid")
        self.up()
        self.counts_on(0)
        self.checkpoint()
        before = self.count()
        self.restore("--pid-file", pid_file)
        self.counts_on(before)
        with open(pid_file) as file:
            self.assertEqual(int(file.read()), self.c.pid)
        self.assertEqual(self.c.status(), "running")
        self.assertEqual(self.c.exec("/bin/echo", "alive").out, "alive\n")

    def test_RestrictionsComeBackToo(self):
        self.c.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            {"names": ["chroot"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5}]}
        self.c.linux["resources"]["pids"] = {"limit": 50}
        self.up()
        self.counts_on(0)

        def seen():
            pid = self.c.pid
            with open(f"/proc/{pid}/status") as file:
                status = [line for line in file if line.startswith(("Cap", "NoNewPrivs", "Seccomp", "Uid"))]
            with open(f"/proc/{pid}/mountinfo") as file:
                mounts = sorted((line.split()[4], line.split()[5].split(",")[0]) for line in file)
            with open(f"/proc/{pid}/cgroup") as file:
                return status, mounts, file.read(), self.c.cgroup_value("pids", "pids.max")

        before = seen()
        self.checkpoint()
        self.restore()
        self.assertEqual(seen(), before)

    def test_ItMayRunOn(self):
        self.up()
        self.checkpoint("--leave-running")
        self.assertEqual(self.c.status(), "running")
        self.counts_on(self.count())

    def test_APausedOneIsKeptToo(self):
        """containerd pauses first, and resumes afterwards."""
        self.up()
        self.counts_on(0)
        self.runtime("pause", self.c.id)
        before = self.count()
        self.checkpoint("--leave-running")
        self.assertEqual(self.c.status(), "paused")
        self.assertEqual(self.count(), before)
        self.runtime("resume", self.c.id)
        self.counts_on(before)

    @unittest.skipUnless(criu_works("--feature", "mem_dirty_track"), "machine: does not tell which memory was written")
    def test_MemoryMayGoFirst(self):
        self.up()
        self.counts_on(0)
        first = os.path.join(self.directory, "first")
        self.runtime("checkpoint", "--pre-dump", "--image-path", first, self.c.id)
        self.assertEqual(self.c.status(), "running")
        self.checkpoint("--parent-path", "../first")
        before = self.count()
        self.restore()
        self.counts_on(before)

    def test_BindMountsComeFromTheHostAgain(self):
        shared = os.path.join(self.directory, "shared")
        os.mkdir(shared)
        with open(os.path.join(self.directory, "file"), "w") as file:
            file.write("text")
        self.c.mount("/shared", shared)
        self.c.mount("/etc/one-file", os.path.join(self.directory, "file"), "bind", ["bind", "ro"])
        self.there_and_back()
        self.assertEqual(self.c.exec("/bin/cat", "/etc/one-file").out, "text")
        self.c.exec("/bin/touch", "/shared/made")
        self.assertEqual(os.listdir(shared), ["made"])

    def test_ANamespaceGivenByItsPathIsJoinedAgain(self):
        holder = subprocess.Popen(["unshare", "-n", "sleep", "1000"])
        self.addCleanup(holder.wait)
        self.addCleanup(holder.kill)
        ours = os.readlink("/proc/self/ns/net")
        wait_until(lambda: os.readlink(f"/proc/{holder.pid}/ns/net") != ours, "a network namespace")
        self.c.namespace("network", f"/proc/{holder.pid}/ns/net")
        self.there_and_back()
        self.assertEqual(os.readlink(f"/proc/{self.c.pid}/ns/net"), os.readlink(f"/proc/{holder.pid}/ns/net"))

    def test_ACgroupNamespaceIsNoHindrance(self):
        self.c.namespace("cgroup")
        self.there_and_back()

    def test_ItsPipesAreThoseOfTheCallerAgain(self):
        self.c.shell("while read line; do echo got $line; done")
        self.c.write()
        ends = [os.pipe() for _ in range(2)]
        self.runtime("run", "--detach", "--bundle", self.c.bundle, self.c.id, stdin=ends[0][0], stdout=ends[1][1])
        os.write(ends[0][1], b"one\n")
        self.assertEqual(os.read(ends[1][0], 100), b"got one\n")
        self.checkpoint()
        with open(os.path.join(self.images, "descriptors.json")) as file:
            self.assertTrue(all(name.startswith(("pipe:", "file[")) for name in json.load(file)))
        others = [os.pipe() for _ in range(2)]
        self.restore(stdin=others[0][0], stdout=others[1][1])
        os.write(others[0][1], b"two\n")
        self.assertEqual(os.read(others[1][0], 100), b"got two\n")
        for pair in ends + others:
            for end in pair:
                os.close(end)

    def test_InTheForegroundItsExitStatusComesBack(self):
        self.c.shell("while ! test -e /end; do sleep 0.05; done; exit 7")
        self.up()
        self.checkpoint()
        call = self.begin("restore", "--image-path", self.images, "--bundle", self.c.bundle, self.c.id,
                          stdin=subprocess.DEVNULL)
        wait_until(lambda: self.c.id in self.runtime("list", "-q").out and self.c.status() == "running", "it is restored")
        self.c.file("/end")
        self.assertEqual(call.wait().rc, 7)

    def test_AContainerWithATerminalIsRefused(self):
        self.c.process["terminal"] = True
        self.c.write()
        outcome = self.runtime("restore", "--detach", "--image-path", self.images, "--bundle", self.c.bundle, self.c.id, rc=1)
        self.assertIn("a container with a terminal cannot", outcome.said)

    def test_WhatCriuRefusesIsToldWithItsLog(self):
        self.c.write()
        outcome = self.runtime("restore", "--detach", "--image-path", self.images, "--bundle", self.c.bundle, self.c.id, rc=1)
        self.assertIn("criu failed", outcome.said)
        self.assertIn("restore.log", outcome.said)
        self.assertNotIn(self.c.id, self.runtime("list", "-q").out)


if __name__ == "__main__":
    main()

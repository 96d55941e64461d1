"""Races: another container swaps a path for a symlink while the runtime works on it. Bounded loops; longer with CAISSON_LONG=1.

Layer: tests, on tests/runtime/harness.py. The racer is the probe's `exchange`, on the host side of a shared volume.
SPDX-License-Identifier: Apache-2.0
"""
import contextlib
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "runtime"))
from harness import LONG, RuntimeTest, main, probe_path  # noqa: E402
from terminal import ConsoleSocket  # noqa: E402

ROUNDS = 2000 if LONG else 25


class Race(RuntimeTest):
    def setUp(self):
        super().setUp()
        self.canary = os.path.join(self.directory, "canary")
        self.volume = os.path.join(self.directory, "volume")
        os.mkdir(self.canary)
        os.mkdir(self.volume)
        self.harmless = os.path.join(self.directory, "harmless")
        for path, text in ((os.path.join(self.canary, "marker"), "host-marker\n"), (self.harmless, "harmless\n")):
            with open(path, "w") as file:
                file.write(text)

    def exchange(self, first, second):
        racer = subprocess.Popen([probe_path(), "exchange", first, second])

        def stop():
            racer.kill()
            racer.wait()

        self.addCleanup(stop)
        self.calls.append(type("Racer", (), {"process": racer})())  # not a child that somebody left behind
        return stop

    def swap(self, name, target, directory=True):
        """Makes volume/name and volume/name.link and begins to exchange them."""
        path = os.path.join(self.volume, name)
        if directory:
            os.mkdir(path)
        else:
            open(path, "w").close()
        os.symlink(target, path + ".link")
        return self.exchange(path, path + ".link")

    def rounds(self, prepare, terminal=False):
        """Creates and deletes; returns how many were created."""
        created = 0
        for number in range(ROUNDS):
            c = self.container("/bin/sleep", "1000")
            prepare(c)
            with contextlib.ExitStack() as stack:
                flags = ()
                if terminal:  # one of its own: a create that fails may have connected
                    socket = stack.enter_context(ConsoleSocket(self.directory, f"console{number}.sock"))
                    flags = ("--console-socket", socket.path)
                if c.create(*flags, rc=None).rc == 0:
                    created += 1
                    self.look(c)
            self.runtime("delete", "--force", c.id, rc=None, meanwhile=self.reap)
            self.assertEqual(os.listdir(self.canary), ["marker"], "something was made on the host")
            self.containers.remove(c)
            self.assertFalse(os.path.isdir(os.path.join(self.root, c.id)))
        return created

    def look(self, c):
        """None of its mounts shows the host's canary (its own /tmp may well have a directory of that name by now)."""
        with open(f"/proc/{c.pid}/mountinfo") as file:
            for line in file:
                self.assertFalse(line.split()[3].endswith("/canary"), line)

    def test_CVE_2021_30465_AMountTargetThatIsSwapped(self):
        self.swap("target", self.canary)

        def prepare(c):
            c.mount("/vol", self.volume)
            c.mount("/vol/target/deep/er", "tmpfs", "tmpfs", [])

        self.assertGreater(self.rounds(prepare), 0, "none was made at all: the race proves nothing")

    def test_CVE_2021_30465_ARelativeSymlinkThatIsSwapped(self):
        self.swap("target", "../../../../../../../../../../.." + self.canary)

        def prepare(c):
            c.mount("/vol", self.volume)
            c.mount("/vol/target/file", self.harmless, "bind", ["bind"])

        self.rounds(prepare)

    def test_CVE_2023_28642_AProcThatIsSwapped(self):
        """The second container's /proc lies in a volume of the first."""
        self.swap("proc", self.canary)

        def prepare(c):
            c.config["root"]["path"] = c.rootfs
            os.rmdir(os.path.join(c.rootfs, "proc"))
            c.config["mounts"][0]["destination"] = "/vol/proc"
            c.config["mounts"].insert(0, {"destination": "/vol", "type": "bind", "source": self.volume, "options": ["rbind"]})
            c.linux["maskedPaths"], c.linux["readonlyPaths"] = [], []

        self.rounds(prepare)

    def test_CVE_2024_45310_AParentThatIsSwappedWhileDirectoriesAreMade(self):
        self.swap("parent", self.canary)

        def prepare(c):
            c.mount("/vol", self.volume)
            c.mount("/vol/parent/a/b/c/d/e", self.harmless, "bind", ["bind"])
            c.process["cwd"] = "/vol/parent/x/y/z"

        self.rounds(prepare)

    def test_CVE_2025_31133_ADevNullThatIsSwapped(self):
        os.makedirs(os.path.join(self.volume, "dev"))
        null = os.path.join(self.volume, "dev", "null")
        os.mknod(null, 0o666 | 0o020000, os.makedev(1, 3))
        os.symlink("/proc/version", null + ".link")
        self.exchange(null, null + ".link")
        for _ in range(ROUNDS):
            c = self.container("/bin/cat", "/secret")
            c.file("/secret", "secret\n")
            c.config["mounts"] = [m for m in c.config["mounts"] if not m["destination"].startswith("/dev")]
            c.mount("/dev", os.path.join(self.volume, "dev"))
            c.linux["maskedPaths"] = ["/secret"]
            self.assertEqual(c.run(rc=None).out, "")
            self.containers.remove(c)

    def test_CVE_2025_52565_AConsoleThatIsSwapped(self):
        os.makedirs(os.path.join(self.volume, "dev"))
        console = os.path.join(self.volume, "dev", "console")
        open(console, "w").close()
        os.symlink(os.path.join(self.canary, "marker"), console + ".link")
        self.exchange(console, console + ".link")

        def prepare(c):
            c.process["terminal"] = True
            c.config["mounts"] = [m for m in c.config["mounts"] if not m["destination"].startswith("/dev")]
            c.mount("/dev", os.path.join(self.volume, "dev"))
            c.mount("/dev/pts", "devpts", "devpts", ["newinstance", "ptmxmode=0666"])

        self.rounds(prepare, terminal=True)
        with open(os.path.join(self.canary, "marker")) as file:
            self.assertEqual(file.read(), "host-marker\n")

    def test_ADeviceDirectoryThatIsSwapped(self):
        self.swap("nodes", self.canary)

        def prepare(c):
            c.mount("/vol", self.volume)
            c.linux["devices"] = [{"path": f"/vol/nodes/n{i}", "type": "c", "major": 1, "minor": 3} for i in range(8)]

        self.rounds(prepare)


if __name__ == "__main__":
    main()

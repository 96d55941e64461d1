"""The escapes that runtimes have had, one law each: no path in the container's hands leads to the host.

Layer: tests, on tests/runtime/harness.py. Point it at another runtime with CAISSON_TEST_RUNTIME: known_holes_test.py does,
and expects it to find the holes that Debian 12's runc and crun have. Races are in race_test.py.
SPDX-License-Identifier: Apache-2.0
"""
import errno
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "runtime"))
from harness import PEER, RuntimeTest, main  # noqa: E402
from terminal import ConsoleSocket  # noqa: E402


class Escape(RuntimeTest):
    """A container and a canary directory of the host that must stay as it is."""

    def setUp(self):
        super().setUp()
        self.c = self.container("/bin/true")
        self.canary = os.path.join(self.directory, "canary")
        os.mkdir(self.canary, 0o777)
        os.chmod(self.canary, 0o777)
        self.marker = os.path.join(self.canary, "marker")
        with open(self.marker, "w") as file:
            file.write("host-marker\n")
        self.before = self.look()
        self.harmless = os.path.join(self.directory, "harmless")
        with open(self.harmless, "w") as file:
            file.write("harmless\n")

    def look(self):
        found = {}
        for name in os.listdir(self.canary):
            status = os.lstat(os.path.join(self.canary, name))
            found[name] = (status.st_mode, status.st_uid, status.st_size, status.st_rdev)
        return found

    def assert_untouched(self, outcome=""):
        self.assertEqual(self.look(), self.before, f"the host's directory changed: {outcome}")

    def without_mounts(self, *prefixes):
        self.c.config["mounts"] = [m for m in self.c.config["mounts"] if not m["destination"].startswith(prefixes)]

    def replace(self, path, target):
        """Replaces a directory or file of the root file system by a symlink."""
        full = self.c.rootfs + path
        if os.path.isdir(full) and not os.path.islink(full):
            os.rmdir(full)
        elif os.path.lexists(full):
            os.unlink(full)
        os.symlink(target, full)


class Targets(Escape):
    def test_CVE_2019_18837_ASymlinkedMountTargetIsNotFollowedOut(self):
        self.replace("/lnk", self.canary)
        self.c.mount("/lnk/a", "tmpfs", "tmpfs", [])
        self.assert_untouched(self.c.run(rc=None))

    def test_CVE_2019_18837_NorForAFile(self):
        self.replace("/lnk", self.canary)
        self.c.mount("/lnk/file", self.harmless, "bind", ["bind"])
        self.assert_untouched(self.c.run(rc=None))

    def test_CVE_2019_16884_NothingPosesAsProc(self):
        self.c.config["mounts"][0] = {"destination": "/proc", "type": "tmpfs", "source": "tmpfs", "options": []}
        self.c.linux["maskedPaths"], self.c.linux["readonlyPaths"] = [], []
        if PEER == "crun":  # it looks at the file system type when it writes instead
            self.skipTest("peer: decides elsewhere")
        self.c.run(rc=1)

    def test_CVE_2019_16884_ABindedDirectoryDoesNotPoseAsProcEither(self):
        self.c.config["mounts"][0] = {"destination": "/proc", "type": "bind", "source": self.canary, "options": ["rbind"]}
        self.c.linux["maskedPaths"], self.c.linux["readonlyPaths"] = [], []
        outcome = self.c.run(rc=None)
        self.assert_untouched(outcome)
        if PEER == "caisson":
            self.assertEqual(outcome.rc, 1)

    def test_CVE_2019_19921_ProcAndSysAreRealDirectories(self):
        for name in ("proc", "sys"):
            with self.subTest(name=name):
                self.c = self.container("/bin/true")
                os.mkdir(self.c.rootfs + "/evil")
                self.replace(f"/{name}", "/evil")
                self.c.run(rc=1)
                self.assert_nothing_left()

    def test_CVE_2026_41579_ADevThatIsASymlinkGetsNoNodesOnTheHost(self):
        self.without_mounts("/dev")
        self.replace("/dev", self.canary)
        self.assert_untouched(self.c.run(rc=None))

    def test_CVE_2026_41579_AskedDevicesStayInsideToo(self):
        self.replace("/lnk", self.canary)
        self.c.linux["devices"] = [{"path": "/lnk/node", "type": "c", "major": 1, "minor": 3}]
        self.assert_untouched(self.c.run(rc=None))

    def test_CVE_2024_45310_AMissingDirectoryIsNotMadeThroughASymlink(self):
        self.replace("/lnk", self.canary)
        self.c.mount("/lnk/a/b/c", self.harmless, "bind", ["bind"])
        self.assert_untouched(self.c.run(rc=None))

    def test_CVE_2025_24965_NoFileIsWrittenThroughAPrePlacedSymlink(self):
        victim = os.path.join(self.canary, "new")
        for path in ("/etc/hosts", "/etc/resolv.conf", "/etc/hostname", "/run/.containerenv", "/.dockerenv"):
            self.replace(path, victim)
            self.c.mount(path, self.harmless, "bind", ["bind", "ro"])
        self.assert_untouched(self.c.run(rc=None))

    def test_TheWorkingDirectoryIsNotMadeThroughASymlink(self):
        self.replace("/lnk", self.canary)
        self.c.process["cwd"] = "/lnk/made"
        self.assert_untouched(self.c.run(rc=None))

    def test_MaskedAndReadOnlyPathsThatAreSymlinksDoNotReachTheHost(self):
        self.replace("/lnk", self.marker)
        self.c.linux["maskedPaths"].append("/lnk")
        self.c.linux["readonlyPaths"].append("/lnk")
        self.assert_untouched(self.c.run(rc=None))

    def test_TmpcopyupCopiesNothingOfTheHost(self):
        self.replace("/lnk", self.canary)
        self.c.mount("/lnk", "tmpfs", "tmpfs", ["tmpcopyup"])
        self.c.shell("cat /lnk/marker")
        outcome = self.c.run(rc=None)
        self.assertNotIn("host-marker", outcome.out)
        self.assert_untouched(outcome)


class Devices(Escape):
    def own_dev(self, **links):
        """/dev is a directory that the attacker prepared."""
        dev = os.path.join(self.directory, "dev")
        os.mkdir(dev)
        for name, target in links.items():
            os.symlink(target, os.path.join(dev, name))
        self.without_mounts("/dev")
        self.c.mount("/dev", dev, "bind", ["rbind"])
        return dev

    def test_CVE_2025_31133_MasksDoNotTrustTheContainersDevNull(self):
        self.own_dev(null="/proc/version")
        self.c.file("/secret", "secret\n")
        self.c.linux["maskedPaths"] = ["/secret"]
        self.c.process["args"] = ["/bin/cat", "/secret"]
        outcome = self.c.run(rc=None)
        self.assertEqual(outcome.out, "", "empty, or refused")

    def test_CVE_2025_31133_NorADevNullInTheRoot(self):
        self.without_mounts("/dev")
        self.c.file("/secret", "secret\n")
        self.replace("/dev/null", "/proc/version")
        self.c.linux["maskedPaths"] = ["/secret"]
        self.c.process["args"] = ["/bin/cat", "/secret"]
        self.assertEqual(self.c.run(rc=None).out, "")

    def test_CVE_2025_52565_TheConsoleIsNotMountedThroughASymlink(self):
        dev = self.own_dev(console=self.marker, null="/nowhere")
        self.c.process["terminal"] = True
        self.c.process["args"] = ["/probe", "stat", "/dev/console"]
        with ConsoleSocket(self.directory) as console:
            outcome = self.c.run("-d", "--console-socket", console.path, rc=None)
            self.assert_untouched(outcome)
            if outcome.rc == 0:
                seen = console.receive().json()["/dev/console"]
                self.assertNotEqual(seen.get("size"), len("host-marker\n"), seen)
        self.assertEqual(os.readlink(os.path.join(dev, "console")), self.marker)

    def test_CVE_2025_52565_StandardDescriptorsAreTheTerminal(self):
        self.replace("/dev/console", "/proc/sysrq-trigger")
        self.c.process["terminal"] = True
        with ConsoleSocket(self.directory) as console:
            self.c.process["args"] = ["/probe"]
            outcome = self.c.run("-d", "--console-socket", console.path, rc=None)
            if outcome.rc == 0:
                self.assertEqual(console.receive().json()["tty_rdev_major"], 136)

    def test_CVE_2025_52881_ASysctlIsWrittenToTheRealFile(self):
        fake = os.path.join(self.directory, "fake")
        with open(fake, "w") as file:
            file.write("7\n")
        self.c.mount("/proc/sys/net/ipv4/ip_forward", fake, "bind", ["bind"])
        self.c.linux["sysctl"] = {"net.ipv4.ip_forward": "1"}
        self.c.run(rc=None)
        with open(fake) as file:
            self.assertEqual(file.read(), "7\n", "refused, or written to the real file")

    def test_CVE_2025_52881_NorToTheHostsByAProcOfTheHost(self):
        with open("/proc/sys/kernel/hostname") as file:
            name = file.read()
        self.c.config["mounts"][0] = {"destination": "/proc", "type": "bind", "source": "/proc", "options": ["rbind"]}
        self.c.namespace("pid", False)
        self.c.linux["readonlyPaths"], self.c.linux["maskedPaths"] = [], []
        self.c.run(rc=None)
        with open("/proc/sys/kernel/hostname") as file:
            self.assertEqual(file.read(), name)

    def test_DevicesOfTheHostCannotBeOpened(self):
        for kind in ("bounding", "effective", "permitted"):
            self.c.process["capabilities"][kind].append("CAP_MKNOD")
        self.c.shell("mknod /kmem c 1 2; mknod /kmsg c 1 11; mknod /disk b 254 0; head -c 1 /kmem; head -c 1 /kmsg; head -c 1 /disk")
        outcome = self.c.run(rc=None)
        self.assertEqual(outcome.out, "")


class Descriptors(Escape):
    def leak(self, number=50):
        """A directory of the host that the caller forgot to close."""
        fd = os.open(self.canary, os.O_RDONLY | os.O_DIRECTORY)
        os.dup2(fd, number, inheritable=True)
        os.close(fd)
        self.addCleanup(os.close, number)
        return number

    def test_CVE_2024_21626_ALeakedDescriptorIsNoWorkingDirectory(self):
        number = self.leak()
        for prefix in ("/proc/self/fd", "/proc/thread-self/fd", "/proc/1/fd"):
            with self.subTest(prefix=prefix):
                self.c = self.container("/bin/cat", "marker")
                self.c.process["cwd"] = f"{prefix}/{number}"
                self.assertNotIn("host-marker", self.c.run(rc=None, close_fds=False).out)

    def test_CVE_2024_21626_NorIsAnInternalOne(self):
        for number in range(3, 24):
            self.c = self.container("/bin/cat", "../" * 12 + self.marker.lstrip("/"))
            self.c.process["cwd"] = f"/proc/self/fd/{number}"
            outcome = self.c.run(rc=None)
            self.assertNotIn("host-marker", outcome.out, self.c.process["cwd"])

    def test_CVE_2024_21626_ExecTakesNoneEither(self):
        number = self.leak()
        c = self.container().up()
        for n in (*range(3, 16), number):
            outcome = c.exec("/bin/cat", "marker", flags=("--cwd", f"/proc/self/fd/{n}"), rc=None, close_fds=False)
            self.assertNotIn("host-marker", outcome.out)

    def test_CVE_2024_21626_OnlyThreeDescriptorsAreOpen(self):
        self.leak()
        self.c.process["args"] = ["/probe"]
        self.assertEqual(self.c.run(close_fds=False).json()["open_fds"], [0, 1, 2])

    def test_HooksGetNoDescriptorsOfTheRuntime(self):
        self.leak()
        log = os.path.join(self.directory, "log")
        listing = f"ls -l /proc/self/fd | sed -n 's|.* \\([0-9]*\\) -> |\\1 |p' >> {log}"
        hook = [{"path": "/bin/sh", "args": ["sh", "-c", listing], "env": ["PATH=/bin:/usr/bin"]}]
        self.c.config["hooks"] = {kind: hook for kind in ("prestart", "createRuntime", "createContainer", "poststart", "poststop")}
        self.c.run(close_fds=False)
        with open(log) as file:
            found = [line.split(" ", 1) for line in file.read().splitlines()]
        self.assertGreaterEqual(len(found), 15)
        self.assertEqual([entry for entry in found if int(entry[0]) > 2 and not entry[1].endswith("/fd")], [])

    def test_CVE_2019_5736_TheRuntimesFileCannotBeReopenedForWriting(self):
        self.c.process["args"] = ["/bin/sleep", "1000"]
        self.c.create()
        handle = os.open(f"/proc/{self.c.pid}/exe", os.O_PATH)
        self.addCleanup(os.close, handle)
        self.c.kill("KILL")
        self.c.wait_stopped()  # so that "text file busy" is not what saves it
        with self.assertRaises(OSError) as caught:
            os.close(os.open(f"/proc/self/fd/{handle}", os.O_WRONLY))
        self.assertIn(caught.exception.errno, (errno.EROFS, errno.EPERM, errno.EACCES))

    def test_CVE_2019_5736_AnEntrypointOfProcSelfExeIsHarmless(self):
        runtime = os.path.realpath(self.begin("--version").arguments[0])
        before = os.stat(runtime).st_mtime_ns, os.stat(runtime).st_size
        self.c.file("/entry", "#!/proc/self/exe\n", 0o755)
        self.c.process["args"] = ["/entry"]
        self.c.run(rc=None)
        self.assertEqual((os.stat(runtime).st_mtime_ns, os.stat(runtime).st_size), before)


class Privileges(Escape):
    def test_CVE_2016_3697_ANumericNameInPasswdIsNotTheUser(self):
        self.c.file("/etc/passwd2", "")
        os.unlink(self.c.rootfs + "/etc/passwd")  # a hard link of the template
        self.c.file("/etc/passwd", "1000:x:0:0:evil:/evil:/bin/sh\nroot:x:0:0::/root:/bin/sh\n")
        self.c.process["user"] = {"uid": 1000, "gid": 1000}
        seen = self.c.report()
        self.assertEqual((seen["uid"], seen["gid"]), (1000, 1000))
        c = self.container().up()
        os.unlink(c.rootfs + "/etc/passwd")
        c.file("/etc/passwd", "1000:x:0:0:evil:/evil:/bin/sh\n")
        self.assertEqual(c.exec("/probe", flags=("-u", "1000")).json()["uid"], 1000)

    def test_CVE_2022_29162_InheritableIsEmpty(self):
        self.assertEqual(self.c.report()["caps"]["inheritable"], 0)
        c = self.container().up()
        for flags in ((), ("--cap", "CAP_NET_ADMIN")):
            self.assertEqual(c.exec("/probe", flags=flags).json()["caps"]["inheritable"], 0)

    def test_CVE_2026_30892_ExecAsUserOneIsNotRoot(self):
        c = self.container().up()
        self.assertEqual(c.exec("/probe", flags=("-u", "1")).json()["uid"], 1)
        for bad in ("4294967296", "18446744073709551616", "-1"):
            outcome = c.exec("/probe", flags=(f"--user={bad}",), rc=None)
            if outcome.rc == 0:
                self.assertNotEqual(outcome.json()["uid"], 0, f"CVE-2024-40635: {bad}")

    def test_CVE_2023_25809_TheHostsCgroupsAreNotWritable(self):
        self.c.shell("for f in cgroup.procs release_agent notify_on_release; do for d in /sys/fs/cgroup /sys/fs/cgroup/*; do "
                     "test -e $d/$f && echo 0 > $d/$f && echo wrote $d/$f; done; done; true")
        outcome = self.c.run(rc=None)
        self.assertNotIn("wrote", outcome.out)

    def test_CVE_2023_25809_NorWithTheConfigOfSpecRootless(self):
        self.runtime("spec", "--rootless", cwd=self.c.bundle)
        with open(os.path.join(self.c.bundle, "config.json")) as file:
            spec = json.load(file)
        if "cgroup" in {n["type"] for n in spec["linux"]["namespaces"]}:
            spec["linux"]["namespaces"] = [n for n in spec["linux"]["namespaces"] if n["type"] != "cgroup"]
        self.c.config["mounts"] = spec["mounts"]
        self.c.linux["namespaces"] = spec["linux"]["namespaces"]
        self.c.linux["uidMappings"] = self.c.linux["gidMappings"] = [{"containerID": 0, "hostID": 0, "size": 1}]
        for mount in self.c.config["mounts"]:
            mount["options"] = [o for o in mount.get("options", []) if not o.startswith("gid=")]
        # what a host root could write, a mapped root can: only the mount's own read-only flag stands in between
        self.c.shell("for d in /sys/fs/cgroup/*; do test -e $d/cgroup.procs && (: >> $d/cgroup.procs) && echo wrote $d; done; true")
        outcome = self.c.run(rc=None)
        self.assertNotIn("wrote", outcome.out, outcome)

    def test_CVE_2022_0811_OnlyNamespacedSysctlsAreWritten(self):
        with open("/proc/sys/kernel/core_pattern") as file:
            before = file.read()
        for name in ("kernel.core_pattern", "kernel/core_pattern", "net.ipv4/../../kernel/core_pattern", "kernel.shmmni+kernel.core_pattern"):
            c = self.container("/bin/true")
            c.linux["sysctl"] = {name: before.strip()}
            c.run(rc=1)
        c = self.container("/bin/true")
        c.linux["sysctl"] = {"kernel.shmmni": "1000\nkernel.core_pattern=|/x"}
        c.run(rc=None)
        with open("/proc/sys/kernel/core_pattern") as file:
            self.assertEqual(file.read(), before)

    def test_CVE_2024_3154_AnnotationsGiveNoSystemdProperties(self):
        self.c.config["annotations"] = {"org.systemd.property.ExecStartPre": "'/bin/touch %s/pwned'" % self.canary,
                                        "org.systemd.property.TimeoutStopUSec": "uint64 1"}
        self.assert_untouched(self.c.run())

    def test_CVE_2016_9962_TheProcessThatEntersShowsNothing(self):
        c = self.container("/probe", "steal", "30")
        c.create()
        c.start()
        c.wait_output("ready")
        for _ in range(8):
            c.exec("/bin/true")
        with open(c.rootfs + "/stop", "w"):
            pass
        c.wait_stopped()
        lines = c.output.out().splitlines()
        self.assertRegex(lines[-1], r"^looked \d+$")
        self.assertEqual(lines[1:-1], [], "descriptors seen from inside")

    def test_CVE_2022_0492_CgroupsCannotBeMountedAgain(self):
        self.c.shell("mkdir /cg; mount -t cgroup -o memory x /cg && echo mounted; unshare -Urm mount -t cgroup -o memory x /cg && echo mounted; true")
        self.assertNotIn("mounted", self.c.run(rc=None).out)

    def test_IdsDoNotLeaveTheRoot(self):
        self.c.write()
        for name in ("..", ".", "../canary", "a/b", "", "/"):
            self.runtime("create", "--bundle", self.c.bundle, name, rc=1)
            if PEER == "caisson":  # crun 1.8.1 would remove the parent of its --root
                self.runtime("delete", "--force", name, rc=None)
            self.assert_untouched(name)

    def test_CVE_2021_43784_SeventyKilobytesAreAnErrorNotAnOverflow(self):
        for path in ("/" + "a" * 65535, "/" + "a" * 65536, "/" + "b" * 70000):
            c = self.container("/bin/true")
            c.namespace("network", path)
            outcome = c.run(rc=None)
            self.assertIn(outcome.rc, (1, 255), outcome)
            self.assert_nothing_left()


if __name__ == "__main__":
    main()

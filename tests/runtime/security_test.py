"""What a container must not reach: masked and read-only paths, sysctls, the runtime's own file, descriptors of the host.

Layer: tests, on harness.py. The holes with a CVE number are in tests/escape.
SPDX-License-Identifier: Apache-2.0
"""
import errno
import json
import os
import shutil
import stat
import subprocess
import time

from harness import PEER, RUNTIME, RuntimeTest, main, not_on, wait_until

O_RDONLY, O_WRONLY, O_RDWR = os.O_RDONLY, os.O_WRONLY, os.O_RDWR


class Paths(RuntimeTest):
    def test_MaskedFilesAreEmptyAndMaskedDirectoriesToo(self):
        c = self.container()
        c.file("/secret", "secret\n")
        c.file("/hidden/inner", "secret\n")
        c.linux["maskedPaths"] += ["/secret", "/hidden", "/proc/version", "/absent/path"]
        c.shell("cat /secret /proc/version | wc -c; ls -A /hidden | wc -l; echo x > /hidden/new; echo x > /secret; cat /secret | wc -c")
        outcome = c.run(rc=None)
        self.assertEqual(outcome.out.split(), ["0", "0", "0"])
        self.assertIn("Read-only", outcome.err)
        with open(c.rootfs + "/secret") as file:
            self.assertEqual(file.read(), "secret\n")

    def test_MasksComeAfterEveryMount(self):
        c = self.container()
        source = os.path.join(self.directory, "source")
        os.makedirs(source + "/masked")
        with open(source + "/masked/f", "w") as file:
            file.write("secret\n")
        c.mount("/data", source)
        c.linux["maskedPaths"].append("/data/masked")
        c.shell("ls -A /data/masked | wc -l")
        self.assertEqual(c.run().out.strip(), "0")

    def test_ReadOnlyPathsRefuseWrites(self):
        c = self.container()
        c.file("/etc/config", "kept\n")
        c.linux["readonlyPaths"] += ["/etc", "/absent/path"]
        c.shell("echo x > /etc/config; echo x > /etc/new; echo 1 > /proc/sys/kernel/printk; cat /etc/config")
        outcome = c.run()
        self.assertEqual(outcome.out, "kept\n")
        self.assertEqual(outcome.err.count("Read-only"), 3, outcome.err)

    def test_ReadOnlyPathsKeepTheirFlags(self):
        c = self.container()
        c.mount("/t", "tmpfs", "tmpfs", ["nosuid", "nodev", "noexec"])
        c.linux["readonlyPaths"].append("/t")
        for line in c.report()["mountinfo"].splitlines():
            if line.split()[4] == "/t":
                last = line.split()[5].split(",")
        self.assertLessEqual({"ro", "nosuid", "nodev", "noexec"}, set(last))

    def test_MasksCannotBeTakenAway(self):
        c = self.container("/bin/sh", "-c", "umount /proc/kcore; mount -o remount,rw,bind /proc/sys; echo 1 > /proc/sys/kernel/printk")
        err = c.run(rc=None).err
        self.assertIn("Read-only", err)

    def test_AMaskThatIsASymlinkMasksItsTargetInsideOnly(self):
        c = self.container()
        victim = os.path.join(self.directory, "victim")
        with open(victim, "w") as file:
            file.write("host\n")
        os.symlink(victim, c.rootfs + "/link")
        c.linux["maskedPaths"].append("/link")
        c.run(rc=None)
        with open(victim) as file:
            self.assertEqual(file.read(), "host\n")


class Sysctls(RuntimeTest):
    def test_NamespacedOnesAreSetInsideOnly(self):
        with open("/proc/sys/net/ipv4/ip_forward") as file:
            host = file.read()
        wanted = "0" if host.strip() == "1" else "1"
        c = self.container()
        c.linux["sysctl"] = {"net.ipv4.ip_forward": wanted, "kernel.shmmni": "1234", "fs.mqueue.msg_max": "77"}
        c.shell("cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmni /proc/sys/fs/mqueue/msg_max")
        self.assertEqual(c.run().out.split(), [wanted, "1234", "77"])
        with open("/proc/sys/net/ipv4/ip_forward") as file:
            self.assertEqual(file.read(), host)

    def test_TheSlashFormIsTakenForInterfacesWithDots(self):
        c = self.container()
        c.linux["sysctl"] = {"net/ipv4/ip_default_ttl": "77"}
        c.shell("cat /proc/sys/net/ipv4/ip_default_ttl")
        outcome = c.run(rc=None)
        self.assertIn((outcome.rc, outcome.out.strip()), ((0, "77"), (1, "")))

    def test_OthersAreRefused(self):
        with open("/proc/sys/kernel/core_pattern") as file:
            pattern = file.read()
        for name in ("kernel.core_pattern", "kernel.panic", "vm.swappiness", "fs.file-max", "user.max_user_namespaces", "kernel.shm_rmid_forcedx",
                     "kernel.shmmax+kernel.core_pattern", "kernel.shmmax\nkernel.core_pattern", "net.ipv4.ip_forward/../../../kernel/core_pattern",
                     "net/../kernel/core_pattern", "net/ipv4/../../kernel/core_pattern", "/kernel/core_pattern", "", ".", "..", "net"):
            with self.subTest(name=name):
                c = self.container()
                c.linux["sysctl"] = {name: "|/bin/true"}
                c.create(rc=1)
                self.assert_nothing_left()
        with open("/proc/sys/kernel/core_pattern") as file:
            self.assertEqual(file.read(), pattern)

    def test_WithoutTheNamespaceTheyAreRefused(self):
        for kind, name in (("network", "net.ipv4.ip_forward"), ("ipc", "kernel.shmmni"), ("ipc", "fs.mqueue.msg_max")):
            with self.subTest(name=name):
                c = self.container()
                c.namespace(kind, False)
                c.linux["sysctl"] = {name: "1"}
                c.create(rc=1)
                self.assert_nothing_left()

    def test_TheHostnameIsNotSetBySysctlWhenTheConfigHasOne(self):
        c = self.container()
        c.linux["sysctl"] = {"kernel.hostname": "other"}
        self.assertEqual(c.create(rc=None).rc, 1)

    def test_ABadValueIsACleanError(self):
        c = self.container()
        c.linux["sysctl"] = {"net.ipv4.ip_forward": "banana"}
        c.create(rc=1)
        self.assert_nothing_left()


class Self(RuntimeTest):
    def test_TheRuntimesFileCannotBeWrittenThroughInit(self):
        c = self.container()
        c.create()
        path = os.path.join("/proc", str(c.pid), "exe")
        before = self.fingerprint()
        handle = os.open(path, os.O_PATH)
        self.addCleanup(os.close, handle)
        for flags in (O_WRONLY, O_RDWR, O_WRONLY | os.O_TRUNC):
            with self.assertRaises(OSError) as caught:
                os.close(os.open(f"/proc/self/fd/{handle}", flags))
            self.assertIn(caught.exception.errno, (errno.EROFS, errno.EPERM, errno.ETXTBSY, errno.EACCES))
        c.kill("KILL")
        c.wait_stopped()
        if PEER == "caisson":  # the fence must not be ETXTBSY alone: it ends with the process
            with self.assertRaises(OSError) as caught:
                os.close(os.open(f"/proc/self/fd/{handle}", O_WRONLY))
            self.assertIn(caught.exception.errno, (errno.EROFS, errno.EPERM, errno.EACCES))
        self.assertEqual(self.fingerprint(), before)

    def fingerprint(self):
        found = os.stat(os.path.realpath(RUNTIME))
        return found.st_size, found.st_mtime_ns, found.st_ino

    def test_AnEntrypointThatIsTheRuntimeItselfIsHarmless(self):
        before = self.fingerprint()
        c = self.container("/entry")
        c.file("/entry", "#!/proc/self/exe\n", 0o755)
        c.run(rc=None, seconds=60)
        self.assertEqual(self.fingerprint(), before)

    def test_InitAndExecAreNotDumpableBeforeTheProgram(self):
        c = self.container()
        c.create()
        with open(f"/proc/{c.pid}/status") as file:
            self.assertIn("State", file.read())
        self.assertEqual(os.stat(f"/proc/{c.pid}/fd").st_uid, 0)
        c2 = self.container()
        c2.user_namespace()
        c2.create()
        # a dumpable process of that namespace would belong to 100000
        self.assertEqual(os.stat(f"/proc/{c2.pid}/mem").st_uid, 0)

    def test_TheProgramHasTheDumpabilityOfAnExec(self):
        self.assertEqual(self.container().report()["dumpable"], 1)


class Descriptors(RuntimeTest):
    def test_WhatTheCallerLeaksIsClosed(self):
        marker = os.path.join(self.directory, "marker")
        with open(marker, "w") as file:
            file.write("host\n")
        kept = []
        for number in (3, 7, 50, 500):
            fd = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fstat(number)
            except OSError:
                os.dup2(fd, number, inheritable=True)
                kept.append(number)
            os.close(fd)
        self.addCleanup(lambda: [os.close(number) for number in kept])
        seen = self.container()
        seen.process["args"] = ["/probe"]
        self.assertEqual(seen.run(close_fds=False).json()["open_fds"], [0, 1, 2])
        self.assertGreaterEqual(len(kept), 2)

    def test_CwdCannotBeADescriptorOfTheHost(self):
        marker = os.path.join(self.directory, "marker")
        with open(marker, "w") as file:
            file.write("host-marker\n")
        fd = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY)
        self.addCleanup(os.close, fd)
        os.set_inheritable(fd, True)
        for number in sorted({*range(3, 24), fd}):
            for prefix in ("/proc/self/fd", "/proc/1/fd", "/dev/fd"):
                c = self.container("/bin/cat", "marker")
                c.process["cwd"] = f"{prefix}/{number}"
                outcome = c.run(rc=None, close_fds=False)
                self.assertNotIn("host-marker", outcome.out, c.process["cwd"])

    def test_StandardDescriptorsMayBeClosed(self):
        c = self.container("/bin/sh", "-c", "exit 0")
        c.write()
        self.runtime("run", "--bundle", c.bundle, c.id, wrap=("/bin/sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"), rc=None)
        self.runtime("delete", "--force", c.id, rc=None)
        self.assert_nothing_left()


class State(RuntimeTest):
    def test_TheStateDirectoryIsRootsAlone(self):
        c = self.container().up()
        for path, folders, files in os.walk(os.path.join(self.root, c.id)):
            for name in ["", *folders, *files]:
                found = os.lstat(os.path.join(path, name) if name else path)
                self.assertEqual(found.st_uid, 0)
                self.assertEqual(stat.S_IMODE(found.st_mode) & 0o22, 0, os.path.join(path, name))

    def test_ADamagedStateIsAnErrorNotACrash(self):
        c = self.container().up()
        path = os.path.join(self.root, c.id, "state.json")
        with open(path) as file:
            whole = file.read()
        for text in ("", "{", "[]", whole[: len(whole) // 2], "\0" * 10):
            with self.subTest(text=text[:10]):
                with open(path, "w") as file:
                    file.write(text)
                for command in ("state", "list", "start", "ps"):
                    outcome = self.runtime(command, *([] if command == "list" else [c.id]), rc=None)
                    self.assertIn(outcome.rc, (0, 1), outcome)
        with open(path, "w") as file:
            file.write(whole)
        self.assertEqual(c.status(), "running")

    def test_AReusedPidIsNotTheContainer(self):
        if PEER != "caisson":
            self.skipTest("peer: its state file differs")
        c = self.container().up()
        path = os.path.join(self.root, c.id, "state.json")
        with open(path) as file:
            state = file.read()
        time.sleep(0.03)  # start times are counted in hundredths of a second: theirs must differ
        victim = self.begin_victim()
        changed = state.replace(str(c.pid), str(victim.pid))
        self.assertNotEqual(changed, state, "the pid is in the state file")
        with open(path, "w") as file:
            file.write(changed)
        try:
            self.assertEqual(c.status(), "stopped", "the start time is another")
            c.kill("KILL", rc=1)
            self.assertIsNone(victim.poll())
        finally:
            with open(path, "w") as file:
                file.write(state)
            victim.kill()
            victim.wait()

    def begin_victim(self):
        return subprocess.Popen(["/bin/sleep", "1000"])

    @not_on("runc-1.1", "a race between two creates of one id")
    def test_OnlyOneOfManyCreatesOfAnIdWins(self):
        c = self.container("/bin/sleep", "1000")
        c.write()
        calls = [self.begin("create", "--bundle", c.bundle, c.id) for _ in range(6)]
        results = [call.wait().rc for call in calls]
        self.assertEqual(sorted(results), [0] + [1] * 5)
        self.assertEqual(c.status(), "created")
        c.delete()
        self.assert_nothing_left()

    def test_ARuntimeThatIsKilledDuringCreateLeavesWhatDeleteForceRemoves(self):
        for delay in (0, 5, 10, 20, 40):
            c = self.container("/bin/sleep", "1000")
            c.write()
            call = self.begin("create", "--bundle", c.bundle, c.id)
            wait_until(lambda: os.path.isdir(os.path.join(self.root, c.id)) or call.process.poll() is not None, "it has begun")
            for _ in range(delay):
                os.listdir("/proc/self")
            call.process.kill()
            call.process.wait()
            c.delete("--force", rc=None)
        if PEER == "caisson":
            self.assert_nothing_left("after kill -9 and delete --force")
        else:
            self.sweep()
            for container in self.containers:
                shutil.rmtree(os.path.join(self.root, container.id), ignore_errors=True)


class Report(RuntimeTest):
    def test_CapabilitiesOutsideTheBoundingSetCannotBeRegained(self):
        c = self.container()
        c.shell("cat /proc/self/status")
        text = c.run().out
        bounding = [line.split()[1] for line in text.splitlines() if line.startswith("CapBnd")][0]
        self.assertEqual(int(bounding, 16), 1 << 5 | 1 << 10 | 1 << 29)

    def test_JsonOutputsParse(self):
        c = self.container().up()
        json.loads(self.runtime("state", c.id).out)
        json.loads(self.runtime("list", "--format", "json").out)


if __name__ == "__main__":
    main()

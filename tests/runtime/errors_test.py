"""Bad input: one clear error, exit 1, one line in the JSON log, and nothing left behind.

Layer: tests, on harness.py. Texts that engines search for are an API; they are runc's.
SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import re

from harness import PEER, RuntimeTest, default_config, main, since_runc
from machine import capability

LOG_TIME = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$"


class Refusing(RuntimeTest):
    """`refused` is the law all of these share."""

    def refused(self, container, *texts, command="create", write=True, flags=(), rc=1):
        if write:
            container.write()
        log = os.path.join(self.directory, f"log.{next(self.counter)}")
        outcome = self.runtime(command, *flags, "--bundle", container.bundle, container.id, rc=None,
                               globals=("--log", log, "--log-format", "json"))
        self.assertEqual(outcome.rc, rc, outcome)
        with open(log) as file:
            lines = file.read().splitlines()
        entry = json.loads(lines[-1])
        self.assertEqual(entry["level"], "error")
        self.assertRegex(entry["time"], LOG_TIME)
        if PEER == "caisson":
            self.assertEqual(len(lines), 1, lines)
            self.assertEqual(outcome.err.count(entry["msg"].split(": ")[-1]), 1, f"the message is on stderr too, once: {outcome.err!r}")
            self.assertIn(entry["msg"], outcome.err)
        for text in texts:
            self.assertRegex(entry["msg"], text)
        self.assert_nothing_left(f"after: {entry['msg'][:300]}")
        return entry["msg"]


class Config(Refusing):
    def test_ATruncatedConfigIsRefused(self):
        c = self.container()
        text = json.dumps(c.config)
        for part in (0, 1, 7, len(text) // 3, len(text) // 2, len(text) - 2, len(text) - 1):
            with self.subTest(part=part):
                with open(os.path.join(c.bundle, "config.json"), "w") as file:
                    file.write(text[:part])
                self.refused(c, write=False)

    def test_WrongTypesAreRefusedAndTheFieldIsNamed(self):
        rows = [
            ("root", []), ("root.path", 7), ("root.readonly", "yes"), ("hostname", 1), ("mounts", {}),
            ("mounts.0.destination", 3), ("mounts.0.options", "ro"), ("process.args", "sh"), ("process.env", {}),
            ("process.cwd", 1), ("process.user.uid", "0"), ("process.user.uid", -1), ("process.user.uid", 4294967296),
            ("process.user.gid", 1.5), ("process.user.additionalGids", [-1]), ("process.terminal", "true"),
            ("process.capabilities.bounding", "CAP_KILL"), ("process.rlimits", {}), ("process.rlimits.0.soft", "1024"),
            ("process.rlimits.0.soft", -1), ("process.noNewPrivileges", 1), ("process.oomScoreAdj", "high"),
            ("linux.namespaces", {}), ("linux.namespaces.0.type", 1), ("linux.uidMappings", {}),
            ("linux.resources.memory.limit", "64M"), ("linux.resources.memory.limit", 1.5), ("linux.resources.cpu.shares", -1),
            ("linux.resources.pids.limit", "10"), ("linux.resources.devices.0.allow", "no"), ("linux.maskedPaths", "x"),
            ("linux.sysctl", []), ("linux.seccomp", []), ("linux.seccomp.defaultAction", 1), ("linux.cgroupsPath", 1),
            ("hooks", []), ("hooks.prestart", {}), ("annotations", {"a": 1}), ("annotations", [])]
        for path, value in rows:
            with self.subTest(path=path, value=value):
                c = self.container()
                *parents, last = path.split(".")
                node = c.config
                for name in parents:
                    node = node[int(name)] if isinstance(node, list) else node.setdefault(name, {})
                if isinstance(node, list):
                    node[int(last)] = value
                else:
                    node[last] = value
                message = self.refused(c)
                if PEER == "caisson":
                    self.assertIn("config.json", message)
                    named = re.sub(r"\.(\d+)", r"[\1]", path)
                    self.assertIn(named, message)

    def test_ConfigThatIsNotAnObjectIsRefused(self):
        c = self.container()
        for text in ("[]", '"x"', "7", "{} {}", "{\"ociVersion\":\"1.0.2\"} trailing", "\0", "\xef\xbb\xbf{"):
            with self.subTest(text=text):
                if PEER != "caisson" and text.startswith("{"):
                    continue  # Go's decoder stops after the first value
                with open(os.path.join(c.bundle, "config.json"), "w") as file:
                    file.write(text)
                self.refused(c, write=False)

    def test_DeepNestingIsRefused(self):
        c = self.container()
        with open(os.path.join(c.bundle, "config.json"), "w") as file:
            file.write('{"a":' * 100000)
        self.refused(c, write=False)

    def test_AMissingConfigOrBundleIsRefused(self):
        c = self.container()
        self.refused(c, "config.json", write=False)
        c.bundle = os.path.join(self.directory, "nothing")
        self.refused(c, write=False)

    def test_ProcessMustBeThere(self):
        c = self.container()
        del c.config["process"]
        self.refused(c, "process")

    def test_ArgsMustNotBeEmpty(self):
        c = self.container()
        c.process["args"] = []
        self.refused(c, "args")

    def test_CwdMustBeAbsolute(self):
        c = self.container()
        c.process["cwd"] = "relative"
        self.refused(c, "(?i)cwd")

    def test_UnknownAndDuplicateNamespacesAreRefused(self):
        for extra in ({"type": "banana"}, {"type": "pid"}, {"type": ""}):
            with self.subTest(extra=extra):
                c = self.container()
                c.linux["namespaces"].append(extra)
                self.refused(c, "namespace|duplicated ns")

    def test_HostnameNeedsAUtsNamespace(self):
        c = self.container()
        c.namespace("uts", False)
        self.refused(c, "(?i)hostname.*uts namespace")

    def test_UnknownRlimitIsRefused(self):
        c = self.container()
        c.process["rlimits"] = [{"type": "RLIMIT_BANANA", "soft": 1, "hard": 1}]
        self.refused(c, "(?i)rlimit")

    def test_RaisingAHardLimitWithoutTheCapabilityIsAnError(self):
        c = self.container()
        c.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 2**30 + 5, "hard": 2**30 + 5}]
        if capability(24):
            c.process["rlimits"][0]["hard"] = 2**62  # above fs.nr_open: refused for everybody
        self.refused(c, "(?i)rlimit|operation not permitted")

    def test_AnUnknownFileSystemIsRefused(self):
        c = self.container()
        c.mount("/mnt", "none", "nosuchfs", [])
        self.refused(c, "/mnt", "no such device")

    def test_AMissingBindSourceIsRefused(self):
        c = self.container()
        c.mount("/mnt", os.path.join(self.directory, "absent"))
        self.refused(c, "absent", "no such file or directory")

    def test_AMissingRootIsRefused(self):
        c = self.container()
        c.config["root"]["path"] = "absent"
        self.refused(c, "absent|rootfs|root")

    def test_ARootThatIsAFileIsRefused(self):
        c = self.container()
        c.config["root"]["path"] = "rootfs/bin/busybox"
        self.refused(c)

    def test_ATinyMemoryLimitIsACleanError(self):
        c = self.container()
        c.linux["resources"]["memory"] = {"limit": 4096}
        self.refused(c, command="run")


class Long(Refusing):
    """70 kB where a short text is expected (CVE-2021-43784: a length field overflowed)."""

    def test_LongPathsAreErrorsNotCorruption(self):
        text = "/" + "x" * 70000
        rows = {
            "destination": lambda c: c.mount(text, "tmpfs", "tmpfs", []),
            "source": lambda c: c.mount("/mnt", text),
            "type": lambda c: c.mount("/mnt", "x", text, []),
            "option": lambda c: c.mount("/mnt", "tmpfs", "tmpfs", [text]),
            "namespace": lambda c: c.namespace("network", text),
            "root": lambda c: c.config["root"].update(path=text),
            "cwd": lambda c: c.process.update(cwd=text),
            "hostname": lambda c: c.config.update(hostname=text),
            "cgroup": lambda c: c.linux.update(cgroupsPath=self.cgroup + text),
            "hook": lambda c: c.config.update(hooks={"createRuntime": [{"path": text}]}),
            "capabilities": lambda c: c.linux["namespaces"].append({"type": text}),
            "program": lambda c: c.process.update(args=[text]),
            "device": lambda c: c.linux.update(devices=[{"path": text, "type": "c", "major": 1, "minor": 3}]),
        }
        for name, edit in rows.items():
            with self.subTest(name=name):
                c = self.container()
                edit(c)
                self.refused(c)

    def test_LongArgumentsAndVariablesArriveWhole(self):
        c = self.container("/bin/sh", "-c", "echo ${#BIG} ${#1}", "sh", "y" * 70000)
        c.process["env"].append("BIG=" + "x" * 70000)
        c.config["annotations"] = {"big": "z" * 70000}
        self.assertEqual(c.run().out.split(), ["70000", "70000"])

    def test_ThousandsOfMountsNamespacesAndHooksStayIntact(self):
        c = self.container("/bin/sh", "-c", "grep -c ' /mnt/' /proc/self/mountinfo")
        for i in range(1200):
            c.mount(f"/mnt/{i:04d}" + "x" * 60, "tmpfs", "tmpfs", ["size=4k"])
        self.assertEqual(c.run().out.strip(), "1200")

    def test_ManyNamespacesAreRefused(self):
        c = self.container()
        c.linux["namespaces"] += [{"type": "network", "path": "/proc/self/ns/net" + "/." * 30}] * 2000
        self.refused(c)


class Program(Refusing):
    """Docker and podman turn these texts into 126 and 127."""

    def test_NotFoundByPathSaysStat(self):
        c = self.container("/absent")
        message = self.refused(c, "no such file or directory")
        if PEER != "crun":
            self.assertIn('exec: "/absent": stat /absent: no such file or directory', message)

    def test_NotFoundInPathSaysSo(self):
        c = self.container("absent")
        self.refused(c, r'exec: "absent": executable file not found in \$PATH')

    def test_NotExecutableSaysPermissionDenied(self):
        c = self.container("/etc/passwd")
        self.refused(c, "permission denied")

    def test_ADirectorySaysSo(self):
        c = self.container("/etc")
        self.refused(c, "is a directory|permission denied")

    def test_AFileAsDirectorySaysNotADirectory(self):
        c = self.container("/etc/passwd/x")
        self.refused(c, "not a directory")

    def test_ABrokenBinaryFailsAtStartOnly(self):
        c = self.container("/bin/broken")
        c.file("/bin/broken", "\x7fELF garbage", 0o755)
        c.create()
        c.start(rc=None)
        c.wait_stopped()
        c.delete()
        self.assert_nothing_left()

    def test_RunSaysTheSameAsCreate(self):
        c = self.container("absent")
        self.refused(c, r"executable file not found in \$PATH", command="run")

    def test_PathOfTheContainerIsSearched(self):
        c = self.container("mine")
        c.file("/opt/mine", "#!/bin/sh\necho found\n", 0o755)
        c.process["env"] = ["PATH=/nowhere:/opt:/bin"]
        self.assertEqual(c.run().out, "found\n")


class CommandLine(Refusing):
    def test_BadIdsAreRefusedAndNoDirectoryIsTouched(self):
        c = self.container()
        c.write()
        canary = os.path.join(self.directory, "canary")
        os.mkdir(canary)
        for name in ("", ".", "..", "../canary", "a/b", "/abs", "a b", "a\nb", "ä", "a\0b"[:1] + "*", "x" * 1025):
            with self.subTest(name=name[:20]):
                outcome = self.runtime("create", "--bundle", c.bundle, name, rc=1)
                if PEER == "caisson" or len(name) < 1025:
                    self.assertRegex(outcome.err, "(?i)invalid (container )?id|container id|argument")
                for command in ("state", "kill", "start", *(["delete"] if PEER != "crun" else [])):
                    self.assertEqual(self.runtime(command, name, rc=None).rc, 1, f"{command} {name!r}")
                self.assert_nothing_left()
                self.assertTrue(os.path.isdir(canary))

    @since_runc("1.2", "a forced delete that checks ids")
    def test_DeleteForceDoesNotLeaveTheRoot(self):
        os.makedirs(self.root)
        victim = os.path.join(self.directory, "victim")
        os.mkdir(victim)
        self.runtime("delete", "--force", "../victim", rc=None)
        self.assertTrue(os.path.isdir(victim))

    def test_IdsWithEveryAllowedSignWork(self):
        c = self.container("/bin/true")
        c.id = "Az09_+.-" + "x" * 100
        c.run()

    def test_UnknownSignalIsRefusedAndTheContainerLives(self):
        c = self.container().up()
        for name in ("NOPE", "SIGNOPE", "0x9", "-1", "999", "9x"):
            with self.subTest(name=name):
                outcome = self.runtime("kill", c.id, name, rc=1) if not name.startswith("-") else \
                    self.runtime("kill", c.id, name, rc=None)
                if name == "NOPE":
                    self.assertIn("signal", outcome.err)
        self.assertEqual(c.status(), "running")

    def test_UnknownCommandIs3AndUnknownFlagIs1(self):
        self.runtime("banana", rc=3)
        self.runtime("create", "--banana", "x", rc=1)
        self.runtime("state", "x", rc=1, globals=("--banana",))

    def test_WrongNumberOfArgumentsIsRefused(self):
        for line in (["state"], ["create"], ["start", "a", "b"], ["delete", "a", "b"], ["exec"], ["exec", "a"], ["kill"]):
            with self.subTest(line=line):
                outcome = self.runtime(*line, rc=None)
                self.assertIn(outcome.rc, (1, 255), outcome)
                self.assertNotEqual(outcome.out + outcome.err, "")

    def test_SingleDashLongFlagsAreTaken(self):
        c = self.container("/bin/true")
        c.write()
        self.runtime("run", "-bundle", c.bundle, "-no-new-keyring", c.id)

    def test_FlagsMayHaveEqualsSigns(self):
        c = self.container("/bin/true")
        c.write()
        self.runtime("run", f"--bundle={c.bundle}", f"--pid-file={self.directory}/pid", c.id)

    def test_APidFileThatCannotBeWrittenUndoesTheCreate(self):
        c = self.container()
        self.refused(c, "(?i)pid", flags=("--pid-file", os.path.join(self.directory, "no/such/dir/pid"))
                     ) if PEER == "caisson" else self.skipTest("peer: runc reports only the system call")

    def test_ADetachedTerminalNeedsASocket(self):
        c = self.container()
        c.process["terminal"] = True
        self.refused(c, "cannot allocate tty if .* will detach without setting console socket")

    def test_AConsoleSocketNeedsATerminal(self):
        c = self.container()
        self.refused(c, "cannot use console socket if .* will not detach or allocate tty",
                     flags=("--console-socket", os.path.join(self.directory, "none")))

    def test_AConsoleSocketNobodyListensToIsRefused(self):
        c = self.container()
        c.process["terminal"] = True
        self.refused(c, flags=("--console-socket", os.path.join(self.directory, "none")))

    def test_TextLogIsNotJson(self):
        log = os.path.join(self.directory, "log")
        self.runtime("state", "nobody", rc=1, globals=("--log", log))
        with open(log) as file:
            text = file.read()
        self.assertIn("does not exist", text)
        self.assertFalse(text.startswith("{"))

    def test_SuccessLogsNothing(self):
        log = os.path.join(self.directory, "log")
        c = self.container("/bin/true")
        c.write()
        self.runtime("run", "--bundle", c.bundle, c.id, globals=("--log", log, "--log-format", "json"))
        self.assertTrue(not os.path.exists(log) or os.path.getsize(log) == 0)

    def test_TheLogIsAppendedTo(self):
        log = os.path.join(self.directory, "log")
        for _ in range(2):
            self.runtime("state", "nobody", rc=1, globals=("--log", log, "--log-format", "json"))
        with open(log) as file:
            self.assertEqual([json.loads(line)["level"] for line in file], ["error", "error"])

    def test_AnUnwritableLogIsAnError(self):
        self.runtime("list", rc=1, globals=("--log", os.path.join(self.directory, "no/dir/log")))

    def test_UnknownKeysAreIgnored(self):
        config = default_config()
        config["future"] = {"a": [1, 2]}
        config["linux"]["future"] = True
        config["process"]["future"] = None
        c = self.container("/bin/true", config=config)
        c.run()


if __name__ == "__main__":
    main()

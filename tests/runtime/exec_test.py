"""A second process in a running container: every flag of exec, what it inherits and what it must not.

Layer: tests, on harness.py.
SPDX-License-Identifier: Apache-2.0
"""
import fcntl
import json
import os
import signal

from harness import PEER, RuntimeTest, main, since_runc, wait_until
from machine import cgroup_mounts
from process_test import CAPS, mask
from terminal import ConsoleSocket, run_on_terminal

FAILED = 255  # what exec returns for its own failures


class Exec(RuntimeTest):
    def setUp(self):
        super().setUp()
        self.c = self.container()

    def report(self, *flags):
        return self.c.exec("/probe", flags=flags).json()

    def test_ItIsInTheContainersNamespacesAndCgroups(self):
        self.c.up()
        seen = self.report()
        init = self.c.pid
        for name in ("pid", "net", "ipc", "uts", "mnt"):
            self.assertEqual(seen["namespaces"][name], os.readlink(f"/proc/{init}/ns/{name}"))
        with open(f"/proc/{init}/cgroup") as file:
            self.assertEqual(seen["cgroup"], file.read())
        self.assertEqual(seen["hostname"], "caisson-test")
        self.assertNotEqual(seen["pid"], 1)
        self.assertEqual(seen["open_fds"], [0, 1, 2])
        self.assertEqual((seen["blocked"], seen["ignored"], seen["pdeathsig"]), ([], [], 0))

    def test_EnvReplacesTheContainers(self):
        self.c.up()
        self.assertEqual(self.c.exec("/bin/sh", "-c", "echo $PATH", flags=["-e", "PATH=/other:/bin"]).out, "/other:/bin\n")

    def test_TheUsersRightsDoNotLimitTheCwd(self):
        self.c.up()
        self.c.exec("/bin/mkdir", "-m", "700", "/closed")
        self.assertEqual(self.c.exec("/bin/pwd", flags=["-u", "1000", "--cwd", "/closed"]).out, "/closed\n")

    def test_AMissingWorkingDirectoryIsAnErrorAndNotMade(self):
        self.c.up()
        outcome = self.c.exec("/bin/pwd", flags=["--cwd", "/missing"], rc=255)
        self.assertIn('chdir to cwd ("/missing") set in config.json failed: no such file or directory', outcome.said)
        self.assertFalse(os.path.exists(os.path.join(self.c.rootfs, "missing")))

    @since_runc("1.2", "ambient capabilities of an exec")
    def test_CapIsAmbientWhereTheConfigLetsChildrenInherit(self):
        self.c.process["capabilities"]["inheritable"] = ["CAP_CHOWN"]
        self.c.process["capabilities"]["bounding"].append("CAP_CHOWN")
        self.c.up()
        self.assertEqual(self.report("--cap", "CAP_CHOWN")["caps"]["ambient"], 1)
        self.assertEqual(self.report("--cap", "CAP_NO_SUCH")["caps"]["ambient"], 0)

    @since_runc("1.2", "this text")
    def test_WhatExecveRefusesIsToldAsGoWouldTellIt(self):
        self.c.file("/run.sh", "#!/no/such/interpreter\n", 0o755)
        self.c.up()
        self.assertIn("exec /run.sh: no such file or directory", self.c.exec("/run.sh", rc=255).err)
        for path in ("..", "../.."):
            outcome = self.c.exec("/bin/true", flags=["--cgroup", path], rc=255)
            self.assertIn("bad sub cgroup path: ", outcome.err)
            self.assertIn(" is not a sub cgroup path", outcome.err)

    def test_ExitCodesAndSignalsComeBack(self):
        self.c.up()
        for code in (0, 1, 42, 126, 255):
            self.c.exec("/bin/sh", "-c", f"exit {code}", rc=code)
        self.c.exec("/bin/sh", "-c", "kill -TERM $$", rc=128 + 15)

    def test_StreamsAreTheCallers(self):
        self.c.up()
        outcome = self.c.exec("/bin/sh", "-c", "cat; echo no >&2", stdin="yes\n")
        self.assertEqual((outcome.out, outcome.err), ("yes\n", "no\n"))

    def test_TheConfigsUserEnvCwdAndCapabilitiesAreInherited(self):
        self.c.process["user"] = {"uid": 1000, "gid": 1000, "additionalGids": [2000]}
        self.c.process["env"].append("FROM=config")
        self.c.process["cwd"] = "/tmp"
        self.c.up()
        seen = self.report()
        self.assertEqual((seen["uid"], seen["gid"], seen["cwd"]), (1000, 1000, "/tmp"))
        self.assertIn(2000, seen["groups"])
        self.assertIn("FROM=config", seen["env"])
        self.assertEqual(seen["caps"]["bounding"], mask("CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"))
        self.assertEqual(seen["no_new_privs"], 1)

    def test_FlagsChangeThem(self):
        self.c.up()
        seen = self.report("--cwd", "/usr", "-e", "A=1", "-e", "B=2", "-u", "1000:1001", "-g", "5", "-g", "7")
        self.assertEqual((seen["cwd"], seen["uid"], seen["gid"]), ("/usr", 1000, 1001))
        self.assertLessEqual({"A=1", "B=2"}, set(seen["env"]))
        self.assertLessEqual({5, 7}, set(seen["groups"]))

    def test_UserFormsAreNumbersOnly(self):
        self.c.up()
        self.assertEqual(self.report("-u", "1")["uid"], 1, "CVE-2026-30892")
        self.assertEqual(self.report("--user=7")["uid"], 7)
        for bad in ("1:", ":1", "-1", "4294967296", "18446744073709551616", "x", "1:x", "1 ", "0x1", "1:4294967296"):
            with self.subTest(bad=bad):
                outcome = self.c.exec("/probe", flags=(f"--user={bad}",), rc=None)
                if PEER == "caisson":
                    self.assertEqual(outcome.rc, FAILED, outcome)
                elif outcome.rc == 0:
                    self.assertIn(outcome.json()["uid"], (1, 0))

    def test_CapAddsButNeverInheritable(self):
        self.c.up()
        seen = self.report("--cap", "CAP_NET_ADMIN", "--cap", "CAP_CHOWN")["caps"]
        expected = mask("CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_NET_ADMIN", "CAP_CHOWN")
        self.assertEqual(seen["bounding"], expected)
        self.assertEqual(seen["effective"], expected)
        self.assertEqual(seen["inheritable"], 0, "CVE-2022-29162")

    def test_NoNewPrivsCanBeAsked(self):
        self.c.process["noNewPrivileges"] = False
        self.c.up()
        self.assertEqual(self.report()["no_new_privs"], 0)
        self.assertEqual(self.report("--no-new-privs")["no_new_privs"], 1)

    def test_AProcessFileReplacesEverything(self):
        self.c.up()
        path = os.path.join(self.directory, "process.json")
        with open(path, "w") as file:
            json.dump({"user": {"uid": 5, "gid": 6, "additionalGids": [9], "umask": 0o77}, "args": ["/probe", "report", "x"],
                       "env": ["ONLY=this", "HOME=/h"], "cwd": "/tmp", "noNewPrivileges": False, "oomScoreAdj": 77,
                       "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 50, "hard": 60}],
                       "capabilities": {k: ["CAP_CHOWN"] for k in ("bounding", "effective", "permitted", "ambient", "inheritable")}}, file)
        seen = self.runtime("exec", "--process", path, self.c.id).json()
        self.assertEqual((seen["uid"], seen["gid"], seen["cwd"]), (5, 6, "/tmp"))
        if PEER != "runc-1.1":
            self.assertEqual((seen["umask"], seen["oom_score_adj"]), (0o77, 77))
        self.assertEqual(sorted(seen["env"]), ["HOME=/h", "ONLY=this"])
        self.assertEqual(seen["rlimits"]["RLIMIT_NOFILE"], [50, 60])
        self.assertEqual(seen["caps"]["effective"], 1 << CAPS["CAP_CHOWN"])
        self.assertEqual(seen["no_new_privs"], 0)
        self.assertEqual(seen["args"][2:], ["x"])

    def test_AProcessFileWithErrorsIsRefused(self):
        self.c.up()
        for text in ("", "{", "[]", '{"args":"sh"}', '{"args":[],"cwd":"/"}', '{"args":["/probe"],"cwd":"/","user":{"uid":-1}}'):
            with self.subTest(text=text):
                path = os.path.join(self.directory, "process.json")
                with open(path, "w") as file:
                    file.write(text)
                outcome = self.runtime("exec", "--process", path, self.c.id, rc=None)
                self.assertIn(outcome.rc, (1, FAILED) if PEER != "caisson" else (FAILED,), outcome)
                self.assertNotEqual(outcome.err, "")
        self.assertEqual(self.c.status(), "running")

    def test_DetachedExecLeavesItsPidAndParent(self):
        self.c.up()
        path = os.path.join(self.directory, "exec.pid")
        outcome = self.c.exec("/bin/sh", "-c", "exit 9", flags=("--detach", "--pid-file", path))
        self.assertEqual(outcome.err, "")
        with open(path) as file:
            text = file.read()
        self.assertRegex(text, r"^\d+$", "no newline")
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(int(text), 0)[1]), 9)

    def test_ShortFlagsOfShimsWork(self):
        self.c.up()
        path = os.path.join(self.directory, "exec.pid")
        self.c.exec("/bin/true", flags=("-d", "--pid-file", path))
        self.reap()

    def test_ATerminalThroughTheConsoleSocket(self):
        self.c.up()
        with ConsoleSocket(self.directory) as console:
            self.c.exec("/probe", flags=("-t", "-d", "--console-socket", console.path))
            seen = console.receive().json()
        self.assertEqual((seen["tty"], seen["tty_rdev_major"], seen["controlling_tty"]), ([True] * 3, 136, True))
        self.assertEqual(seen["open_fds"], [0, 1, 2])

    def test_AForegroundTerminal(self):
        self.c.up()
        with run_on_terminal(self, "exec", "-t", self.c.id, "/bin/sh", "-c", "read l; echo got $l; stty size; exit 4", size=(31, 61)) as s:
            s.write(b"word\n")
            s.wait_for("got word")
            s.wait_for("31 61")
            self.assertEqual(s.wait(), 4)

    def test_ADetachedTerminalNeedsASocket(self):
        self.c.up()
        outcome = self.c.exec("/bin/true", flags=("-t", "-d"), rc=FAILED)
        self.assertIn("without setting console socket", outcome.err)

    def test_PreservedDescriptorsArrive(self):
        self.c.up()
        source = fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, 100)
        os.dup2(source, 3, inheritable=True)
        os.close(source)
        self.addCleanup(os.close, 3)
        seen = self.c.exec("/probe", flags=("--preserve-fds", "1"), close_fds=False).json()
        self.assertEqual(seen["open_fds"], [0, 1, 2, 3])

    def test_LeakedDescriptorsOfTheCallerAreClosed(self):
        self.c.up()
        leak = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
        self.addCleanup(os.close, leak)
        os.set_inheritable(leak, True)
        self.assertEqual(self.c.exec("/probe", close_fds=False).json()["open_fds"], [0, 1, 2])

    def test_SeccompAppliesToExec(self):
        self.c.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
                                   "syscalls": [{"names": ["getpriority"], "action": "SCMP_ACT_ERRNO", "errnoRet": 99}]}
        self.c.up()
        self.assertEqual(self.report()["seccomp"], 2)
        self.assertEqual(self.c.exec("/probe", "syscall", "140", "0", "0").json(), {"result": -1, "errno": 99})

    def test_ItJoinsAUserNamespace(self):
        self.c.user_namespace()
        self.c.up()
        seen = self.report()
        self.assertEqual(seen["uid"], 0)
        self.assertEqual(seen["uid_map"].split(), ["0", "100000", "65536"])
        self.assertEqual(seen["namespaces"]["user"], os.readlink(f"/proc/{self.c.pid}/ns/user"))

    def test_ItWorksInACreatedContainer(self):
        self.c.process["args"] = ["/bin/sleep", "1000"]
        self.c.create()
        self.assertEqual(self.c.exec("/bin/echo", "early").out, "early\n")

    def test_SignalsAreForwardedInTheForeground(self):
        self.c.up()
        call = self.begin("exec", self.c.id, "/probe", "signals")
        wait_until(lambda: "ready" in call.out(), "ready")
        call.process.send_signal(signal.SIGUSR1)
        wait_until(lambda: "10\n" in call.out(), "SIGUSR1 arrived")
        call.process.send_signal(signal.SIGUSR2)
        self.assertEqual(call.wait().rc, 42)

    def test_OutputOfADetachedProcessDoesNotHoldTheRuntime(self):
        self.c.up()
        self.c.exec("/bin/sleep", "1000", flags=("-d",), seconds=30)

    @since_runc("1.2", "exec --process with a scheduler")
    def test_AProcessFileSetsSchedulerAndIoPriority(self):
        self.c.up()
        path = os.path.join(self.directory, "process.json")
        with open(path, "w") as file:
            json.dump({"user": {"uid": 0, "gid": 0}, "args": ["/probe"], "env": [], "cwd": "/",
                       "scheduler": {"policy": "SCHED_BATCH", "nice": 2}, "ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 6}}, file)
        seen = self.runtime("exec", "-p", path, self.c.id).json()
        self.assertEqual((seen["scheduler"]["policy"], seen["scheduler"]["nice"], seen["ioprio"]), (3, 2, 2 << 13 | 6))

    @since_runc("1.3", "execCPUAffinity")
    def test_CpuAffinityIsFinal(self):
        self.c.process["execCPUAffinity"] = {"initial": "0", "final": "0"}
        self.c.up()
        self.assertEqual(self.report()["affinity"], [0])


class Refused(RuntimeTest):
    def test_FailuresAre255WithRuncsTexts(self):
        c = self.container().up()
        rows = [(["/absent"], 'exec: "/absent": stat /absent: no such file or directory'),
                (["absent"], r'exec: "absent": executable file not found in $PATH'), (["/etc/passwd"], "permission denied")]
        for arguments, text in rows:
            with self.subTest(arguments=arguments):
                outcome = c.exec(*arguments, rc=FAILED)
                self.assertIn(text, outcome.said)
        self.assertRegex(c.exec("/etc", rc=FAILED).err, "is a directory|permission denied")
        self.assertEqual(c.status(), "running")

    def test_AFailureLeavesNoProcessBehind(self):
        c = self.container().up()
        before = set(self.pids(c))
        for _ in range(5):
            c.exec("/absent", rc=FAILED)
        wait_until(lambda: set(self.pids(c)) == before, "only init is left")

    def pids(self, c):
        with open(c.cgroup("pids", "cgroup.procs")) as file:
            return [int(line) for line in file]

    def test_JsonLogHasOneLine(self):
        c = self.container().up()
        log = os.path.join(self.directory, "log")
        self.runtime("exec", c.id, "/absent", rc=FAILED, globals=("--log", log, "--log-format", "json"))
        with open(log) as file:
            lines = [json.loads(line) for line in file]
        self.assertEqual(lines[-1]["level"], "error")
        self.assertIn("no such file or directory", lines[-1]["msg"])
        if PEER == "caisson":
            self.assertEqual(len(lines), 1)

    def test_AStoppedContainerRefuses(self):
        c = self.container("/bin/true").up()
        c.wait_stopped()
        self.assertIn("cannot exec in a stopped container", c.exec("/bin/true", rc=FAILED).err)

    def test_APausedContainerRefusesUnlessAskedTo(self):
        c = self.container().up()
        self.runtime("pause", c.id)
        self.assertIn("cannot exec in a paused container (use --ignore-paused to override)", c.exec("/bin/true", rc=FAILED).err)
        call = self.begin("exec", "--ignore-paused", c.id, "/bin/echo", "thawed")
        self.runtime("resume", c.id)
        outcome = call.wait()
        if outcome.rc == 0:  # it may have been refused only if it ran before pause, which it did not
            self.assertEqual(outcome.out, "thawed\n")
        self.assertEqual(outcome.rc, 0, outcome)

    def test_CgroupFlagNamesASubCgroup(self):
        if PEER == "runc-1.1":
            self.skipTest("peer: v1 syntax differs")
        c = self.container().up()
        os.mkdir(c.cgroup("pids", "sub"))
        v1 = "pids" in cgroup_mounts()
        seen = c.exec("/probe", flags=("--cgroup", "pids:sub" if v1 else "sub")).json()
        lines = [line for line in seen["cgroup"].splitlines() if (":pids:" if v1 else "0::") in line]
        self.assertTrue(lines[0].endswith("/sub"), lines)
        if v1 and "freezer" in cgroup_mounts():
            os.makedirs(c.cgroup("freezer", "sub"), exist_ok=True)
            seen = c.exec("/probe", flags=("--cgroup", "pids,freezer:sub")).json()["cgroup"].splitlines()
            for name in ("pids", "freezer"):
                self.assertTrue(next(line for line in seen if f":{name}:" in line).endswith("/sub"), seen)


if __name__ == "__main__":
    main()

"""Hooks: six kinds in their order, the state they read, and what their failure does.

Layer: tests, on harness.py.
SPDX-License-Identifier: Apache-2.0
"""
import json
import os

from harness import PEER, RuntimeTest, main, not_on, wait_until

KINDS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
OUTSIDE = ("prestart", "createRuntime", "poststart", "poststop")  # in the runtime's namespaces


class Hooks(RuntimeTest):
    def setUp(self):
        super().setUp()
        self.c = self.container("/bin/true")
        self.log = os.path.join(self.directory, "hooks.log")
        with open(self.log, "w"):
            pass
        os.chmod(self.log, 0o666)
        self.c.mount("/hooks.log", self.log, "bind", ["bind"])

    def hook(self, kind, script, **more):
        """Both sides have /bin/sh; the log is at another path inside."""
        inside = kind == "startContainer"
        log = "/hooks.log" if inside else self.log
        entry = {"path": "/bin/sh", "args": ["sh", "-c", f"LOG={log}; {script}"], "env": ["PATH=/bin:/usr/bin"], **more}
        self.c.config.setdefault("hooks", {}).setdefault(kind, []).append(entry)

    def logged(self):
        with open(self.log) as file:
            return file.read().splitlines()

    @not_on("runc-1.1", "it runs poststart at create")
    def test_TheSixKindsRunInOrder(self):
        for kind in KINDS:
            for n in (1, 2):
                self.hook(kind, f"echo {kind}{n} >> $LOG")
        self.c.shell("echo process >> /hooks.log")
        self.c.create()
        self.assertEqual(self.logged(), [f"{k}{n}" for k in KINDS[:3] for n in (1, 2)])
        self.c.start()
        self.c.wait_stopped()
        lines = self.logged()
        inside = [line for line in lines[6:] if not line.startswith("poststart")]
        self.assertEqual(inside, ["startContainer1", "startContainer2", "process"])
        self.assertEqual([line for line in lines[6:] if line not in inside], ["poststart1", "poststart2"])
        self.c.delete()
        self.assertEqual(self.logged()[-2:], ["poststop1", "poststop2"])

    def test_TheStateIsOnStandardInput(self):
        self.c.config["annotations"] = {"k": "v"}
        for kind in KINDS:
            self.hook(kind, f"printf '{kind} ' >> $LOG; cat >> $LOG; echo >> $LOG")
        self.c.create()
        pid = self.c.pid
        self.c.start()
        self.c.wait_stopped()
        self.c.delete()
        states = {line.split(" ", 1)[0]: json.loads(line.split(" ", 1)[1]) for line in self.logged() if line}
        self.assertEqual(set(states), set(KINDS))
        for kind, state in states.items():
            self.assertEqual((state["id"], state["bundle"]), (self.c.id, self.c.bundle), kind)
            self.assertTrue(state["ociVersion"].startswith("1."))
            self.assertEqual(state["annotations"], {"k": "v"})
        for kind in ("prestart", "createRuntime"):
            self.assertEqual((states[kind]["status"], states[kind]["pid"]), ("creating", pid), kind)
        self.assertIn(states["poststart"]["status"], ("created", "running"))
        self.assertEqual(states["poststop"]["status"], "stopped")

    def test_TheyRunOnTheirSide(self):
        for kind in KINDS:
            self.hook(kind, f"echo {kind} $(readlink /proc/self/ns/mnt) $(readlink /proc/self/ns/net) >> $LOG")
        self.c.shell("sleep 1000")
        self.c.create()
        pid = self.c.pid
        container = os.readlink(f"/proc/{pid}/ns/mnt"), os.readlink(f"/proc/{pid}/ns/net")
        self.c.start()
        wait_until(lambda: any(line.startswith("poststart") for line in self.logged()), "poststart ran")
        self.c.delete("--force")
        host = os.readlink("/proc/self/ns/mnt"), os.readlink("/proc/self/ns/net")
        for line in self.logged():
            kind, mount, network = line.split()
            self.assertEqual((mount, network), host if kind in OUTSIDE else container, kind)

    def test_TheyRunInTheBundleOrInTheRoot(self):
        self.hook("createRuntime", "pwd >> $LOG")
        self.hook("createContainer", "pwd >> $LOG; test -e ./probe && echo in the root >> $LOG")
        self.c.run()
        self.assertEqual(self.logged(), [self.c.bundle, self.c.rootfs, "in the root"])

    def test_WhatCreateContainerMountsInTheRootIsSeenInside(self):
        source = os.path.join(self.directory, "given")
        with open(source, "w") as file:
            file.write("given\n")
        self.hook("createContainer", f"touch ./given && mount --bind {source} ./given")
        self.assertEqual(self.c.shell("cat /given").run().out, "given\n")

    def test_StartContainerRunsUnderTheFilter(self):
        for no_new_privileges in (True, False):
            with self.subTest(no_new_privileges=no_new_privileges):
                c = self.container("/bin/true")
                c.process["noNewPrivileges"] = no_new_privileges
                c.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
                    {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_KILL"}]}
                entry = {"path": "/bin/sh", "args": ["sh", "-c", "exec mkdir /dev/shm/foo"], "env": ["PATH=/bin"]}
                c.config["hooks"] = {"startContainer": [entry]}
                self.assertIn("bad system call", c.run(rc=1).err)

    def test_StartContainerHasTheProcessEnvironmentUnlessItHasItsOwn(self):
        self.c.process["env"].append("ONE=two")
        self.c.config["hooks"] = {"startContainer": [{"path": "/bin/sh", "args": ["sh", "-c", "echo $ONE > /hooks.log"]}]}
        self.c.run()
        self.assertEqual(self.logged(), ["two"])

    def test_CreateContainerSeesTheHostsFilesAndStartContainerTheContainers(self):
        self.hook("createContainer", "test -e /probe && echo inside >> $LOG || echo outside >> $LOG")
        self.hook("startContainer", "test -e /probe && echo inside >> $LOG || echo outside >> $LOG")
        self.c.run()
        self.assertEqual(self.logged(), ["outside", "inside"])

    def test_ArgumentsAndEnvironmentAreExactlyTheirs(self):
        os.environ["CAISSON_LEAK"] = "1"
        self.addCleanup(os.environ.pop, "CAISSON_LEAK")
        for kind in KINDS:
            self.hook(kind, "echo $0 $1 \"$ONLY\" \"${CAISSON_LEAK-none}\" >> $LOG", env=["ONLY=this", "PATH=/bin:/usr/bin"])
            self.c.config["hooks"][kind][-1]["args"] += ["zero", "one"]
        self.c.run()
        self.assertEqual(self.logged(), ["zero one this none"] * 6)

    def test_AnEmptyEnvironmentIsEmptyAndNoneIsTheCallers(self):
        os.environ["CAISSON_LEAK"] = "1"
        self.addCleanup(os.environ.pop, "CAISSON_LEAK")
        self.hook("createRuntime", "echo ${CAISSON_LEAK-none} >> $LOG", env=[])
        self.hook("createRuntime", "echo ${CAISSON_LEAK-none} >> $LOG")
        del self.c.config["hooks"]["createRuntime"][-1]["env"]
        self.c.process["env"].append("CAISSON_LEAK=2")
        self.hook("startContainer", "echo ${CAISSON_LEAK-none} >> $LOG", env=[])
        self.c.run()
        self.assertEqual(self.logged(), ["none", "1", "none"])

    @not_on("runc-1.1", "it leaks its pipe and fifo into createContainer hooks")
    def test_NoDescriptorOfTheCallerOrTheRuntimeLeaks(self):
        leak = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
        self.addCleanup(os.close, leak)
        os.set_inheritable(leak, True)
        for kind in KINDS:
            self.hook(kind, f"ls -l /proc/self/fd | sed -n 's|.* \\([0-9]*\\) -> |{kind} \\1 |p' >> $LOG")
        self.c.run(close_fds=False)
        found = {}
        for line in self.logged():
            kind, number, target = line.split(" ", 2)
            if not target.endswith("/fd"):  # the directory that ls itself reads
                found.setdefault(kind, {})[int(number)] = target
        self.assertEqual(set(found), set(KINDS))
        for kind, descriptors in found.items():
            self.assertLessEqual(set(descriptors), {0, 1, 2}, f"{kind}: {descriptors}")

    def test_FailureOfEachKind(self):
        for kind in KINDS:
            with self.subTest(kind=kind):
                self.c = self.container("/bin/sleep", "1000")
                self.c.mount("/hooks.log", self.log, "bind", ["bind"])
                self.hook(kind, "echo why >&2; exit 3")
                if kind != "poststop":
                    self.hook("poststop", "echo stopped >> $LOG")
                before = len(self.logged())
                if kind == "poststop":
                    self.c.shell("true")
                    self.c.run(rc=0)
                elif kind == "poststart":
                    self.c.run("-d", rc=1)
                elif kind == "startContainer":
                    self.c.shell("echo process >> /hooks.log")
                    self.c.run("-d", rc=None)
                    self.stopped_or_gone()
                    self.assertNotIn("process", self.logged()[before:])
                else:
                    outcome = self.c.run("-d", rc=1)
                    self.assertIn("hook", outcome.err)
                if kind != "poststop":
                    self.runtime("delete", "--force", self.c.id, meanwhile=self.reap)
                self.assert_nothing_left(f"after a failing {kind}")
                if PEER == "caisson" and kind in ("prestart", "createRuntime", "createContainer"):
                    self.assertEqual(self.logged()[before:], ["stopped"], "poststop runs when create is undone")

    def stopped_or_gone(self):
        wait_until(lambda: self.reap() or "stopped" in self.runtime("state", self.c.id, rc=None).out
                   or self.runtime("state", self.c.id, rc=None).rc == 1, "the container has ended")

    def test_AFailedCreateHookLeavesNoState(self):
        for kind in KINDS[:3]:
            with self.subTest(kind=kind):
                self.c = self.container("/bin/sleep", "1000")
                self.c.mount("/hooks.log", self.log, "bind", ["bind"])
                self.hook(kind, "exit 1")
                self.c.create(rc=1)
                self.assert_nothing_left(f"after {kind}, without a delete")

    def test_AHookThatTakesTooLongIsKilled(self):
        for kind in ("createRuntime", "createContainer", "startContainer"):
            with self.subTest(kind=kind):
                self.c = self.container("/bin/sleep", "1000")
                self.c.mount("/hooks.log", self.log, "bind", ["bind"])
                self.hook(kind, "exec sleep 1000", timeout=1)
                call = self.c.run("-d", rc=None if kind == "startContainer" else 1)
                if kind == "startContainer":  # `start` may be done before the hook is
                    self.stopped_or_gone()
                else:
                    self.assertRegex(call.err, "(?i)hook.*(ran past|timeout|timed out|killed)")
                self.c.delete("--force")
                self.assert_nothing_left()

    def test_AMissingHookProgramIsAnError(self):
        self.c.config["hooks"] = {"createRuntime": [{"path": "/absent/hook"}]}
        outcome = self.c.create(rc=1)
        self.assertIn("/absent/hook", outcome.err)
        self.assert_nothing_left()

    def test_ARelativeHookPathIsRefused(self):
        if PEER != "caisson":
            self.skipTest("peer: not checked")
        self.c.config["hooks"] = {"createRuntime": [{"path": "bin/true"}]}
        self.c.create(rc=1)
        self.assert_nothing_left()

    def test_AHookThatDoesNotReadItsInputIsFine(self):
        self.c.config["annotations"] = {"big": "x" * 200000}  # more than a pipe holds
        for kind in KINDS:
            self.hook(kind, f"echo {kind} >> $LOG")
        self.c.run()
        self.assertEqual(sorted(self.logged()), sorted(KINDS))

    def test_TheContainersNetworkIsThereForCreateRuntime(self):
        self.hook("createRuntime", "pid=$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/'); readlink /proc/$pid/ns/net >> $LOG")
        self.c.shell("readlink /proc/self/ns/net >> /hooks.log")
        self.c.run()
        lines = self.logged()
        self.assertEqual(lines[0], lines[1])
        self.assertNotEqual(lines[0], os.readlink("/proc/self/ns/net"))

    def test_StdoutOfAHookIsNotTheContainers(self):
        self.hook("createRuntime", "echo noise")
        self.c.shell("echo signal")
        self.assertEqual(self.c.run().out, "signal\n")


if __name__ == "__main__":
    main()

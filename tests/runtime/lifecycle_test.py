"""The life of a container: create, start, state, kill, delete, run, list, and what each says when it is too early or too late.

Layer: tests, on harness.py.
SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import re
import signal

from harness import PEER, RUNTIME, Call, RuntimeTest, main, since_runc, wait_until


class Lifecycle(RuntimeTest):
    def test_CreatedThenRunningThenStoppedThenGone(self):
        c = self.container("/bin/sh", "-c", "echo hello; exec sleep 1000")
        created = c.create()
        self.assertEqual((created.out, created.err), ("", ""), "nothing is printed on success")
        self.assertEqual(c.status(), "created")
        self.assertEqual(c.output.out(), "", "the program does not run before start")
        started = c.start()
        self.assertEqual((started.out, started.err), ("", ""))
        c.wait_output("hello")
        self.assertEqual(c.status(), "running")
        c.kill("KILL")
        c.wait_stopped()
        self.assertEqual(c.state()["pid"], 0)
        c.delete()
        self.assertIn("does not exist", self.runtime("state", c.id, rc=1).err)
        self.assert_nothing_left()

    def test_TheOneExecutableTakesTheProgramAsAWord(self):
        if PEER != "caisson":
            self.skipTest("peer: ours alone")
        c = self.container("/bin/sh", "-c", "echo here; exit 3")
        c.write()
        line = [os.path.join(os.path.dirname(RUNTIME), "caisson"), "runtime", "--root", self.root, "run", "-b", c.bundle, c.id]
        outcome = Call(self, line).wait()
        self.assertEqual((outcome.rc, outcome.out), (3, "here\n"), outcome)

    def test_StateHasTheKeysOfTheSpecification(self):
        c = self.container()
        c.config["annotations"] = {"com.example.key": "value"}
        c.up()
        state = c.state()
        self.assertEqual(state["id"], c.id)
        self.assertEqual(state["bundle"], c.bundle)
        self.assertEqual(state["rootfs"], c.rootfs)
        self.assertEqual(state["status"], "running")
        self.assertEqual(state["annotations"], {"com.example.key": "value"})
        self.assertRegex(state["ociVersion"], r"^1\.\d+\.\d+")
        self.assertRegex(state["created"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
        self.assertIn("owner", state)
        wait_until(lambda: self.command(state["pid"]) == "/bin/sleep 1000 ", "the pid is the program's")

    def test_InitIsReparentedToTheCaller(self):
        c = self.container().up()
        self.assertIn(c.pid, self.children(), "a shim waits for the pid in the pid file")

    def test_PidFileIsDecimalWithoutNewline(self):
        c = self.container()
        path = os.path.join(self.directory, "pid")
        c.up("--pid-file", path)
        with open(path) as file:
            self.assertEqual(file.read(), str(c.pid))

    def test_PidFileOfDetachedRunNamesInit(self):
        c = self.container("/bin/sleep", "1000")
        path = os.path.join(self.directory, "pid")
        c.run("-d", "--pid-file", path)
        with open(path) as file:
            self.assertEqual(file.read(), str(c.pid))
        self.assertEqual(c.status(), "running")

    def test_ExitStatusOfInitReachesItsParent(self):
        c = self.container("/bin/sh", "-c", "exit 7")
        c.create()
        pid = c.pid
        c.start()
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 7)

    def test_AZombieInitIsStopped(self):
        c = self.container("/bin/true")
        c.create()
        pid = c.pid
        c.start()
        wait_until(lambda: c.status() == "stopped", "stopped although nobody reaped it")
        with open(f"/proc/{pid}/stat") as file:
            self.assertEqual(file.read().rpartition(")")[2].split()[0], "Z", "the test itself must not have reaped it")

    def test_RunGivesTheExitCode(self):
        for code in (0, 1, 3, 126, 127, 255):
            with self.subTest(code=code):
                self.assertEqual(self.container("/bin/sh", "-c", f"exit {code}").run(rc=None).rc, code)
        self.assert_nothing_left("by run: it deletes the container")

    def test_RunGives128PlusTheSignal(self):
        c = self.container("/bin/sh", "-c", "sleep 1000 & wait")
        call = self.begin_run(c)
        wait_until(lambda: self.runtime("state", c.id, rc=None).rc == 0 and c.status() == "running", "running")
        c.kill("KILL")
        self.assertEqual(call.wait().rc, 128 + 9)
        self.assert_nothing_left()

    def begin_run(self, c, *flags, **options):
        c.write()
        return self.begin("run", *flags, "--bundle", c.bundle, c.id, **options)

    def test_RunPassesStandardInputAndKeepsTheStreamsApart(self):
        c = self.container("/bin/sh", "-c", "cat; echo to-err >&2")
        outcome = c.run(stdin="to-out\n")
        self.assertEqual((outcome.out, outcome.err), ("to-out\n", "to-err\n"))

    @since_runc("1.2", "run --keep")
    def test_RunKeepLeavesAStoppedContainer(self):
        c = self.container("/bin/true")
        c.run("--keep")
        self.assertEqual(c.status(), "stopped")
        self.assertTrue(os.path.isdir(c.cgroup("pids")), "buildkit reads the cgroup before it deletes")
        c.delete()
        self.assert_nothing_left()

    def test_ForegroundRunForwardsSignals(self):
        c = self.container("/probe", "signals")
        call = self.begin_run(c)
        wait_until(lambda: "ready" in call.out(), "the probe waits for signals")
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGINT):
            call.process.send_signal(number)
            wait_until(lambda: str(int(number)) in call.out().split(), f"signal {number} arrived")
        call.process.send_signal(signal.SIGTERM)
        self.assertEqual(call.wait().rc, 0)
        self.assert_nothing_left()

    def test_ForegroundRunReapsWhatIsReparentedToIt(self):
        c = self.container("/bin/sh", "-c", "exit 5")
        c.namespace("pid", False)
        c.shell("(sleep 0.2 &) ; exit 5")
        self.assertEqual(c.run(rc=None).rc, 5)

    def test_WithoutAPidNamespaceDeleteKillsEverything(self):
        c = self.container()
        c.namespace("pid", False)
        c.shell("sleep 1001 & sleep 1002 & echo $!; wait")
        c.up()
        c.wait_output("\n")
        c.delete("--force")
        self.assert_nothing_left()


class Order(RuntimeTest):
    def test_DuplicateIdIsRefusedAndTheFirstLives(self):
        c = self.container().up()
        again = self.runtime("create", "--bundle", c.bundle, c.id, rc=1)
        self.assertIn("container with given ID already exists", again.err)
        self.assertEqual(c.status(), "running")

    def test_StartTwiceIsRefused(self):
        c = self.container().up()
        self.assertIn("cannot start an already running container", c.start(rc=1).err)
        self.assertEqual(c.status(), "running")

    def test_StartOfAStoppedContainerIsRefused(self):
        c = self.container("/bin/true").up()
        c.wait_stopped()
        self.assertIn("cannot start a container that has stopped", c.start(rc=1).err)

    @since_runc("1.2", "kill of what outlived the first process")
    def test_WithoutAPidNamespaceKillReachesWhoOutlivedTheFirst(self):
        c = self.container("/bin/sleep", "1000")
        c.namespace("pid", False)
        c.up()
        c.exec("/bin/sleep", "1000", flags=["-d"])
        os.kill(c.pid, signal.SIGKILL)
        c.wait_stopped()
        c.kill("TERM", rc=1)
        c.kill("KILL")
        wait_until(lambda: self.reap() or not c.cgroup_value("pids", "cgroup.procs"), "all are gone")
        c.kill("KILL", rc=1)

    def test_KillOfAStoppedContainerSaysNotRunning(self):
        c = self.container("/bin/true").up()
        c.wait_stopped()
        err = c.kill("TERM", rc=1).err.lower()
        self.assertIn("container not running", err)
        if PEER == "caisson":
            self.assertIn("no such process", err, "CRI-O looks for either text")

    def test_KillAllOfAStoppedContainerIsFine(self):
        c = self.container("/bin/true").up()
        c.wait_stopped()
        self.runtime("kill", "--all", c.id, "KILL")

    def test_DeleteOfARunningContainerIsRefused(self):
        c = self.container().up()
        err = c.delete(rc=1).err
        self.assertIn(f"cannot delete container {c.id} that is not stopped: running", err)
        self.assertEqual(c.status(), "running")

    def test_DeleteOfACreatedContainerIsAllowed(self):
        c = self.container()
        c.create()
        c.delete()
        self.assert_nothing_left()

    def test_DeleteForceOfARunningContainer(self):
        c = self.container().up()
        pid = c.pid
        c.delete("--force")
        self.reap()
        self.assertFalse(os.path.exists(f"/proc/{pid}"))
        self.assert_nothing_left()

    def test_ACreatedContainerEndsByTheDefaultSignal(self):
        for name in ("TERM", "INT", "HUP"):
            c = self.container("/bin/sleep", "1000")
            c.create()
            c.kill(name)
            c.wait_stopped()

    def test_CreatedContainerCanBeKilled(self):
        c = self.container()
        c.create()
        c.kill("KILL")
        c.wait_stopped()
        c.delete()
        self.assert_nothing_left()

    def test_MissingContainerIsNamedByEveryCommand(self):
        for command in ("state", "start", "kill", "delete", "pause", "resume", "ps", "update", "events"):
            with self.subTest(command=command):
                tail = {"kill": ["KILL"], "update": []}.get(command, [])
                flags = {"update": ["--memory", "64M"], "events": ["--stats"]}.get(command, [])
                self.assertIn("does not exist", self.runtime(command, *flags, "nobody", *tail, rc=1).err)
        self.assertIn("does not exist", self.runtime("exec", "nobody", "true", rc=255 if PEER != "runc-1.1" else None).err)

    def test_DeleteForceOfAMissingContainerIsFine(self):
        self.runtime("delete", "--force", "nobody")

    def test_KillTakesNamesAndNumbers(self):
        for name in ("KILL", "SIGKILL", "9", "kill", "sigkill"):
            with self.subTest(name=name):
                c = self.container().up()
                pid = c.pid
                c.kill(name)
                self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), -9)
                c.delete()

    def test_KillDefaultsToTerm(self):
        c = self.container("/probe", "signals").up()
        c.wait_output("ready")
        c.kill("USR1")
        c.wait_output("10\n")
        c.kill()
        c.wait_output("15\n")
        c.wait_stopped()


class List(RuntimeTest):
    def test_EmptyListIsNullInJson(self):
        self.assertEqual(self.runtime("list", "-f", "json").out.strip(), "null")

    def test_ListShowsEveryContainer(self):
        first, second = self.container().up(), self.container()
        second.create()
        text = self.runtime("list", "-f", "json").out
        self.assertEqual(len(text.strip().splitlines()), 1, "one line")
        by_id = {entry["id"]: entry for entry in json.loads(text)}
        self.assertEqual({i: e["status"] for i, e in by_id.items()}, {first.id: "running", second.id: "created"})
        self.assertEqual(by_id[first.id]["bundle"], first.bundle)
        self.assertEqual(by_id[first.id]["pid"], first.pid)
        quiet = self.runtime("list", "-q").out.split()
        self.assertEqual(sorted(quiet), sorted([first.id, second.id]))
        table = self.runtime("list").out.splitlines()
        self.assertTrue(re.match(r"ID +PID +STATUS +BUNDLE +CREATED +OWNER", table[0]), table[0])
        self.assertEqual(len(table), 3)

    def test_ListWithAMissingRootIsEmpty(self):
        self.assertEqual(self.runtime("list", "-q").out, "")


if __name__ == "__main__":
    main()

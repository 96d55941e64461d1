# What `ctr` asks of a runtime: run, exec, pause, kill, delete, events, metrics, limits, terminals; plain and nested.
# Layer: tests. Collected by laws.py for containerd.
# SPDX-License-Identifier: Apache-2.0
import itertools
import json
import pathlib
import unittest

from sandbox import poll

NUMBERS = itertools.count(1)
SLEEPER = ("sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1000 & wait $!; done")


class CtrLaws(unittest.TestCase):
    e = None
    alone = False
    longMessage = True
    maxDiff = None

    def name(self):
        name = f"t{next(NUMBERS)}"
        self.addCleanup(self.remove, name)
        return name

    def remove(self, name):
        self.e("task", "delete", "-f", name)
        self.e("containers", "delete", name)

    def run_options(self, *options, binary=None):
        return ("run", "--runtime", "io.containerd.runc.v2", "--runc-binary", binary or self.e.runtime, *options, self.e.image)

    def once(self, *command, options=(), rc=0, binary=None):
        result = self.e(*self.run_options("--rm", *options, binary=binary), self.name(), *command)
        self.assertEqual(result.rc, rc, repr(result) + self.e.log_tail())
        return result.out.strip()

    def sleeper(self, *options, binary=None):
        name = self.name()
        self.e.ok(*self.run_options("-d", *options, binary=binary), name, *SLEEPER)
        return name

    def exec(self, name, *command, options=(), rc=0):
        result = self.e("task", "exec", "--exec-id", f"e{next(NUMBERS)}", *options, name, *command)
        self.assertEqual(result.rc, rc, repr(result))
        return result.out.strip()

    def status(self, name):
        """None also if the list broke off: another task went while it was made."""
        for line in self.e("task", "ls").out.splitlines()[1:]:
            if len(line.split()) == 3 and line.split()[0] == name:
                return line.split()[2]
        return None

    def wait_for(self, name, status):
        poll(lambda: self.status(name) == status, 60, f"{name} is {status}")


class RunLaws(CtrLaws):
    def test_output_and_exit_code_come_back(self):
        self.assertEqual(self.once("sh", "-c", "echo out; exit 7", rc=7), "out")

    def test_it_is_our_runtime_that_runs(self):
        self.assertIn(self.sleeper(), self.e.runtime_ids())

    def test_a_program_that_is_not_there_is_told(self):
        result = self.e(*self.run_options("--rm"), self.name(), "nosuch")
        self.assertNotEqual(result.rc, 0)
        self.assertIn("executable file not found in $PATH", result.err)

    def test_environment_directory_mounts_and_read_only_root(self):
        path = self.e.sandbox.data / f"d{next(NUMBERS)}"
        path.mkdir()
        (path / "f").write_text("given")
        options = ("--env", "X=y", "--cwd", "/srv", "--read-only", "--mount", f"type=bind,src={path},dst=/mnt,options=rbind:ro")
        script = 'echo $X $PWD; cat /mnt/f; touch /mnt/x 2>/dev/null || touch /srv/x 2>/dev/null || echo " kept"'
        self.assertEqual(self.once("sh", "-c", script, options=options), "y /srv\ngiven kept")

    def test_limits_are_in_the_cgroup(self):
        name = self.sleeper("--memory-limit", str(48 << 20), "--cpu-quota", "50000", "--cpu-period", "100000")
        files = [pathlib.Path(group, file) for group in self.e.cgroups(name) for file in ("memory.limit_in_bytes", "memory.max")]
        self.assertEqual([file.read_text().strip() for file in files if file.exists()], [str(48 << 20)])

    def test_privileges_are_those_asked_for(self):
        status = ("grep", "CapEff", "/proc/self/status")
        plain, more, all_of_them = (int(self.once(*status, options=o).split()[1], 16)
                                    for o in ((), ("--cap-add", "CAP_SYS_ADMIN"), ("--privileged",)))
        self.assertEqual(more, plain | 1 << 21)
        self.assertGreater(all_of_them, more)
        self.assertEqual(self.once("grep", "^Seccomp:", "/proc/self/status", options=("--seccomp",)).split()[1], "2")

    def test_a_user_namespace_maps_ids(self):
        options = ("--uidmap", "0:200000:65536", "--gidmap", "0:200000:65536")
        out = self.once("sh", "-c", "id -u; cat /proc/self/uid_map", options=options)
        self.assertEqual(out.split(), ["0", "0", "200000", "65536"])

    def test_a_terminal_is_a_terminal(self):
        t = self.e.terminal(*self.run_options("--rm", "-t"), self.name(), "sh")
        t.expect("# ")
        t.send("test -t 0 && echo on-$(tty)-; stty size\n")
        t.expect(r"on-/dev/(pts/\d+|console)-")
        t.send("exit 6\n")
        self.assertEqual(t.finish(), 6)

    def test_the_pid_file_names_the_first_process(self):
        path = self.e.sandbox.data / f"pid{next(NUMBERS)}"
        name = self.sleeper("--pid-file", path)
        self.wait_for(name, "RUNNING")
        poll(lambda: path.read_text().strip() in self.e("task", "ls").out.split(), 60, "the pid in the list of tasks")


class TaskLaws(CtrLaws):
    def test_exec_has_output_exit_code_user_and_directory(self):
        name = self.sleeper()
        self.assertEqual(self.exec(name, "sh", "-c", "echo in; exit 4", rc=4), "in")
        self.assertEqual(self.exec(name, "sh", "-c", "id -u; pwd", options=("--user", "1000", "--cwd", "/srv")).split(), ["1000", "/srv"])

    def test_exec_of_what_is_not_there_fails_and_the_container_lives(self):
        name = self.sleeper()
        self.assertNotEqual(self.e("task", "exec", "--exec-id", "no", name, "nosuch").rc, 0)
        self.wait_for(name, "RUNNING")

    def test_pause_and_resume(self):
        name = self.sleeper()
        self.e.ok("task", "pause", name)
        self.wait_for(name, "PAUSED")
        self.assertNotEqual(self.e("task", "exec", "--exec-id", "no", name, "true").rc, 0)
        self.e.ok("task", "resume", name)
        self.wait_for(name, "RUNNING")
        self.assertEqual(self.exec(name, "echo", "again"), "again")

    def test_kill_sends_the_signal_and_delete_removes(self):
        name = self.sleeper()
        self.e.ok("task", "kill", "-s", "SIGTERM", name)
        self.wait_for(name, "STOPPED")
        self.e.ok("task", "delete", name)
        self.assertNotIn(name, self.e.runtime_ids())
        self.assertEqual(self.e.cgroups(name), [])

    def test_kill_all_reaches_every_process(self):
        name = self.name()
        self.e.ok(*self.run_options("-d"), name, "sh", "-c", "sleep 1000 & sleep 1000 & wait")
        self.e.ok("task", "kill", "-a", "-s", "SIGKILL", name)
        self.wait_for(name, "STOPPED")

    def test_delete_of_what_runs_needs_force(self):
        name = self.sleeper()
        self.assertNotEqual(self.e("task", "delete", name).rc, 0)
        self.e.ok("task", "delete", "-f", name)
        self.assertNotIn(name, self.e.runtime_ids())

    def test_ps_lists_the_processes(self):
        name = self.sleeper()
        poll(lambda: len(self.e.ok("task", "ps", name).splitlines()) >= 3, 60, "the shell and its sleep")

    def test_metrics_have_memory_and_processes(self):
        name = self.sleeper()
        self.assertRegex(self.e.ok("task", "metrics", name), r"memory\.usage(_in_bytes)?\s+[1-9]")
        self.assertRegex(self.e.ok("task", "metrics", name), r"pids\.current\s+[1-9]")

    def test_it_may_be_called_runc_and_a_task_started_anew(self):
        name = self.name()
        self.e.ok("containers", "create", self.e.image, name, "grep", "x", "/nosuch")  # 1.6 takes a -c for its own
        for _ in range(2):
            result = self.e("task", "start", name)
            self.assertEqual(result.rc, 2, repr(result))
            self.e("task", "delete", name)
        self.assertTrue((self.e.sandbox.data / "runc.used").exists())


class EventLaws(CtrLaws):
    alone = True

    def test_events_tell_the_life_of_a_task(self):
        path = self.e.sandbox.data / "events"
        with open(path, "wb") as out:
            watching = self.e.sandbox.start([*self.e.cli, "events"], stdout=out.fileno(), stderr=out.fileno())

        def happened():
            name = self.sleeper()
            self.exec(name, "true")
            self.e.ok("task", "pause", name)
            self.e.ok("task", "resume", name)
            self.e.ok("task", "delete", "-f", name)
            text = path.read_text()
            return all(f"/tasks/{kind} " in text for kind in
                       ("create", "start", "exec-added", "exec-started", "paused", "resumed", "exit", "delete"))
        try:
            poll(happened, 60, "every event of a task")
            exits = [json.loads(line[line.index("{"):]) for line in path.read_text().splitlines() if "/tasks/exit " in line]
            self.assertIn(137, [event.get("exit_status") for event in exits])
        finally:
            self.e.sandbox.run(["kill", str(watching.pid)])
            watching.wait(20)

    def test_out_of_memory_is_told(self):
        path = self.e.sandbox.data / "oom-events"
        with open(path, "wb") as out:
            watching = self.e.sandbox.start([*self.e.cli, "events"], stdout=out.fileno(), stderr=out.fileno())

        def told():
            self.e(*self.run_options("--rm", "--memory-limit", str(16 << 20)), self.name(), "sh", "-c",
                   "dd if=/dev/zero of=/dev/null bs=200M count=1; sleep 1")
            return "/tasks/oom " in path.read_text()
        try:
            poll(told, 60, "an event of a task out of memory")
        finally:
            self.e.sandbox.run(["kill", str(watching.pid)])
            watching.wait(20)


class NestLaws(CtrLaws):
    def test_root_in_a_nest_is_nobody_on_the_host(self):
        inside, outside, size = map(int, self.once("cat", "/proc/self/uid_map", binary=self.e.nest).split())
        self.assertEqual((inside, size), (0, 65536))
        self.assertGreaterEqual(outside, 65536)

    def test_a_nest_may_mount_and_make_namespaces(self):
        script = "mkdir -p /m && mount -t tmpfs x /m && unshare -m -p -f true && hostname inner && echo did"
        self.assertEqual(self.once("sh", "-c", script, options=("--privileged",), binary=self.e.nest), "did")

    def test_exec_pause_metrics_and_delete_of_a_nest(self):
        name = self.sleeper(binary=self.e.nest)
        self.assertEqual(self.exec(name, "sh", "-c", "touch /srv/x && stat -c %u /srv/x; exit 5", rc=5), "0")
        self.e.ok("task", "pause", name)
        self.e.ok("task", "resume", name)
        self.assertRegex(self.e.ok("task", "metrics", name), r"pids\.current\s+[1-9]")
        self.e.ok("task", "delete", "-f", name)
        self.assertEqual(self.e.cgroups(name), [])

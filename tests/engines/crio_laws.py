# The life of a container under CRI-O's calls, and the texts it looks for.
# Layer: tests. Collected by laws.py for crio_test.py.
# SPDX-License-Identifier: Apache-2.0
import itertools
import json
import unittest

from sandbox import poll

NUMBERS = itertools.count(1)
SLEEPER = ("sh", "-c", "trap 'exit 6' TERM; echo ready; while :; do sleep 1000 & wait $!; done")
GONE = "no such process|container not running|invalid process"  # what CRI-O takes for "it has ended"


class CrioLaws(unittest.TestCase):
    e = None
    alone = False
    longMessage = True
    maxDiff = None
    handler = "caisson"

    def create(self, *args, terminal=False, **linux):
        name = f"k{next(NUMBERS)}"
        self.addCleanup(self.direct, "delete", "--force", name)
        self.e.bundle(name, args or SLEEPER, terminal, **linux)
        answer, _ = self.e.conmon(self.handler, name, *(["-t"] if terminal else []), log=self.e.log(name))
        self.assertGreater(answer["pid"], 0, answer)
        return name

    def direct(self, *args, stdin=b""):
        return self.e.direct(self.handler, *args, stdin=stdin)

    def ok(self, *args, stdin=b""):
        result = self.direct(*args, stdin=stdin)
        self.assertEqual((result.rc, result.err), (0, ""), repr(result))
        return result.out

    def running(self, *args, **linux):
        name = self.create(*args, **linux)
        self.ok("start", name)
        poll(lambda: self.e.log_lines(self.e.log(name)), 60, f"the first line of {name}")
        return name

    def state(self, name):
        return json.loads(self.ok("state", name))

    def exec_sync(self, name, *command, timeout=None):
        """(exit code, [(stream, text)]): conmon says the code on its pipe, the output is in a log of its own."""
        log = self.e.sandbox.data / f"{name}-exec{next(NUMBERS)}.log"
        spec = json.loads((self.e.sandbox.data / "bundles" / name / "config.json").read_text())["process"]
        path = log.with_suffix(".json")
        path.write_text(json.dumps({**spec, "args": list(command), "terminal": False}))
        more = ["-T", str(timeout)] if timeout else []
        _, conmon = self.e.conmon(self.handler, name, "-e", "--exec-process-spec", path, *more, log=log)
        self.assertIsNotNone(conmon.wait(60), "conmon ends with its exec")
        lines = [json.loads(line) for line in (self.e.sandbox.data / f"{log.name}.sync").read_text().splitlines()]
        return lines[-1]["exit_code"], self.e.log_lines(log)


class LifeLaws(CrioLaws):
    def test_output_is_in_the_log_and_the_code_in_the_exit_file(self):
        name = self.create("sh", "-c", "echo out; echo err >&2; exit 9")
        self.assertEqual(self.state(name)["status"], "created")
        self.ok("start", name)
        self.assertEqual(self.e.exit_code(name), 9)
        self.assertEqual(sorted(self.e.log_lines(self.e.log(name))), [("stderr", "err"), ("stdout", "out")])

    def test_state_tells_what_is_decoded(self):
        name = self.running()
        state = self.state(name)
        self.assertEqual((state["status"], state["id"]), ("running", name))
        self.assertGreater(state["pid"], 0)
        self.assertRegex(state["created"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
        self.assertEqual(state["annotations"]["io.kubernetes.container.name"], name)
        self.assertEqual((self.e.sandbox.data / f"{name}.log.pid").read_text(), str(state["pid"]))

    def test_stop_is_a_signal_by_name_and_what_has_ended_is_told_in_small_letters(self):
        name = self.running()
        self.ok("kill", name, "SIGTERM")
        self.assertEqual(self.e.exit_code(name), 6)
        self.assertEqual(self.state(name)["status"], "stopped")
        for signal in ("KILL", "15"):
            result = self.direct("kill", name, signal)
            self.assertNotEqual(result.rc, 0)
            self.assertRegex(result.err, GONE)

    def test_kill_is_kill(self):
        name = self.running("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done")
        self.ok("kill", name, "KILL")
        self.assertEqual(self.e.exit_code(name), 137)

    def test_pause_and_resume(self):
        name = self.running()
        self.ok("pause", name)
        self.assertEqual(self.state(name)["status"], "paused")
        self.ok("resume", name)
        self.assertEqual(self.state(name)["status"], "running")

    def test_update_reads_resources_from_standard_input(self):
        name = self.running()
        self.ok("update", "--resources", "-", name, stdin=json.dumps({"memory": {"limit": 48 << 20}, "cpu": {"shares": 300}}))
        script = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max"
        self.assertEqual(self.exec_sync(name, "sh", "-c", script)[1], [("stdout", str(48 << 20))])

    def test_delete_force_leaves_nothing_and_may_be_said_twice(self):
        name = self.running()
        self.ok("delete", "--force", name)
        self.ok("delete", "--force", name)
        self.assertNotEqual(self.direct("state", name).rc, 0)
        self.assertIn("does not exist", self.direct("state", name).err)

    def test_a_container_that_cannot_be_made_is_told_with_its_reason(self):
        name = f"k{next(NUMBERS)}"
        self.e.bundle(name, ("nosuch",))
        answer, _ = self.e.conmon(self.handler, name, log=self.e.log(name))
        self.assertEqual(answer["pid"], -1)
        self.assertIn("executable file not found in $PATH", answer["message"])
        self.assertNotEqual(self.direct("state", name).rc, 0)

    def test_a_terminal_goes_through_conmons_socket(self):
        name = self.create("sh", "-c", "test -t 0 && echo on-a-terminal", terminal=True)
        self.ok("start", name)
        self.assertEqual(self.e.exit_code(name), 0)
        poll(lambda: "on-a-terminal" in self.e.log(name).read_text(), 10, f"what was written: {self.e.log(name).read_text()!r}")


class ExecLaws(CrioLaws):
    def test_exec_sync_has_output_and_exit_code(self):
        name = self.running()
        code, lines = self.exec_sync(name, "sh", "-c", "echo in; echo err >&2; exit 4")
        self.assertEqual((code, sorted(lines)), (4, [("stderr", "err"), ("stdout", "in")]))

    def test_exec_sync_ends_when_its_time_is_over(self):
        code, _ = self.exec_sync(self.running(), "sleep", "1000", timeout=1)
        self.assertEqual(code, -1)

    def test_exec_of_what_is_not_there_fails(self):
        log = self.e.sandbox.data / f"x{next(NUMBERS)}.log"
        name, path = self.running(), log.with_suffix(".json")
        path.write_text(json.dumps({"args": ["nosuch"], "cwd": "/", "user": {"uid": 0, "gid": 0}, "env": ["PATH=/bin"]}))
        answer, _ = self.e.conmon(self.handler, name, "-e", "--exec-process-spec", path, log=log)
        self.assertLess(answer["exit_code"], 0, answer)
        self.assertIn("executable file not found in $PATH", answer["message"])


class NestLaws(LifeLaws):
    """The same life in a nest, and what only a nest can."""

    handler = "caisson-nest"

    def test_root_is_nobody_on_the_host_and_may_mount(self):
        script = "cat /proc/self/uid_map; mkdir -p /m; mount -t tmpfs x /m && echo mounted"
        code, lines = self.exec_sync(self.running(), "sh", "-c", script)
        inside, outside, size = map(int, lines[0][1].split())
        self.assertEqual((code, inside, size, lines[1][1]), (0, 0, 65536, "mounted"))
        self.assertGreaterEqual(outside, 65536)

# Containers that go to files and come back, as podman asks for it: where it was, as an archive, and without an end.
# Layer: tests. Collected by laws.py.
# SPDX-License-Identifier: Apache-2.0
import json

from laws import Laws

COUNT = "trap 'exit 0' TERM; i=0; while :; do i=$((i+1)); echo $i > /count.new; mv /count.new /count; sleep 0.05; done"


def criu_missing(engine):
    """Why nothing can be checkpointed below this engine; None if it can."""
    version = engine.sandbox.run(["criu", "--version"])
    if version.rc != 0:
        return "no criu where the engine is"
    if engine.sandbox.run(["criu", "check"]).rc != 0:
        return f"criu {version.out.split()[1]} does not start on this kernel"
    return None


class CheckpointLaws(Laws):
    alone = True

    def setUp(self):
        self.only("podman", "Docker keeps this among what is experimental")
        if self.e.user:
            self.skipTest("a user's containers cannot be checkpointed: CRIU wants root")
        missing = criu_missing(self.e)
        if missing:
            self.skipTest(missing)

    def counter(self, *options):
        name = self.run_detached("sh", "-c", COUNT, options=options)
        self.counts_on(name, 0)
        return name

    def count(self, name):
        return int(self.exec(name, "cat", "/count"))

    def counts_on(self, name, since):
        def further():
            found = self.e("exec", name, "cat", "/count")
            return found.rc == 0 and int(found.out or 0) > since
        self.eventually(further, f"{name} counts on from {since}")

    def inspected(self, name):
        return json.loads(self.e.ok("inspect", name))[0]

    def test_a_container_counts_on_where_it_was(self):
        name = self.counter("--memory", "64m")
        before = self.count(name)
        self.e.ok("container", "checkpoint", name)
        self.assertFalse(self.e.state(name)["Running"])
        self.assertTrue(self.e.state(name)["Checkpointed"])
        self.e.ok("container", "restore", name)
        self.assertTrue(self.e.state(name)["Running"])
        self.counts_on(name, before)
        self.assertLess(self.count(name), before + 5000)
        limit = self.cgroup_value("memory/memory.limit_in_bytes", "memory.max", name=name)
        self.assertEqual(limit, str(64 << 20))
        self.e.ok("stop", "-t", "1", name)

    def test_it_may_go_on_while_its_state_is_kept(self):
        name = self.counter()
        self.e.ok("container", "checkpoint", "--leave-running", name)
        self.assertTrue(self.e.state(name)["Running"])
        self.counts_on(name, self.count(name))

    def test_an_archive_becomes_another_container(self):
        name = self.counter()
        archive = self.directory() / "state.tar"
        before = self.count(name)
        self.e.ok("container", "checkpoint", "--compress", "none", "--export", archive, name)
        self.e.ok("rm", "-f", name)
        other = self.name("restored")
        self.e.ok("container", "restore", "--import", archive, "--name", other)
        self.counts_on(other, before)
        self.assertLess(self.count(other), before + 5000)
        self.assertIn("eth0", self.exec(other, "ls", "/sys/class/net"))

    def test_it_comes_back_twice(self):
        name = self.counter("--network", "none")
        for _ in range(2):
            before = self.count(name)
            self.e.ok("container", "checkpoint", name)
            self.e.ok("container", "restore", name)
            self.counts_on(name, before)

    def test_a_container_with_a_terminal_is_refused_and_runs_on(self):
        name = self.run_detached("sh", "-c", COUNT, options=("-t",))
        result = self.e("container", "checkpoint", name)
        self.assertNotEqual(result.rc, 0, repr(result))
        self.assertIn("a container with a terminal cannot be checkpointed", result.err)
        self.assertTrue(self.e.state(name)["Running"])

    def test_what_is_restored_writes_its_output_and_its_exit_status_is_known(self):
        name = self.run_detached("sh", "-c", "echo before; while ! test -e /end; do sleep 0.05; done; echo after; exit 7")
        self.eventually(lambda: "before" in self.e.ok("logs", name), "its first word")
        self.e.ok("container", "checkpoint", name)
        self.e.ok("container", "restore", name)
        self.exec(name, "touch", "/end")
        self.assertEqual(self.e.ok("wait", name), "7")
        self.assertIn("after", self.e.ok("logs", name))

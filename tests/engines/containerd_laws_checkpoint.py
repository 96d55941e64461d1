# Tasks that go to files and come back, as `ctr` asks for it: into containerd's store and out of it.
# Layer: tests. Collected by laws.py for containerd.
# SPDX-License-Identifier: Apache-2.0
from containerd_laws_ctr import NUMBERS, CtrLaws
from laws_checkpoint import COUNT, criu_missing
from sandbox import poll


class CtrCheckpointLaws(CtrLaws):
    alone = True

    def setUp(self):
        missing = criu_missing(self.e)
        if missing:
            self.skipTest(missing)

    def counter(self):
        name = self.name()
        self.e.ok(*self.run_options("-d"), name, "sh", "-c", COUNT)
        self.counts_on(name, 0)
        return name

    def count(self, name):
        return int(self.exec(name, "cat", "/count"))

    def counts_on(self, name, since):
        def further():
            found = self.e("task", "exec", "--exec-id", f"count{next(NUMBERS)}", name, "cat", "/count")
            return found.rc == 0 and int(found.out or 0) > since
        poll(further, 60, f"{name} counts on from {since}")

    def kept(self, name, *flags):
        """The name of the image that holds the container, its files and its memory."""
        reference = f"checkpoint/{name}:{next(NUMBERS)}"
        self.e.ok("containers", "checkpoint", "--rw", "--image", "--task", *flags, name, reference)
        self.addCleanup(lambda: self.e("images", "rm", reference))
        return reference

    def test_a_task_goes_to_the_store_and_another_container_counts_on(self):
        name = self.counter()
        reference = self.kept(name)
        before = self.count(name)
        self.remove(name)
        other = self.name()
        self.e.ok("containers", "restore", "--rw", "--live", other, reference)
        self.assertIn(other, self.e.runtime_ids())
        self.counts_on(other, before)
        self.assertLess(self.count(other), before + 5000)
        self.e.ok("task", "kill", "-s", "KILL", other)
        self.wait_for(other, "STOPPED")

    def test_it_runs_on_while_it_is_kept(self):
        name = self.counter()
        self.kept(name)
        self.assertEqual(self.status(name), "RUNNING")
        self.counts_on(name, self.count(name))

    def test_a_checkpoint_may_end_the_task(self):
        name = self.counter()
        self.e.ok("task", "checkpoint", "--exit", name)
        self.wait_for(name, "STOPPED")

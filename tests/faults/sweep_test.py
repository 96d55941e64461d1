"""Every system call of every command fails once: one clear line, nothing left, or a container that is whole.

Layer: tests, on sweep.py. Short: create and start, each call with one error. CAISSON_LONG=1: every command and every error.
SPDX-License-Identifier: Apache-2.0
"""
import os
import unittest

from faults import LONG, main
from plausible import errors_of
import sweep

long = unittest.skipUnless(LONG, "long: CAISSON_LONG=1")
errors = errors_of if LONG and not os.environ.get("CAISSON_FAULTS_ONE") else lambda call: errors_of(call)[:1]


class EverySystemCall(sweep.Sweep):
    def check(self, kind, name, container):
        problems = self.fail_each(kind(self, container, name), errors)
        counts = {verdict: sum(1 for row in self.rows if row[5] == verdict) for verdict in ("failed", "tolerated", "missed")}
        print(f"{name}: {len(self.rows)} failures of calls: {counts}", flush=True)
        self.assertEqual(problems, [], "\n".join(problems[:40]))

    def test_OfCreateLeavesNothingOrAWholeContainer(self):
        self.check(sweep.Create, "create", self.docker_like())

    def test_OfStartLeavesNothingOrAWholeContainer(self):
        self.check(sweep.Start, "start", self.docker_like())

    @long
    def test_OfRun(self):
        self.check(sweep.Run, "run", self.docker_like())

    @long
    def test_OfRunDetached(self):
        self.check(sweep.RunDetached, "run --detach", self.docker_like())

    @long
    def test_OfExec(self):
        self.check(sweep.Exec, "exec", self.docker_like("/bin/sleep", "1000"))

    @long
    def test_OfExecDetached(self):
        self.check(sweep.ExecDetached, "exec --detach", self.docker_like("/bin/sleep", "1000"))

    @long
    def test_OfState(self):
        self.check(sweep.State, "state", self.docker_like("/bin/sleep", "1000"))

    @long
    def test_OfKill(self):
        self.check(sweep.Kill, "kill", self.docker_like("/bin/sleep", "1000"))

    @long
    def test_OfDelete(self):
        self.check(sweep.Delete, "delete", self.docker_like())

    @long
    def test_OfDeleteForced(self):
        self.check(sweep.DeleteForced, "delete --force", self.docker_like())

    @long
    def test_OfDeleteOfAStoppedOne(self):
        self.check(sweep.DeleteStopped, "delete (stopped)", self.docker_like("/bin/sleep", "1000"))

    @long
    def test_OfDeleteForcedOfARunningOne(self):
        self.check(sweep.DeleteForcedRunning, "delete --force (running)", self.docker_like("/bin/sleep", "1000"))


if __name__ == "__main__":
    main()

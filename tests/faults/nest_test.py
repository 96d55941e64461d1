"""caisson-nest too: every call of it, its shim, its supervisor and its runtime fails once, and nothing of a nest is left.

Layer: tests, on nest_sweep.py. Short: create, some of its calls with one error. CAISSON_LONG=1: every call and every error.
SPDX-License-Identifier: Apache-2.0
"""
import os
import unittest

from faults import LONG, main
from plausible import errors_of
import nest_sweep

long = unittest.skipUnless(LONG, "long: CAISSON_LONG=1")
errors = errors_of if LONG and not os.environ.get("CAISSON_FAULTS_ONE") else lambda call: errors_of(call)[:1]
STRIDE = 1 if LONG else 4


class EverySystemCall(nest_sweep.Nests):
    def check(self, kind, name, container, part=lambda program: True):
        problems = self.fail_each(kind(self, container, name), errors, lambda place: part(nest_sweep.program_of(place[0])), STRIDE)
        counts = {verdict: sum(1 for row in self.rows if row[5] == verdict) for verdict in ("failed", "tolerated", "missed")}
        print(f"{name}: {len(self.rows)} failures of calls: {counts}", flush=True)
        self.assertEqual(problems, [], "\n".join(problems[:40]))

    def create(self, *programs):
        container = self.docker_like("/bin/sh", "-c", nest_sweep.PROOF)
        self.check(nest_sweep.Create, "nest create: " + ", ".join(programs), container, lambda program: program in programs)

    def test_OfCreateLeavesNothingOrAWholeNest(self):
        self.create("nest", "shim")

    @long
    def test_OfTheFirstSupervisorLeavesAWholeNest(self):
        self.create("supervisor")

    @long
    def test_OfTheRuntimeThatCreateStarts(self):
        self.create("runtime")

    @long
    def test_OfDelete(self):
        self.check(nest_sweep.Delete, "nest delete", self.docker_like("/bin/sleep", "1000"))

    @long
    def test_OfDeleteForcedOfARunningOne(self):
        self.check(nest_sweep.DeleteForced, "nest delete --force", self.docker_like("/bin/sleep", "1000"))


if __name__ == "__main__":
    main()

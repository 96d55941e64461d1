"""What a start may cost: system calls and memory, so that a change that doubles them is seen the same day.

Layer: tests, on harness.py. The bench measures time; this holds two numbers that do not depend on the machine's load.
SPDX-License-Identifier: Apache-2.0
"""
import os
import shutil
import unittest

from harness import PEER, RuntimeTest, main
from machine import cgroup_mounts

SYSTEM_CALLS = 500  # with ten hierarchies mounted (v1 and a v2 beside it): what the bench measures on its own bundle is the target
MEMORY = 2500  # kB, of any process that the runtime is or makes


@unittest.skipUnless(PEER == "caisson", "peer: ours alone")
class Budget(RuntimeTest):
    @unittest.skipUnless(shutil.which("strace"), "machine: no strace")
    def test_ARunStaysWithinItsSystemCalls(self):
        c = self.container("/bin/true")
        for mount in set(cgroup_mounts().values()):  # an engine's parent group is there already
            os.makedirs(os.path.join(mount, self.cgroup.lstrip("/")), exist_ok=True)
        trace = os.path.join(self.directory, "trace")
        c.run(wrap=("strace", "-f", "-qq", "-o", trace))
        with open(trace) as file:
            calls = [line for line in file if "(" in line and "resumed>" not in line and "+++" not in line and "---" not in line]
        self.assertGreater(len(calls), 100, "the trace is of a whole run")
        self.assertLessEqual(len(calls), SYSTEM_CALLS, "".join(calls[-20:]))

    def test_InitIsSmallWhileItWaits(self):
        c = self.container("/bin/true")
        c.create()
        with open(f"/proc/{c.pid}/status") as file:
            lines = dict(line.split(":", 1) for line in file if ":" in line)
        self.assertLessEqual(int(lines["VmHWM"].split()[0]), MEMORY)

    def test_ItIsOneStaticFile(self):
        c = self.container("/bin/true")
        c.create()
        with open(f"/proc/{c.pid}/maps") as file:
            mapped = {line.split()[-1] for line in file if "/" in line}
        self.assertFalse([path for path in mapped if ".so" in path], mapped)


if __name__ == "__main__":
    main()

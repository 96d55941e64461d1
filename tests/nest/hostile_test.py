"""Callers that want their supervisor to be wrong: 10,000 random calls, and the host is what it was and the nest is served.

Layer: tests. Users: ctest (tests.nest.hostile). The calls: storm_trapped.cc. CAISSON_LONG makes six times as many.
SPDX-License-Identifier: Apache-2.0
"""
import os
import shutil
import subprocess

from nests import HERE, built, main
from storm_test import Storm as StormCase
from supervisor_test import SupervisedTest

LONG = bool(os.environ.get("CAISSON_LONG"))
CALLS_AN_ATTEMPT = 8
ATTEMPTS = 60000 // CALLS_AN_ATTEMPT if LONG else 10000 // CALLS_AN_ATTEMPT


SECONDS = 60 if LONG else 8


def hostile_path():
    return built("CAISSON_TEST_HOSTILE", "nest_hostile", [os.path.join(HERE, "hostile.cc")], "-static", "-pthread")


class Garbage(StormCase):
    def test_nothing_that_its_root_tries_changes_the_host(self):
        seen = []

        def watch(nest):
            outcome = self.runtime("supervisor", nest.id, rc=None)
            if outcome.rc == 0:
                seen.append(outcome.json())

        self.storm(engine_root=False, attempts=ATTEMPTS, flags=("--trapped",), watch=watch)
        # Nothing of it has made the supervisor fall over.
        self.assertEqual({one["generation"] for one in seen}, {1})
        self.assertEqual(len({one["supervisor"] for one in seen}), 1)

    test_nor_on_the_root_that_an_engine_gives = None


class Hostile(SupervisedTest):
    def calling(self, what, *arguments):
        nest = self.trapping("/hostile", what, str(SECONDS), "/tmp", *arguments)
        shutil.copy(hostile_path(), os.path.join(nest.rootfs, "hostile"))
        return nest

    def test_what_is_changed_after_the_trap_reaches_nothing_of_the_hosts(self):
        nest = self.calling("races", "/foreign")
        foreign = self.volume("foreign")
        os.chmod(foreign, 0o777)  # what would keep a node out is our own check alone
        nest.user_namespace(host=300000)
        subprocess.run(["chown", "-R", "300000:300000", nest.rootfs], check=True)
        nest.mount("/foreign", foreign)
        words = nest.run(seconds=SECONDS + 120).out.split()
        self.assertGreater(int(words[1]), 1000, words)
        self.assertGreater(int(words[3]), 10, words)
        self.assertEqual(os.listdir(foreign), [])

    def test_callers_that_are_killed_and_stopped_leave_the_others_served(self):
        out = self.calling("killed").run(seconds=SECONDS + 120).out.split()
        self.assertGreater(int(out[1]), 100, out)
        self.assertEqual(out[2:], ["served"])


del StormCase

if __name__ == "__main__":
    main()

"""The runtime is killed with SIGKILL at any moment: what it left is told clearly, taken away, and in nobody's way.

Layer: tests, on sweep.py. Short: 40 kills. CAISSON_LONG=1: 300 random moments, and every call of every command.
CAISSON_KILL_SEED=N repeats the moments of a run that printed N.
SPDX-License-Identifier: Apache-2.0
"""
import contextlib
import os
import random
import signal
import subprocess
import time

from faults import LONG, main
import nest_sweep
import sweep

MOMENTS = 300 if LONG else 14
SEED = int(os.environ.get("CAISSON_KILL_SEED") or random.randrange(1 << 32))
# What makes something, or gives it its name: around these a kill leaves the most.
MAKERS = ("mkdirat", "renameat2", "renameat", "linkat", "clone3", "clone", "unlinkat")


class Killed(sweep.Sweep):
    def setUp(self):
        super().setUp()
        self.chance = random.Random(f"{SEED} {self.id()}")

    def aftermath(self, scenario):
        """After a kill: state and list answer, delete --force takes all away, the same id can be made again."""
        c, wrong = scenario.c, []
        state = self.call("state", c.id)
        answers = '"status"' in state.out if state.rc == 0 else "does not exist" in state.err
        if not answers:
            wrong.append(f"state: {state}")
        listed = self.call("list", "--quiet") if self.chance.random() < 0.5 else None  # it sweeps: delete must do without
        if listed and listed.rc != 0:
            wrong.append(f"list: {listed}")
        forced = self.force(c)
        if forced.rc != 0:
            wrong.append(f"delete --force: {forced}")
        return wrong + self.nothing_left(c) + self.again(c)

    def nothing_left(self, c):
        return [f"left: {left}" for left in self.gone(c, 30)]

    def again(self, c):
        """The whole life of a container of the same id."""
        made = self.call("run", "--detach", "--bundle", c.bundle, c.id)
        forced = self.force(c)
        wrong = [f"again: {result}" for result in (made, forced) if result.rc != 0]
        return wrong + [f"again, {left}" for left in self.nothing_left(c)]

    def chosen(self, places, count):
        """In the short form: half of them where something is made, half anywhere."""
        if LONG:
            return places
        makers = [place for place in places if place[2] in MAKERS]
        out = self.chance.sample(makers, min(len(makers), count // 2))
        return out + self.chance.sample([place for place in places if place not in out], count - len(out))

    def verdict(self, scenario, where, wrong):
        scenario.created = False
        if not wrong:
            return []
        self.clear_by_hand(scenario.c)
        print(f"{scenario.name}, killed {where}: {wrong}", flush=True)
        return [f"{scenario.name}, killed {where}: {wrong}"]

    def done(self, scenario):
        scenario.created = False
        for file in getattr(scenario, "files", ()):
            file.close()

    def at_calls(self, scenario, count):
        print(f"CAISSON_KILL_SEED={SEED}", flush=True)
        places = self.places(scenario)
        if scenario.lasts:
            scenario.end()
        problems, killed = [], 0
        chosen = self.chosen(places, count)
        for process, number, name in chosen:
            _, lines = self.traced(scenario, "--at", f"{process}:{number}:kill")
            killed += bool(lines) and lines[0].startswith("killed")
            wrong = self.aftermath(scenario)
            self.done(scenario)
            problems += self.verdict(scenario, f"at {process}:{number} {name}", wrong)
        print(f"{scenario.name}: killed at {killed} of {len(places)} calls", flush=True)
        self.assertEqual(problems, [])
        self.assertGreater(killed, 0)  # not every call comes each time: what is waited for may be there already

    def at_moments(self, kinds, moments, longest):
        print(f"CAISSON_KILL_SEED={SEED}", flush=True)
        problems = []
        for moment in range(moments):
            scenario = kinds[moment % len(kinds)]
            scenario.prepare()
            delay = self.chance.uniform(0, longest)
            process = subprocess.Popen([self.program, "--root", self.root, *scenario.line()], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(delay)
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
            process.wait()
            wrong = self.aftermath(scenario)
            self.done(scenario)
            problems += self.verdict(scenario, f"after {delay * 1000:.2f} ms (moment {moment})", wrong)
        self.assertEqual(problems, [])


class Runtime(Killed):
    def test_AtACallOfCreate(self):
        self.at_calls(sweep.Create(self, self.docker_like(), "create"), 8)

    def test_AtACallOfStart(self):
        self.at_calls(sweep.Start(self, self.docker_like(), "start"), 3)

    def test_AtACallOfRun(self):
        self.at_calls(sweep.RunDetached(self, self.docker_like(), "run --detach"), 4)

    def test_AtACallOfExec(self):
        self.at_calls(sweep.Exec(self, self.docker_like("/bin/sleep", "1000"), "exec"), 4)

    def test_AtACallOfDelete(self):
        self.at_calls(sweep.Delete(self, self.docker_like(), "delete"), 3)

    def test_AtRandomMoments(self):
        c = self.docker_like("/bin/sleep", "1000")
        kinds = (sweep.Create(self, c, "create"), sweep.Start(self, c, "start"), sweep.Exec(self, c, "exec"),
                 sweep.Delete(self, c, "delete"), sweep.Run(self, c, "run"))
        self.at_moments(kinds, MOMENTS, 0.012)


class Made(sweep.Create):
    """Proved by its success alone: what runs in it reports nothing."""

    def finish(self, result):
        return []


class Nest(nest_sweep.Nests, Killed):
    """The same for caisson-nest: its shim, supervisor, view, cgroup, records and ids go with `delete --force` alone."""

    def sleeper(self):
        c = self.container("/bin/sleep", "1000")
        c.process["noNewPrivileges"] = False
        return c

    def test_AtACallOfCreate(self):
        self.at_calls(Made(self, self.sleeper(), "nest create"), 6)

    def test_AtRandomMomentsOfCreateStartExecAndDelete(self):
        c = self.sleeper()
        kinds = (sweep.Create(self, c, "nest create"), sweep.Start(self, c, "nest start"), sweep.Exec(self, c, "nest exec"),
                 sweep.Delete(self, c, "nest delete"), sweep.Run(self, c, "nest run"))
        self.at_moments(kinds, MOMENTS if LONG else 8, 0.04)


if __name__ == "__main__":
    main()

"""Fails every system call of a command, one at a time, and looks at what came of it.

Layer: tests. Users: tests/faults/sweep_test.py and nest_test.py. A scenario is a command and what must be there before it.
SPDX-License-Identifier: Apache-2.0
"""
import contextlib
import errno
import json
import os
import re

from faults import FaultTest, Result, inject_path, wait_until, whole
from plausible import RETRIED, errors_of, may_differ, reason

CONTEXT = re.compile(r"^[^\n]*[A-Za-z]{3}[^\n]*: [^\n]+$")
WORDS = ("out of memory", "died", "does not exist", "not running", "cannot allocate")


def one_clear_line(text):
    """Names what was being done and why it failed, in one line."""
    lines = text.strip("\n").split("\n")
    return len(lines) == 1 and bool(CONTEXT.match(lines[0]) or any(word in lines[0] for word in WORDS))


class Scenario:
    """One command on one container. The container is made anew for every point unless it `lasts`."""

    lasts = False
    ends = False  # its success is proved by there being nothing left, so that any call may have failed on the way

    def __init__(self, test, container, name):
        self.test, self.c, self.name = test, container, name
        container.write()
        self.first = None  # what the probe saw when nothing failed
        self.injected = (None, None)  # the call that failed, and its error

    def prepare(self):
        """Before the command."""

    def wrap(self):
        return ()

    def finish(self, result):
        """After it: a list of what is wrong, given that it said success."""
        return []

    def failed(self, result):
        """What is wrong after a failure, before delete --force."""
        return []

    def same(self, text):
        """The container is what it would have been: compares the probe's report to the first one."""
        try:
            seen = whole(text, self.c)
        except (ValueError, KeyError) as error:
            return [f"no report ({error}): {text[-300:]!r}"]
        if self.first is None:
            self.first = seen
        return [self.difference(key, seen[key], self.first[key]) for key in seen if seen[key] != self.first[key]
                and not self.explained(key, seen[key], self.first[key])]

    @staticmethod
    def difference(key, seen, first):
        if isinstance(seen, list) and isinstance(first, list):
            return f"{key}: more {[one for one in seen if one not in first]}, less {[one for one in first if one not in seen]}"
        return f"{key}: {seen!r}, not {first!r}"

    def explained(self, key, seen, first):
        both = isinstance(seen, list) and isinstance(first, list)
        extra, missing = ([line for line in a if line not in b] for a, b in ((seen, first), (first, seen))) if both else ((), ())
        return both and may_differ(*self.injected, key, extra, missing)

    def started_output(self, files):
        """Waits for the probe's report in what create's process wrote."""
        def whole_line():
            files[0].seek(0)
            text = files[0].read()
            return text if text.endswith("}\n") else None
        def failure():
            files[1].seek(0)
            return files[1].read().endswith("\n")
        with contextlib.suppress(AssertionError):
            wait_until(lambda: whole_line() or failure(), "the container's report", 10)
        files[0].seek(0)
        files[1].seek(0)
        return files[0].read() + files[1].read()

    def close(self):
        self.test.force(self.c)


class Create(Scenario):
    def line(self):
        return ("create", "--bundle", self.c.bundle, "--pid-file", os.path.join(self.c.bundle, "pid"), self.c.id)

    def finish(self, result):
        files = self.test.kept_output()
        started = self.test.call("start", self.c.id)
        text = self.started_output(files) if started.rc == 0 else ""
        files[1].seek(0)
        said = files[1].read()
        if not text.endswith("}\n") and one_clear_line(said):
            self.told = True  # its first process failed after `create` had let it go: it says so itself
            out = []
        else:
            out = [f"start after it: {started}"] if started.rc != 0 else self.same(text)
        for file in files:
            file.close()
        return out

    def failed(self, result):
        return [f"after a failed create: {left}" for left in self.test.gone(self.c, 15)]


class Start(Scenario):
    """Of a created container; with `also`, the calls of the container's own process count too."""

    also = True

    def prepare(self):
        made = self.test.call("create", "--bundle", self.c.bundle, self.c.id)
        assert made.rc == 0, str(made)
        self.files = self.test.kept_output()
        with open(os.path.join(self.test.root, self.c.id, "state.json")) as file:
            self.pid = json.load(file)["pid"]

    def wrap(self):
        return ("--also", str(self.pid)) if self.also else ()

    def line(self):
        return ("start", self.c.id)

    def finish(self, result):
        text = self.started_output(self.files)
        self.files[1].seek(0)
        said = self.files[1].read()
        if said and not text.endswith("}\n"):  # its first process failed after `start` had let it go: it says so itself
            self.told = True
            return [] if one_clear_line(said) else [f"the container said {said!r}"]
        return self.same(text)

    def failed(self, result):
        return []

    def close(self):
        super().close()
        for file in self.files:
            file.close()


class Run(Scenario):
    ends = True

    def line(self):
        return ("run", "--bundle", self.c.bundle, self.c.id)

    def finish(self, result):
        return self.same(result.out)

    def failed(self, result):
        if result.out:  # it ran, and what could not be taken away after it is for delete --force
            self.test.force(self.c)
        return [f"after a failed run: {left}" for left in self.test.gone(self.c, 15)]


class RunDetached(Scenario):
    ends = False

    def line(self):
        return ("run", "--detach", "--bundle", self.c.bundle, self.c.id)

    def finish(self, result):
        files = self.test.kept_output()
        out = self.same(self.started_output(files))
        for file in files:
            file.close()
        return out

    failed = Run.failed


class OnRunning(Scenario):
    """A command on a container that runs: the same one for all points."""

    lasts = True
    created = False

    def prepare(self):
        if self.created:
            return
        self.test.force(self.c)
        made = self.test.call("run", "--detach", "--bundle", self.c.bundle, self.c.id)
        assert made.rc == 0, str(made)
        with open(os.path.join(self.test.root, self.c.id, "state.json")) as file:
            self.pid = json.load(file)["pid"]
        self.created = True

    def strangers(self):
        """Processes in the container besides its first one, and what is in its state directory besides its files."""
        self.test.reap_all()
        with open(self.c.cgroup("pids", "cgroup.procs")) as file:
            out = [f"process {pid} in the container" for pid in file.read().split() if pid != str(self.pid)]
        names = set(os.listdir(os.path.join(self.test.root, self.c.id))) - {"config.json", "state.json"}
        names |= {name for name in os.listdir(self.test.root) if name != self.c.id}
        names |= {name for name in os.listdir(self.c.bundle) if ".tmp" in name}
        children = [pid for pid in self.test.reap_all() if pid != self.pid]
        return out + [f"file {name}" for name in names] + [f"process {pid}: {self.test.command(pid)}" for pid in children]

    def settled(self):
        try:
            wait_until(lambda: not self.strangers(), "strangers", 20)
            return []
        except AssertionError:
            return self.strangers()

    def finish(self, result):
        return self.settled()

    def failed(self, result):
        return self.settled()

    def close(self):
        pass

    def end(self):
        self.test.force(self.c)


class Exec(OnRunning):
    flags = ()

    def same(self, text):
        """Its pid is another one each time; that it leads its own session is what counts."""
        try:
            seen = json.loads(text)
            seen["sid"] -= seen["pid"]
            seen["pgid"] -= seen["pid"]
            seen["pid"] = 0
        except (ValueError, KeyError) as error:
            return [f"no report ({error}): {text[-300:]!r}"]
        return super().same(json.dumps(seen))

    def line(self):
        return ("exec", *self.flags, "--pid-file", os.path.join(self.c.bundle, "pid"), self.c.id, "/probe")

    def finish(self, result):
        return self.same(result.out) + self.settled()


class ExecDetached(Exec):
    flags = ("--detach",)

    def finish(self, result):
        files = self.test.kept_output()
        out = self.same(self.started_output(files))
        for file in files:
            file.close()
        return out + self.settled()


class State(OnRunning):
    def line(self):
        return ("state", self.c.id)

    def finish(self, result):
        try:
            status = json.loads(result.out)["status"]
        except (ValueError, KeyError):
            return [f"state says {result.out!r}"]
        return [] if status == "running" else [f"state says {status}"]


class Kill(OnRunning):
    def line(self):
        return ("kill", self.c.id, "URG")


class Delete(Scenario):
    flags = ()
    ends = True

    def prepare(self):
        made = self.test.call("create", "--bundle", self.c.bundle, self.c.id)
        assert made.rc == 0, str(made)

    def line(self):
        return ("delete", *self.flags, self.c.id)

    def finish(self, result):
        return [f"after delete: {left}" for left in self.test.gone(self.c, 15)]


class DeleteForced(Delete):
    flags = ("--force",)


class DeleteStopped(Delete):
    def prepare(self):
        self.test.force(self.c)
        made = self.test.call("run", "--detach", "--bundle", self.c.bundle, self.c.id)
        assert made.rc == 0, str(made)
        killed = self.test.call("kill", self.c.id, "KILL")
        assert killed.rc == 0, str(killed)
        wait_until(lambda: not self.test.reap_all(), "its end")


class DeleteForcedRunning(DeleteForced):
    def prepare(self):
        made = self.test.call("run", "--detach", "--bundle", self.c.bundle, self.c.id)
        assert made.rc == 0, str(made)


class Sweep(FaultTest):
    """fail_each() over one scenario; rows for the report."""

    def setUp(self):
        super().setUp()
        self.report = os.path.join(self.directory, "injected")
        self.rows = []

    def traced(self, scenario, *flags):
        scenario.prepare()
        wrap = (inject_path(), "--report", self.report, "--seconds", "60", *scenario.wrap(), *flags)
        result = self.call(*scenario.line(), wrap=wrap)
        return result, self.text(self.report).splitlines()

    def places(self, scenario):
        """Every (process, call, name) of the command when nothing fails, and the proof that it then works."""
        result, lines = self.traced(scenario)
        self.assertEqual(result.rc, 0, f"{scenario.name}: {result}")
        self.assertEqual(scenario.finish(result), [], scenario.name)
        scenario.close()
        if not scenario.lasts:
            self.assertEqual(self.gone(scenario.c), [], scenario.name)
        return [(int(process), int(call), name) for process, call, name in (line.split() for line in lines[:-1])]

    @staticmethod
    def phases(places):
        """What a process is busy with at each of its calls, as far as TOLERATED needs it."""
        out = {}
        for process in {place[0] for place in places}:
            names = [(number, name) for owner, number, name in places if owner == process and number > 0]
            seals = ("execveat", "execve") if process == 0 else ("execveat",)  # or a runtime that was started by caisson-nest
            sealed = next((number for number, name in names if name in seals), 0)
            if sealed:  # the sealed one looks at itself once more
                sealed = next((number for number, name in names if name == "fstatfs" and number > sealed), sealed)
            began = next((number for number, name in names if name == "prctl"), 0) if process > 0 else 0
            libc = 0
            for number, name in names:
                if name == "getrandom":
                    libc = number
                phase = "sealing" if number <= sealed else "signals" if number < began else ""
                out[process, number] = phase
            for number, name in names:
                if name == "prlimit64" and number < libc:
                    out[process, number] = "libc"
        return out

    def fail_each(self, scenario, errors=lambda call: errors_of(call)[:1], pick=lambda place: True, stride=1):
        self.places(scenario)  # makes what is made only once: a parent cgroup's CPUs
        places = self.places(scenario)
        self.phase = self.phases(places)
        waits = [number for process, number, name in places if process == 0 and name == "wait4"]
        self.ending = waits[-1] if waits and isinstance(scenario, Run) else 0
        places = [place for place in places if pick(place)][::stride]
        problems = []
        for process, number, name in places:
            for error in errors(name):
                found = self.point(scenario, process, number, name, error)
                if found:
                    problems.append(found)
                if len(problems) > 200:
                    return problems
        if scenario.lasts:
            scenario.end()
            problems += [f"{scenario.name}: {left}" for left in self.gone(scenario.c)]
        return problems

    def excused(self, scenario, process, number, name, error):
        if scenario.ends and process == 0 and number > self.ending:
            return True
        return reason(name, self.phase.get((process, number), ""), error)

    def point(self, scenario, process, number, name, error):
        result, lines = self.traced(scenario, "--at", f"{process}:{number}:{error}")
        ended = lines[-1] if lines else "nothing"
        injected = bool(lines) and lines[0].startswith("injected")
        wrong = []
        verdict = "missed"
        scenario.told = False
        scenario.injected = (None, None)
        by_libc = name == "brk" and "Fatal glibc error" in result.err  # its allocator's last word, in one line
        if not ended.startswith("exit ") and not by_libc:
            wrong.append(f"it ended by {ended}")
        if injected:
            name, planned = lines[0].split()[3], name
            scenario.injected = (name, error)
            verdict = "failed" if result.rc != 0 else "tolerated"
            if name != planned and error not in errors_of(name):  # chance made another call of it, which cannot fail so
                self.clear_by_hand(scenario.c)
                scenario.close()
                scenario.created = False
                self.rows.append((scenario.name, process, number, name, errno.errorcode[error], "missed", ""))
                return None
        if result.rc == 0:
            wrong += scenario.finish(result)
            if scenario.told:
                verdict = "failed"
            elif injected and error not in RETRIED and not self.excused(scenario, process, number, name, error):
                wrong.append("succeeded all the same, and no reason is known")
        else:
            told = [line for line in result.err.splitlines(True) if not line.startswith("Fatal glibc error")] if by_libc else []
            said = "".join(told) or result.err
            if not one_clear_line(said):
                wrong.append("not one clear line")
            wrong += scenario.failed(result)
        scenario.close()
        if not scenario.lasts:
            wrong += self.gone(scenario.c, 30)
        self.rows.append((scenario.name, process, number, name, errno.errorcode[error], verdict, result.err.strip()[-300:]))
        if not wrong:
            return None
        self.clear_by_hand(scenario.c)
        scenario.created = False
        print(f"{scenario.name} {process}:{number} {name} {errno.errorcode[error]}: {'; '.join(wrong)}", flush=True)
        return f"{scenario.name} {process}:{number} {name} {errno.errorcode[error]}: {'; '.join(wrong)} ({result})"

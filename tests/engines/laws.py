# What every engine must be able to do with our runtime: collected from laws_*.py and run against one engine.
# Layer: tests. Used by each engine's NAME_test.py.
# SPDX-License-Identifier: Apache-2.0
import concurrent.futures
import importlib
import itertools
import os
import pathlib
import re
import sys
import time
import unittest

from sandbox import Unavailable, poll

SKIPPED = 77  # ctest: SKIP_RETURN_CODE
WORKERS = int(os.environ.get("CAISSON_WORKERS", "4"))
NUMBERS = itertools.count(1)
# What runs by default under an engine whose older version is held to every law beside it.
CORE = r"DockerLaws|PodmanLaws|CheckpointLaws|LifecycleLaws|ProcessLaws|ExecLaws|BuildLaws|NetworkLaws|ResourceLaws|NestLaws|InnerEngineLaws|RemainsLaws"


class Laws(unittest.TestCase):
    """`self.e` is the engine. Containers made through `name()` are removed after each law."""

    e = None
    alone = False  # True: nothing else runs at the same time
    longMessage = True
    maxDiff = None

    def name(self, prefix="c"):
        name = f"{prefix}{next(NUMBERS)}"
        self.addCleanup(lambda: self.e("rm", "-f", "-v", name))
        return name

    def run_detached(self, *args, options=(), name=None):
        """A running container; returns its name."""
        name = name or self.name()
        self.e.ok("run", "-d", "--name", name, *options, self.e.image, *args)
        return name

    def sleeper(self, *options):
        """A running container that ends at once when it is asked to."""
        return self.run_detached("sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1000 & wait $!; done", options=options)

    def once(self, *command, options=(), rc=0):
        """stdout of `run --rm OPTIONS IMAGE COMMAND`, stripped; its exit code must be `rc`."""
        result = self.e("run", "--rm", *options, self.e.image, *command)
        self.assertEqual(result.rc, rc, repr(result) + (self.e.log_tail() if result.rc in (125, 126, 127) else ""))
        return result.out.strip()

    def exec(self, name, *command, options=(), rc=0):
        result = self.e("exec", *options, name, *command)
        self.assertEqual(result.rc, rc, repr(result))
        return result.out.strip()

    def eventually(self, condition, what, seconds=60):
        return poll(condition, seconds, what)

    def only(self, kind, why):
        if self.e.kind != kind:
            self.skipTest(why)

    def directory(self):
        """A new directory at the same path here and in the sandbox."""
        path = self.e.sandbox.data / f"dir{next(NUMBERS)}"
        path.mkdir()
        if self.e.user:
            os.chown(path, self.e.user, self.e.user)
        return path

    def cgroup_value(self, v1, v2, options=(), name=None):
        """What the container reads from its own cgroup: FILE below the v1 controller, or the v2 file."""
        script = f"cat /sys/fs/cgroup/{v1} 2>/dev/null || cat /sys/fs/cgroup/{v2}"
        return self.exec(name, "sh", "-c", script) if name else self.once("sh", "-c", script, options=options)


def classes(files):
    here = pathlib.Path(__file__).parent
    for path in sorted(here.glob(files)):
        module = importlib.import_module(path.stem)
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, unittest.TestCase) and value.__module__ == module.__name__:
                yield value


def run_one(law):
    """Runs one law; prints how it went. Returns whether it is kept."""
    result = unittest.TestResult()
    started = time.monotonic()
    law.run(result)
    broken = [text for _, text in result.failures + result.errors]
    word = "FAIL" if broken else f"skipped: {result.skipped[0][1]}" if result.skipped else "ok"
    name = f"{type(law).__name__}.{law._testMethodName}"
    print("\n".join([f"{name} ... {word} ({time.monotonic() - started:.1f} s)"] + broken), flush=True)
    return not broken


def run_suite(laws):
    """Most of a law's time is waiting for the engine: several run at once, those that look at everything alone."""
    together = [law for law in laws if not law.alone]
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        kept = list(pool.map(run_one, together))
    kept += [run_one(law) for law in laws if law.alone]
    return kept


def chosen(law, pattern, core, left_out):
    """Whether it is to run. Without a pattern and without CAISSON_LONG only the core runs."""
    if any(re.search(what, law.id()) for what in left_out):
        return False
    if pattern is None:
        return not core or "CAISSON_LONG" in os.environ or re.search(core, law.id())
    return re.search(pattern, law.id())


def run_laws(engine_class, name, files="laws_*.py", core="", left_out=None, long=False):
    """usage of a test program: NAME_test.py [PATTERN]: runs the laws of FILES whose name matches PATTERN.

    `core` matches those that run by default, `left_out` says what does not apply and why. `long`: nothing by default.
    """
    pattern = sys.argv[1] if len(sys.argv) > 1 else None
    if long and pattern is None and "CAISSON_LONG" not in os.environ:
        print("skipped: runs with CAISSON_LONG=1 only (./dev test --long)")
        sys.exit(SKIPPED)
    for what, why in (left_out or {}).items():
        print(f"left out: {what}: {why}")
    loader = unittest.TestLoader()
    laws = []
    started = time.monotonic()
    engine = None
    try:
        engine = engine_class(name)
        for cls in classes(files):
            cls.e = engine
            laws += [law for law in loader.loadTestsFromTestCase(cls) if chosen(law, pattern, core, left_out or {})]
        engine.start()
        print(f"{name}: {len(laws)} laws, {engine.version()}, runtime {engine.runtime}", flush=True)
        kept = run_suite(laws)
        print(f"{name}: {sum(kept)} of {len(kept)} laws kept, {time.monotonic() - started:.0f} s")
    except Unavailable as e:
        print(f"skipped: {e}")
        sys.exit(SKIPPED)
    finally:
        if engine:
            engine.stop()
    sys.exit(0 if all(kept) else 1)

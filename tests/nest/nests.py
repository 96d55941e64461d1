"""What every test of a nest stands on: the runtime's harness with caisson-nest as the runtime, and records of its own.

Layer: tests. Users: tests/nest/*_test.py. Run one file alone:
    CAISSON_TEST_NEST=out/build/caisson-nest /usr/bin/python3 tests/nest/locks_test.py -k NameOfALaw
SPDX-License-Identifier: Apache-2.0
"""
import contextlib
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(SOURCE, "tests/runtime"))
os.environ["CAISSON_TEST_RUNTIME"] = os.environ.get("CAISSON_TEST_NEST") or os.path.join(SOURCE, "out/build/caisson-nest")

from harness import LIBC, RuntimeTest, built, cgroup_mounts, main, wait_until  # noqa: E402,F401 (re-exported)


def attempts_path():
    return built("CAISSON_TEST_ATTEMPTS", "nest_attempts", [os.path.join(HERE, "attempts.cc")], "-static")


class NestTest(RuntimeTest):
    """Records and data below the test's own directory; at the end they must be empty too."""

    def setUp(self):
        super().setUp()
        self.nests = os.path.join(self.directory, "nests")
        self.live = os.path.join(self.directory, "run")
        os.environ["CAISSON_NEST_STATE"] = self.nests
        os.environ["CAISSON_NEST_RUN"] = self.live
        self.mounted = []
        self.addCleanup(self.check_records)  # before the harness's own clean-up: last in, first out

    def nest(self, *arguments):
        """A container as a plain engine would ask for it: nothing in it says that it is a nest."""
        made = self.container(*arguments)
        made.process["noNewPrivileges"] = False
        attempts = os.path.join(made.rootfs, "attempts")
        shutil.copy(attempts_path(), attempts)
        return made

    def volume(self, name="volume"):
        path = os.path.join(self.directory, name)
        os.makedirs(path, exist_ok=True)
        return path

    def overlay(self, nest, name="layers"):
        """Gives a nest an engine's root: an overlay, mounted where config.json says. Returns the engine's directory."""
        layers = os.path.join(self.directory, name)
        lower, upper, work = (os.path.join(layers, part) for part in ("lower", "diff", "work"))
        for path in (upper, work):
            os.makedirs(path)
        os.rename(nest.rootfs, lower)
        os.makedirs(nest.rootfs)
        options = f"lowerdir={lower},upperdir={upper},workdir={work}"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, nest.rootfs], check=True)
        self.mounted.append(nest.rootfs)
        return layers

    def unmount(self, path):
        if path in self.mounted:
            self.mounted.remove(path)
            LIBC.umount2(path.encode(), 2)

    def answers(self, outcome):
        """attempts' lines as a dictionary."""
        return dict(line.split(None, 1) for line in outcome.out.splitlines())

    def records(self):
        return [name for name in (os.listdir(self.nests) if os.path.isdir(self.nests) else []) if not name.startswith(".")]

    def ids_in_use(self):
        ids = os.path.join(self.nests, ".ids")
        return [name for name in (os.listdir(ids) if os.path.isdir(ids) else []) if name.isdigit()]

    def claims(self):
        claims = os.path.join(self.live, "claims")
        return os.listdir(claims) if os.path.isdir(claims) else []

    def check_records(self):
        for made in self.containers:
            with contextlib.suppress(AssertionError):
                made.delete("--force", rc=None)
        for path in list(self.mounted):
            self.unmount(path)
        for name in ("records", "ids_in_use", "claims"):
            self.assertEqual(getattr(self, name)(), [], f"{name} left behind")

    def first_id(self, nest):
        """On the host, the id of the nest's root."""
        with open(f"/proc/{nest.pid}/uid_map") as file:
            inside, outside, size = (int(word) for word in file.read().split())
        self.assertEqual((inside, size), (0, 65536))
        return outside

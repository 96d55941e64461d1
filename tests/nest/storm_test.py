"""Thousands of generated attempts by root of a nest, and the host is what it was: sysctls, mounts, cgroups, files, processes.

Layer: tests. Users: ctest (tests.nest.storm). CAISSON_STORM_SEED chooses the attempts; CAISSON_LONG makes ten times as many.
SPDX-License-Identifier: Apache-2.0
"""
import os
import shutil
import subprocess
import sys
import time

from nests import SOURCE, NestTest, built, cgroup_mounts, main, wait_until

sys.path.insert(0, os.path.join(SOURCE, "tests/demo"))
from snapshot import sysctls  # noqa: E402

ATTEMPTS = 20000 if os.environ.get("CAISSON_LONG") else 2000
SEED = os.environ.get("CAISSON_STORM_SEED", "1")
HERE = os.path.dirname(os.path.abspath(__file__))
# What a nest must not change of its own cgroup, and of those above. Delegated files are its own to write.
LIMITS = ("memory.limit_in_bytes", "memory.max", "memory.oom_control", "pids.max", "cpu.max", "cpu.cfs_quota_us", "cpu.shares",
          "cpu.weight", "cpuset.cpus", "notify_on_release", "release_agent", "devices.list", "freezer.self_freezing", "cgroup.type")
DELEGATED = ("cgroup.subtree_control", "cgroup.clone_children", "cgroup.max.depth")


def storm_path():
    sources = sorted(os.path.join(HERE, name) for name in os.listdir(HERE) if name.startswith("storm") and name.endswith(".cc"))
    return built("CAISSON_TEST_STORM", "nest_storm", sources, "-static", "-pthread")


def read(path):
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except OSError:
        return None


def describe(path):
    status = os.lstat(path)
    return status.st_mode, status.st_uid, status.st_size, status.st_mtime_ns, read(path)


class Storm(NestTest):
    def cgroups_of(self, nest):
        """The nest's cgroup of every hierarchy, and those above, up to the root."""
        found = {}
        for mount in set(cgroup_mounts().values()):
            path = os.path.join(mount, nest.linux["cgroupsPath"].lstrip("/"))
            if not os.path.isdir(path):
                continue
            found[path] = LIMITS
            while path != mount:
                path = os.path.dirname(path)
                found[path] = LIMITS + DELEGATED
        return found

    def host(self, nest):
        """Everything of the host that a nest could harm, by name."""
        facts = {f"sysctl {name}": value for name, value in sysctls().items() if "/tcp_available_" not in name}
        facts["mounts"] = sorted(line for line in read("/proc/self/mountinfo").splitlines() if "/caisson-test-" not in line)  # ours, and those of tests beside us
        # Not the modules: the kernel loads a protocol's when any user asks for such a socket. Loading one by name must fail.
        facts["swaps"] = read("/proc/swaps")
        facts["host name"] = os.uname().nodename
        facts["clock"] = round(time.time() - time.clock_gettime(time.CLOCK_BOOTTIME))
        facts["network links"] = sorted(os.listdir("/sys/class/net"))
        facts["files in /"] = sorted(os.listdir("/"))
        facts["files beside its root"] = sorted(os.listdir(nest.bundle))
        facts["devices"] = [(name, os.lstat(f"/dev/{name}").st_mode) for name in ("null", "zero", "full", "random", "tty")]
        facts["canaries"] = {path: describe(path) for path in self.canaries}
        pid = self.bystander.pid
        facts["bystander"] = (os.sched_getaffinity(pid), os.getpriority(os.PRIO_PROCESS, pid), read(f"/proc/{pid}/limits"),
                              read(f"/proc/{pid}/cgroup"), self.bystander.poll())
        for directory, names in self.cgroups_of(nest).items():
            facts |= {f"cgroup {directory}/{name}": read(f"{directory}/{name}") for name in names}
        return facts

    def canary(self, path):
        with open(path, "w") as file:
            file.write("as it was\n")
        self.canaries.append(path)

    def storm(self, *, engine_root, attempts=ATTEMPTS, flags=(), watch=lambda nest: None):
        self.bystander = subprocess.Popen(["sleep", "1000"])
        self.addCleanup(lambda: (self.bystander.kill(), self.bystander.wait()))
        self.canaries = []
        nest = self.nest("/storm", SEED, str(attempts), *flags)
        shutil.copy(storm_path(), os.path.join(nest.rootfs, "storm"))
        if engine_root:
            self.overlay(nest)
        locked = self.volume("locked")
        nest.mount("/given", self.volume("given"))
        nest.mount("/locked", locked, options=("rbind", "ro"))
        self.canary(os.path.join(self.directory, "canary"))
        self.canary(os.path.join(locked, "canary"))
        nest.create()
        before = self.host(nest)
        nest.start()
        wait_until(lambda: watch(nest) or self.reap() or nest.status() == "stopped", "the end of the storm", seconds=560)
        after = self.host(nest)
        lines = nest.output.out().splitlines()
        self.assertTrue(lines and lines[-1].startswith(f"attempts {attempts} "), lines[-20:])
        self.assertEqual([line for line in lines if line.startswith("escape")], [])
        changed = {name: (old, after.get(name)) for name, old in before.items() if after.get(name) != old}
        self.assertEqual(changed, {})
        # A storm in which nothing was allowed, or that saw no files to write, has tested nothing.
        allowed = int(lines[-1].split()[3])
        self.assertGreater(allowed, attempts // 40, lines[-2:])
        self.assertGreater(int(lines[-2].split()[1]), 100, lines[-2])
        nest.delete()
        if engine_root:
            self.runtime("forget", nest.id)

    def test_nothing_that_its_root_tries_changes_the_host(self):
        self.storm(engine_root=False)

    def test_nor_on_the_root_that_an_engine_gives(self):
        self.storm(engine_root=True)


if __name__ == "__main__":
    main()

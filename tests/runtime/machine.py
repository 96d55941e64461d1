"""What this machine is: its cgroup hierarchies, what it cannot do, and which runtime is under test.

Layer: tests. Users: tests/runtime/harness.py. A skip in CI is allowed only for a limit that is listed and probed here.
SPDX-License-Identifier: Apache-2.0
"""
import functools
import os
import subprocess
import unittest


@functools.lru_cache(maxsize=None)
def cgroup_mounts():
    """Controller name (or `name=systemd`, or `unified`) to mount point."""
    found = {}
    with open("/proc/self/mountinfo") as file:
        for line in file:
            left, _, right = line.partition(" - ")
            point, (kind, _, options) = left.split()[4], right.split()[:3]
            if kind == "cgroup2":
                found.setdefault("unified", point)
            elif kind == "cgroup":
                for name in options.split(","):
                    if name not in ("rw", "ro", "xattr", "clone_children", "noprefix"):
                        found.setdefault(name, point)
    return found


def own_cgroups():
    """Controller to this process's own cgroup in that hierarchy."""
    found = {}
    with open("/proc/self/cgroup") as file:
        for line in file:
            _, names, path = line.rstrip("\n").split(":", 2)
            for name in names.split(",") if names else ["unified"]:
                found[name] = path
    return found


def capability(number):
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith("CapEff:"):
                return bool(int(line.split()[1], 16) >> number & 1)
    return False


def has_controller(name):
    return name in cgroup_mounts()


def has_cgroup_file(controller, name):
    """Limits are listed by what the hierarchy's first child shows (roots hide some files)."""
    root = cgroup_mounts().get(controller)
    if not root:
        return False
    if os.path.exists(os.path.join(root, name)):
        return True
    directory = os.path.join(root, f"caisson-probe-{os.getpid()}")
    os.mkdir(directory)
    try:
        return os.path.exists(os.path.join(directory, name))
    finally:
        os.rmdir(directory)


def v2_controllers():
    root = cgroup_mounts().get("unified", "/none")
    try:
        with open(os.path.join(root, "cgroup.controllers")) as file:
            return file.read().split()
    except OSError:
        return []


def kernel():
    return tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2])


def filesystem(name):
    with open("/proc/filesystems") as file:
        return name in file.read().split()


LIMITS = {
    "CAP_SYS_RESOURCE": lambda: capability(24),
    "cgroup-v2": lambda: not has_controller("memory") and "memory" in v2_controllers(),
    "cgroup-v1": lambda: has_controller("memory") and has_controller("freezer"),
    "memory-controller": lambda: has_controller("memory") or "memory" in v2_controllers(),
    "overlay": lambda: filesystem("overlay"),
    "tmpfs-idmap": lambda: kernel() >= (6, 3),
    "overlay-layers-by-descriptor": lambda: kernel() >= (6, 13),
    "time-namespace": lambda: os.path.exists("/proc/self/ns/time"),
    "two-cpus": lambda: len(os.sched_getaffinity(0)) >= 2,
    "cpuset-v1": lambda: has_controller("cpuset"),
    "blkio-weight": lambda: has_cgroup_file("blkio", "blkio.weight") or has_cgroup_file("blkio", "blkio.bfq.weight"),
    "blkio-throttle": lambda: has_cgroup_file("blkio", "blkio.throttle.read_bps_device"),
    "memsw": lambda: has_cgroup_file("memory", "memory.memsw.limit_in_bytes"),
    "cpu-quota": lambda: has_cgroup_file("cpu", "cpu.cfs_quota_us"),
    "cpu-idle": lambda: has_cgroup_file("cpu", "cpu.idle"),
    "cpu-burst": lambda: has_cgroup_file("cpu", "cpu.cfs_burst_us"),
    "numa-policy": lambda: os.path.exists("/sys/devices/system/node/node0"),
    "block-device": lambda: any(os.path.exists(f"/dev/{n}") for n in ("vda", "sda", "nvme0n1")),
}


def without_limit(name):
    """Skips a test when the machine cannot do what it needs: the only skips that CI accepts."""
    return unittest.skipUnless(LIMITS[name](), f"machine: no {name}")


def peer_of(runtime):
    """`runc-1.1`, `runc`, `crun`, or `caisson`: by the file, not by what --version claims."""
    name = os.path.basename(os.path.realpath(runtime))
    if name not in ("runc", "crun"):
        return "caisson"
    if name == "crun":
        return "crun"
    text = subprocess.run([runtime, "--version"], capture_output=True, text=True).stdout
    return "runc-1.1" if "version 1.1" in text or "version 1.0" in text else "runc"

# What the demo must leave as it was: the host's sysctls, mounts and cgroups.
# Layer: tests. Used by run.
# SPDX-License-Identifier: Apache-2.0
import os
import pathlib
import re

# Counters and random numbers: they change by themselves.
ALIVE = ("/fs/dentry-state", "/fs/inode-", "/fs/file-nr", "/fs/aio-nr", "/kernel/random/", "/kernel/ns_last_pid", "/kernel/pty/nr",
         "/net/netfilter/nf_conntrack_count", "/fs/quota/", "/kernel/perf_event_max_sample_rate", "/kernel/perf_cpu_time")


def sysctls():
    """{name: value} of everything below /proc/sys that can be read and does not change by itself."""
    found = {}
    for directory, _, names in os.walk("/proc/sys"):
        for name in names:
            path = f"{directory}/{name}"
            if any(word in path for word in ALIVE):
                continue
            try:
                found[path] = pathlib.Path(path).read_text(errors="replace")
            except OSError:
                pass
    return found


def mounts():
    """Every mount of the host's own namespace, without the numbers that are given at mount time."""
    lines = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
    return {" ".join(line.split()[3:]) for line in lines}


def cgroups():
    """Every cgroup directory of the host."""
    found = set()
    for where in {line.split()[4] for line in open("/proc/self/mountinfo") if " - cgroup" in line}:
        for directory, _, _ in os.walk(where):
            found.add(directory)
    return found


def is_somebody_elses(cgroup):
    """Other programs make cgroups while we run: one with processes in it, or named after a process that lives, is theirs."""
    for part in pathlib.Path(cgroup).parts:
        match = re.search(r"-(\d+)(-|$)", part)
        if match and int(match[1]) != os.getpid() and os.path.exists(f"/proc/{match[1]}"):
            return True
    for directory, _, names in os.walk(cgroup):
        if "cgroup.procs" in names and pathlib.Path(directory, "cgroup.procs").read_text().strip():
            return True
    return not os.path.exists(cgroup)


class Snapshot:
    """`ours`: words by which a mount made for the demo is known."""

    def __init__(self, *ours):
        self.ours = [str(word) for word in ours]
        self.sysctls, self.mounts, self.cgroups = sysctls(), mounts(), cgroups()

    def added(self):
        """What is there now and was not, as lines; empty when the host is as before."""
        now = sysctls()
        out = [f"sysctl {name}: {old.strip()!r} became {now[name].strip()!r}"
               for name, old in self.sysctls.items() if name in now and now[name] != old]
        out += [f"mount {line}" for line in sorted(mounts() - self.mounts) if any(word in line for word in self.ours)]
        return out + [f"cgroup {path}" for path in sorted(cgroups() - self.cgroups) if not is_somebody_elses(path)]

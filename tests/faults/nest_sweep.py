"""What a nest adds to the sweep: its own programs' calls, and records, cgroups and mounts that must be gone with it.

Layer: tests, on sweep.py. Users: tests/faults/nest_test.py and kill_test.py.
SPDX-License-Identifier: Apache-2.0
"""
import os
import re

from faults import cgroup_mounts
from harness import LIBC
import sweep

# It works: a trapped call is answered, and the nest sees its own memory.
PROOF = "mknod /tmp/n c 1 3 && rm /tmp/n && read a b c < /proc/meminfo && exec /probe"


# Calls of caisson-nest itself that may fail: that the nest is whole and leaves nothing is looked at all the same.
TOLERATED = {
    "faccessat": "what may be there is tried, what may be in use is kept",
    "readlinkat": "where the search for free ids begins is a hint",
    "symlinkat": "where the search for free ids begins is a hint",
    "renameat": "where the search for free ids begins is a hint",
    "unlinkat": "where the search for free ids begins is a hint",
    "kill": "who holds the id maps ends with us",
    "read": "that a program was started is told by its exit status too",
    "mount_setattr": "what cannot be id-mapped with all below it is tried alone",
}


# And of its shim. What fails in the background it does again, or it could not start; the proof is the same.
IN_BACKGROUND = 33
TOLERATED_IN_SHIM = {
    "fcntl": "a supervisor gets its descriptors by their numbers, all others are closed",
    "unlinkat": "an old socket, and there is none",
}


def program_of(process):
    """Whose call it is in a `create`, by the number that inject gives (its head says how)."""
    line = [process]
    while line[0] > 16:
        line.insert(0, (line[0] - 1) // 16)
    if line[0] == 2:
        return "supervisor" if len(line) > 2 else "shim"
    return "runtime" if line[0] == 3 else "nest"


class Scene:
    """What differs from a plain container: ids of the host's are another nest's each time, and so is the key of its state."""

    def same(self, text):
        text = re.sub(r"[0-9a-f]{16}/" + self.c.id, "HASH/ID", text)
        text = re.sub(r'("[ug]id_map":" +0 +)[0-9]+', r"\1N", text)
        text = re.sub(r"\b(user_id|group_id|uid|gid)=[0-9]+", r"\1=N", text)
        return super().same(text)

    def wrap(self):
        return ("--into", "caisson", *super().wrap())


class Create(Scene, sweep.Create):
    pass


class Delete(Scene, sweep.Delete):
    pass


class DeleteForced(Scene, sweep.DeleteForcedRunning):
    pass


class Nests(sweep.Sweep):
    program = os.environ.get("CAISSON_TEST_NEST") or os.path.join(os.path.dirname(sweep.FaultTest.program), "caisson-nest")

    def setUp(self):
        super().setUp()
        self.nests, self.live = os.path.join(self.directory, "nests"), os.path.join(self.directory, "run")
        for name, path in (("CAISSON_NEST_STATE", self.nests), ("CAISSON_NEST_RUN", self.live)):
            os.environ[name] = path
            self.addCleanup(os.environ.pop, name, None)

    def docker_like(self, *arguments):
        c = super().docker_like(*arguments)
        c.process["noNewPrivileges"] = False
        return c

    def quick_leftovers(self, c, but=()):
        left = super().quick_leftovers(c, but)
        ids, claims = os.path.join(self.nests, ".ids"), os.path.join(self.live, "claims")
        hashes = [name for name in (os.listdir(self.live) if os.path.isdir(self.live) else []) if name not in ("claims", "lock")]
        left += [f"nest record {self.live}/{name}" for name in hashes]
        for path, kept in ((self.nests, (".ids",)), (ids, ("lock", "last")), (claims, ())):
            names = os.listdir(path) if os.path.isdir(path) else []
            left += [f"nest record {path}/{name}" for name in names if name not in kept]
        for mount in set(cgroup_mounts().values()):
            top = os.path.join(mount, "caisson")
            left += [f"cgroup {top}/{name}" for name in (os.listdir(top) if os.path.isdir(top) else []) if name.endswith("-" + c.id)]
        return left

    def excused(self, scenario, process, number, name, error):
        """A supervisor that fails has a successor: that the nest's calls are answered is the proof."""
        if isinstance(scenario, Create) and program_of(process) == "supervisor":
            return True
        if program_of(process) == "nest" and name in TOLERATED:
            return True
        if program_of(process) == "shim" and (process == IN_BACKGROUND or name in TOLERATED_IN_SHIM):
            return True
        return super().excused(scenario, process, number, name, error)

    def clear_by_hand(self, c):
        super().clear_by_hand(c)
        self.call("forget", c.id)
        for path, _, _ in os.walk(self.live, topdown=False):
            LIBC.umount2(path.encode(), 2)

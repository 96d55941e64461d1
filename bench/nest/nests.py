# Nests and plain containers for the bench, on a busybox root with the program that makes the calls.
# Layer: bench. Used by run.
# SPDX-License-Identifier: Apache-2.0
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(SOURCE / "bench/runtime")]
from bundle import make_bundle  # noqa: E402

ENOUGH = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_MKNOD", "CAP_SYS_ADMIN", "CAP_SETUID", "CAP_SETGID", "CAP_SYS_CHROOT"]


class Nests:
    """Records, states and bundles below `work`. Leaves nothing."""

    def __init__(self, work, cgroup, trapped):
        self.work, self.cgroup, self.trapped = work, cgroup, trapped
        self.nest = SOURCE / "out/bin/caisson-nest"
        self.plain = {"caisson": SOURCE / "out/bin/caisson-runtime", "runc": shutil.which("runc")}
        self.environment = {**os.environ, "CAISSON_NEST_STATE": str(work / "nests"), "CAISSON_NEST_RUN": str(work / "run")}
        self.number = 0
        self.running = []

    def bundle(self, name, args):
        path = make_bundle(self.work / "bundles" / name, args, f"{self.cgroup}/{name}")
        shutil.copy(self.trapped, path / "rootfs/trapped")
        config = json.loads((path / "config.json").read_text())
        config["process"]["noNewPrivileges"] = False
        config["process"]["capabilities"] = {name: ENOUGH for name in ("bounding", "effective", "permitted")}
        config["root"]["readonly"] = False
        (path / "config.json").write_text(json.dumps(config))
        return path

    def command(self, program, *words):
        return [str(program), "--root", str(self.work / "state" / pathlib.Path(program).name), *map(str, words)]

    def run(self, program, bundle, *flags):
        """Starts a container and waits for it (or not: --detach). (seconds, stdout)"""
        self.number += 1
        name = f"bench-{self.number}"
        argv = self.command(program, "run", *flags, "--bundle", bundle, name)
        output = None if flags else subprocess.PIPE
        started = time.monotonic()
        done = subprocess.run(argv, env=self.environment, stdin=subprocess.DEVNULL, stdout=output or subprocess.DEVNULL, text=True)
        took = time.monotonic() - started
        if flags:
            self.running.append(name)
        if done.returncode != 0:
            raise SystemExit(f"bench: failed: {' '.join(argv)}\n{done.stdout}")
        return took, done.stdout

    def inside(self, *args):
        """What /trapped prints as the first process of a nest."""
        return self.run(self.nest, self.bundle("calls", ["/trapped", *map(str, args)]))[1]

    def close(self):
        for name in self.running:
            subprocess.run(self.command(self.nest, "delete", "--force", name), env=self.environment, check=False)
        self.running = []


def own_memory(work):
    """kB that nobody shares with others in proportion (PSS): (shim, supervisor) of the one nest that runs below `work`."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = pathlib.Path(f"/proc/{pid}/cmdline").read_text().split("\0")
            rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        name = os.path.basename(words[0])
        if name in ("caisson-shim", "caisson-supervisor") and any(word.startswith(str(work)) for word in words):
            found[name] = next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    return found["caisson-shim"], found["caisson-supervisor"]

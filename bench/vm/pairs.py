#!/usr/bin/python3
# Pairs of the same call of two runtimes, one after the other, in a guest.
# Layer: bench. Started by run, in the guest.
# SPDX-License-Identifier: Apache-2.0
"""usage: pairs.py N      writes pairs.json to $CAISSON_VM_OUT"""
import json
import os
import pathlib
import platform
import random
import shutil
import subprocess
import sys
from statistics import median

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(SOURCE / "bench" / "runtime"))
from bundle import make_bundle  # noqa: E402

BUILD = pathlib.Path(os.environ["CAISSON_BUILD"])
STOPWATCH = BUILD / "bench" / "stopwatch"
PROGRAMS = {"caisson": str(BUILD / "caisson-runtime"), "crun": shutil.which("crun")}
WORK = pathlib.Path("/tmp/bench")  # a tmpfs
CGROUP = "/caisson-bench"


def call(program, *words):
    return [PROGRAMS[program], "--root", str(WORK / "state" / program), *map(str, words)]


def measure(commands):
    """(wall ms, CPU ms) of each, run back to back."""
    joined = []
    for i, command in enumerate(commands):
        joined += ([":"] if i else []) + command
    out = subprocess.run([STOPWATCH, "0", *joined], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    lines = [line.split() for line in out.stdout.splitlines()]
    if out.returncode != 0 or len(lines) != len(commands) or any(line[3] != "0" for line in lines):
        raise SystemExit(f"pairs: failed: {' '.join(joined)}\n{out.stdout}{out.stderr}")
    return [(int(line[0]) / 1e6, int(line[1]) / 1e3) for line in lines]


def pairs(what, count, make):
    samples = {name: [] for name in PROGRAMS}
    for number in range(count + 3):
        order = list(PROGRAMS)
        random.shuffle(order)
        found = measure([make(name, number) for name in order])
        if number >= 3:  # the first ones fill caches
            for name, sample in zip(order, found):
                samples[name].append(sample)
    ours, theirs = samples["caisson"], samples["crun"]
    row = {"what": what, "pairs": count, "ratio": median(a[0] / b[0] for a, b in zip(ours, theirs))}
    for name, values in samples.items():
        row[f"{name}_ms"] = median(v[0] for v in values)
        row[f"{name}_cpu_ms"] = median(v[1] for v in values)
        row[f"{name}_all_ms"] = [round(v[0], 3) for v in values]
    print(f"pairs: {what}: {row['caisson_ms']:.1f} / {row['crun_ms']:.1f} ms, ratio {row['ratio']:.2f}", flush=True)
    return row


def main():
    count = int(sys.argv[1])
    for name in PROGRAMS:
        (WORK / "state" / name).mkdir(parents=True)
        make_bundle(WORK / name, ["/bin/true"], f"{CGROUP}/{name}")
        make_bundle(WORK / f"{name}-kept", ["/bin/sleep", "100000"], f"{CGROUP}/{name}-kept")
        subprocess.run(call(name, "run", "--detach", "--bundle", WORK / f"{name}-kept", "kept"), check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        rows = [pairs("run", count, lambda name, number: call(name, "run", "--bundle", WORK / name, f"{name}-{number}")),
                pairs("exec", count, lambda name, _: call(name, "exec", "kept", "/bin/true"))]
    finally:
        for name in PROGRAMS:
            subprocess.run(call(name, "delete", "--force", "kept"), check=False)
    versions = [subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
                for path in PROGRAMS.values()]
    result = {"kernel": platform.release(), "programs": " against ".join(versions), "rows": rows}
    pathlib.Path(os.environ["CAISSON_VM_OUT"], "pairs.json").write_text(json.dumps(result, indent=1) + "\n")


main()

#!/usr/bin/python3
# What the kernel lane found, as a table that is kept: bench/results/vm-lane.md, and the same as JSON.
# Layer: tests. Used by boot.py with --record.
# SPDX-License-Identifier: Apache-2.0
import datetime
import json

from sandbox import SOURCE

RESULTS = SOURCE / "bench" / "results"
HEAD = """# The tests on Debian's kernels

Made by the kernel lane itself (`./dev vm --record`): QEMU without KVM, two CPUs, 4 GiB, cgroup v2 alone, systemd as process 1.
One row is one test file, as it was run last; *passed* does not count what was skipped. A skip's reason is in the test's output:
what only cgroup v1 has, and what the guest has no package or no network for.
"""


def verdict(case):
    if case["verdict"] == "ok":
        return ""
    if case["verdict"] == "FAILED":
        return "failed: " + ", ".join(case["failed"] or ["see its log"])
    return {"TIMEOUT": "switched off: not finished in time", "skipped": "skipped as a whole"}[case["verdict"]]


def table(kernel, cases):
    rows = [case for case in cases.values() if case["verdict"] != "skipped"]
    failed = sum(max(len(case["failed"]), 1) for case in rows if case["verdict"] != "ok")
    lines = ["", f"## {kernel}", "",
             f"{len(rows)} files, {sum(case['ran'] - case['skipped'] for case in rows) - failed} passed, "
             f"{sum(case['skipped'] for case in rows)} skipped, {failed} failed.", "",
             "| test file | passed | skipped | failed | seconds | what failed | command |", "| --- | --- | --- | --- | --- | --- | --- |"]
    commands = []
    for name in sorted(cases):
        case = cases[name]
        bad = 0 if case["verdict"] in ("ok", "skipped") else max(len(case["failed"]), 1)
        passed = max(case["ran"] - case["skipped"] - bad, 0)
        if case["command"] not in commands:
            commands.append(case["command"])
        lines.append(f"| `{name}` | {passed} | {case['skipped']} | {bad} | {case['seconds']} | {verdict(case)} | {commands.index(case['command']) + 1} |")
    return lines + [""] + [f"{number}. `./dev vm {command}`" for number, command in enumerate(commands, 1)]


def record(kernel, path, command):
    """Adds the guest's results.json to what is kept: each case replaces what was there of its name."""
    kept_file = RESULTS / "vm-lane.json"
    kept = json.loads(kept_file.read_text()) if kept_file.exists() else {}
    found = json.loads(path.read_text())
    lane = kept.setdefault(kernel, {"cases": {}})
    lane["release"] = found["kernel"]
    for name, case in found["cases"].items():
        lane["cases"][name] = {**case, "command": f"--kernel {kernel} {command}", "date": datetime.date.today().isoformat()}
    kept_file.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
    lines = [HEAD.rstrip("\n")]
    for name in sorted(kept, key=lambda text: [int(part) for part in text.split(".")]):
        lines += table(kept[name]["release"], kept[name]["cases"])
    (RESULTS / "vm-lane.md").write_text("\n".join(lines) + "\n")

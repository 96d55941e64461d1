#!/usr/bin/python3
# Runs the tree's tests inside a guest, one after the other, and says what came of them.
# Layer: tests. Used by boot.py, in the guest.
# SPDX-License-Identifier: Apache-2.0
"""usage: guest.py all | short | engines | NAME...      a NAME is a part of a case's name: unit.cgroup, tests.runtime.exec, docker

The exit status is 0 when nothing failed. Each case's output and results.json go to $CAISSON_VM_OUT, after each case. `all` is
everything but the engines, which take as long as all the rest.
"""
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import time

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("CAISSON_BUILD", SOURCE / "out" / "build"))
OUT = pathlib.Path(os.environ.get("CAISSON_VM_OUT", SOURCE / "out" / "vm"))
NOT_EMULATED = "-*InUnderFourMilliseconds"  # gtest filter: what measures time
PYTHON = ["/usr/bin/python3", "-B"]
SHORT = ["unit.cgroup", "unit.runtime", "unit.nest", "tests.runtime.cgroups"]
# The guest's own engines, held to a core of their laws: run, exec, limits, stop, a nest.
LAWS = ("test_output_and_errors_come_back_apart|test_run_ends_with_the_exit_code|test_exec_gives_output|test_exec_joins|privileged_exec|"
        "test_memory_is_limited|test_cpus_are_a_quota|test_processes_are_limited|test_out_of_memory_kills|test_update_changes|"
        "test_inspect_tells_the_state|test_stop_kills|a_paused_container|a_device_is_given|"
        "NestLaws.test_(root_in_a_nest|a_nest_may_mount|it_cannot_raise)")
CTR_LAWS = "ctr.(RunLaws.test_(output|it_is|a_program|limits|a_user)|TaskLaws.test_(exec|pause|kill_sends|metrics)|EventLaws|NestLaws)"
ENGINES = {"bookworm": {"docker20": LAWS, "podman4": LAWS, "containerd16": CTR_LAWS},
           "trixie": {"docker26": LAWS, "podman5": LAWS, "containerd17": CTR_LAWS}}
# Proves the escape list by Debian's runc and crun, which break laws of it: each waits for its deadline. Not about the kernel.
LEFT_OUT = ["tests.escape.known_holes"]
SECONDS = int(os.environ.get("CAISSON_VM_SECONDS", "900"))  # for one case: emulated, all is some ten times slower


def environment():
    return {**os.environ, "CAISSON_SOURCE": str(SOURCE), "CAISSON_BUILD": str(BUILD),
            "CAISSON_TEST_NEST": str(BUILD / "caisson-nest"),
            "CAISSON_TEST_PROBE": str(BUILD / "tests/runtime/runtime_probe"),
            **{f"CAISSON_TEST_{name.upper()}": str(BUILD / f"tests/nest/nest_{name}")
               for name in ("storm", "attempts", "trapped", "calls", "hostile", "procview")},
            "CAISSON_TEST_WITHOUT": str(BUILD / "tests/tools/without"), "CAISSON_PATIENCE": "180",
            "CAISSON_SLOWNESS": "6", "CAISSON_WORKERS": "2"}


def cases():
    """{name: (command, environment besides)}"""
    found = {}
    for path in sorted(BUILD.glob("*_test")):
        found["unit." + path.name[:-5]] = ([path], {"LD_LIBRARY_PATH": str(SOURCE / "out" / "lib"), "GTEST_FILTER": NOT_EMULATED})
    runtime = {"CAISSON_TEST_RUNTIME": str(BUILD / "caisson-runtime")}
    for folder in ("runtime", "escape", "nest", "vm"):
        for path in sorted((SOURCE / "tests" / folder).glob("*_test.py")):
            if folder != "vm" or path.name.startswith("guest_"):
                found[f"tests.{folder}.{path.name[:-8]}"] = ([*PYTHON, path], {} if folder == "nest" else runtime)
    for name in LEFT_OUT:
        found.pop(name, None)
    for name, laws in ENGINES.get(platform.freedesktop_os_release()["VERSION_CODENAME"], {}).items():
        found["tests.engines." + name] = ([*PYTHON, SOURCE / f"tests/engines/{name}_test.py", laws], {})
    return found


def is_wanted(name, wanted):
    engine = name.startswith("tests.engines")
    return ("all" in wanted and not engine) or ("engines" in wanted and engine) or any(part in name for part in wanted)


def bring_out(results):
    """What is known so far goes to the disk that boot.py reads: it is there also when the machine is switched off."""
    (OUT / "results.json").write_text(json.dumps({"kernel": platform.release(), "cases": results}, indent=1) + "\n")
    if os.path.exists("/run/disk-result"):
        subprocess.run(f"tar -C '{OUT}' -cf - . | dd of=/run/disk-result bs=1M conv=fsync", shell=True, stderr=subprocess.DEVNULL, check=False)


def judge(text, rc):
    """(verdict, how many ran, were skipped, names that failed)"""
    ran = re.findall(r"^Ran (\d+) tests?", text, re.M) or re.findall(r"(\d+) laws kept", text) or re.findall(r"^\[=+\] (\d+) tests? from .* ran", text, re.M)
    skipped = re.findall(r"skipped=(\d+)", text) or re.findall(r"^\[  SKIPPED \] (\d+) test", text, re.M)
    failed = re.findall(r"^(?:FAIL|ERROR): (\S+)", text, re.M) + re.findall(r"^\[  FAILED  \] (\S+\.\S+?),?(?: \(.*)?$", text, re.M)
    failed += re.findall(r"^(\S+) \.\.\. FAIL \(", text, re.M)
    verdict = {0: "ok", 77: "skipped", None: "TIMEOUT"}.get(rc, "FAILED")
    return {"verdict": verdict, "ran": int(ran[-1]) if ran else 0, "skipped": int(skipped[-1]) if skipped else 0,
            "failed": sorted(set(failed))}


def run(name, command, more):
    started = time.monotonic()
    log = OUT / "logs" / f"{name}.log"
    with open(log, "wb") as file:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
                                   cwd=SOURCE, env={**environment(), **more}, start_new_session=True)
        try:
            rc = process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()
            rc = None
    result = judge(log.read_text(errors="replace"), rc)
    result["seconds"] = round(time.monotonic() - started)
    return result


def tell(name, result):
    print(f"{result['verdict']:8} {name:28} {result['ran']:4} ran {result['skipped']:3} skipped {result['seconds']:5} s", flush=True)
    for failed in result["failed"]:
        print(f"           {failed}", flush=True)


def main():
    wanted = SHORT if sys.argv[1:] == ["short"] else sys.argv[1:] or ["all"]
    (OUT / "logs").mkdir(parents=True, exist_ok=True)
    results = {}
    for name, (command, more) in cases().items():
        if is_wanted(name, wanted):
            results[name] = run(name, command, more)
            tell(name, results[name])
            bring_out(results)
    bad = [name for name, result in results.items() if result["verdict"] not in ("ok", "skipped")]
    print(f"guest: {platform.release()}: {len(results) - len(bad)} of {len(results)} cases passed, "
          f"{sum(r['ran'] for r in results.values())} tests ran, {sum(r['skipped'] for r in results.values())} of them skipped")
    for name in bad:
        log = (OUT / "logs" / f"{name}.log").read_text(errors="replace").splitlines()
        print(f"--- {name}\n" + "\n".join(log[-25:]))
    return 1 if bad or not results else 0


if __name__ == "__main__":
    sys.exit(main())

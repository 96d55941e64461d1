#!/usr/bin/python3
# The tests that need another kernel than this machine's, as ctest cases.
# Layer: tests. Run by ctest as tests.vm.short, tests.vm.6.1, tests.vm.engines.6.1 and the same for 6.12.
# SPDX-License-Identifier: Apache-2.0
"""usage: lane_test.py short | 6.1 | 6.12 | engines.6.1 | engines.6.12"""
import os
import sys
import time

import boot
from sandbox import Unavailable

GUEST = "/usr/bin/python3 -B tests/vm/guest.py "


def main():
    lane = sys.argv[1]
    if os.geteuid() != 0:
        raise Unavailable("needs root, to make the guest's disk")
    if lane != "short" and os.environ.get("CAISSON_LONG") != "1":
        raise Unavailable("long: runs with CAISSON_LONG=1")
    started = time.monotonic()
    if lane == "short":
        status, up = boot.run("6.1", GUEST + "short", timeout=420, small=True)
    else:
        kernel = lane.removeprefix("engines.")
        status, up = boot.run(kernel, GUEST + ("all" if kernel == lane else "engines"), timeout=3600)
    print(f"{lane}: exit status {status} after {time.monotonic() - started:.0f} s, the guest was up after {up:.0f} s")
    return status


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Unavailable as reason:
        print(f"skipped: {reason}")
        sys.exit(77)

#!/usr/bin/python3
# A Debian 13 root with Docker 26 in it, made from Debian packages once and kept.
# Layer: tests. Used by the docker26 engine and by the demo.
# SPDX-License-Identifier: Apache-2.0
"""usage: debian_root.py      prints the directory, making it if need be"""
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time

from sandbox import Unavailable, cache_directory

SUITE = "trixie"
MIRROR = os.environ.get("CAISSON_DEBIAN_MIRROR", "http://deb.debian.org/debian")
PACKAGES = ["docker.io", "docker-cli", "iptables", "iproute2", "busybox-static", "ca-certificates", "procps"]


def make(path, say):
    if not shutil.which("mmdebstrap"):
        raise Unavailable("mmdebstrap is not installed (apt-get install mmdebstrap): no Debian 13 root")
    part, log = f"{path}.part", f"{path}.log"
    shutil.rmtree(part, ignore_errors=True)
    say(f"making a Debian 13 root with {PACKAGES[0]} (about a minute, once) ...")
    started = time.monotonic()
    command = ["mmdebstrap", "--variant=minbase", "--include=" + ",".join(PACKAGES),
               "--aptopt=APT::Install-Recommends \"false\"", SUITE, part, MIRROR]
    with open(log, "wb") as f:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=f, stderr=f)
        while True:
            try:
                rc = process.wait(10)
                break
            except subprocess.TimeoutExpired:
                say(f"  ... {time.monotonic() - started:.0f} s")
    if rc != 0:
        shutil.rmtree(part, ignore_errors=True)
        with open(log, errors="replace") as f:
            raise Unavailable(f"mmdebstrap failed ({rc}): {' '.join(f.read().split(chr(10))[-6:])}")
    os.rename(part, path)


def debian_root(say=lambda text: print(text, file=sys.stderr, flush=True)):
    """The directory. Must not be written to."""
    key = hashlib.sha256(repr((SUITE, sorted(PACKAGES))).encode()).hexdigest()[:12]
    path = cache_directory() / f"debian13-{key}"
    with open(cache_directory() / "debian13.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            make(str(path), say)
    return path


if __name__ == "__main__":
    print(debian_root())

#!/usr/bin/python3
# Debian roots with newer engines in them, made from Debian packages once and kept.
# Layer: tests. Used by the engines of Debian 13 and newer, and by the demo.
# SPDX-License-Identifier: Apache-2.0
"""usage: debian_root.py [SUITE]      prints the directory, making it if need be"""
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time

from sandbox import Unavailable, cache_directory

MIRROR = os.environ.get("CAISSON_DEBIAN_MIRROR", "http://deb.debian.org/debian")
COMMON = ["iptables", "nftables", "iproute2", "busybox-static", "ca-certificates", "procps", "docker.io", "docker-cli", "docker-buildx",
          "containerd", "podman", "buildah", "conmon", "netavark", "aardvark-dns", "uidmap", "fuse-overlayfs", "passt",
          "catatonit", "containernetworking-plugins"]
# What runs in nests beside engines (tests/e2e).
WORKLOADS = ["systemd", "systemd-sysv", "dbus", "dbus-user-session", "libpam-systemd", "docker-compose", "attr", "libcap2-bin"]
# One root for all engines of a suite: trixie is Debian 13, forky the one after it.
PACKAGES = {"trixie": COMMON + ["criu"] + WORKLOADS, "forky": COMMON}


def command_line(suite, path):
    # A mirror that is a copy of some day has a Release file that is out of date for what moves.
    return ["mmdebstrap", "--variant=minbase", "--include=" + ",".join(PACKAGES[suite]),
            "--aptopt=APT::Install-Recommends \"false\"", "--aptopt=Acquire::Check-Valid-Until \"false\"",
            "--aptopt=Acquire::Retries \"3\"", suite, path, MIRROR]


def make(suite, path, say):
    if not shutil.which("mmdebstrap"):
        raise Unavailable(f"mmdebstrap is not installed (apt-get install mmdebstrap): no root of Debian {suite}")
    part, log = f"{path}.part", f"{path}.log"
    shutil.rmtree(part, ignore_errors=True)
    say(f"making a root of Debian {suite} with its container engines (about two minutes, once) ...")
    started = time.monotonic()
    with open(log, "wb") as f:
        process = subprocess.Popen(command_line(suite, part), stdin=subprocess.DEVNULL, stdout=f, stderr=f)
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


def debian_root(suite="trixie", say=lambda text: print(text, file=sys.stderr, flush=True)):
    """The directory. Must not be written to."""
    key = hashlib.sha256(repr((suite, sorted(PACKAGES[suite]))).encode()).hexdigest()[:12]
    path = cache_directory() / f"debian-{suite}-{key}"
    with open(cache_directory() / f"debian-{suite}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            make(suite, str(path), say)
    return path


if __name__ == "__main__":
    print(debian_root(*sys.argv[1:2]))

#!/usr/bin/python3
# The kernel lane: a command in an emulated machine with Debian's kernel, cgroup v2 alone, systemd, D-Bus and AppArmor.
# Layer: tests. Used by ./dev vm and the tests here.
# SPDX-License-Identifier: Apache-2.0
"""Boots a guest on a throw-away copy of a kept image, with this tree at /root/caisson, and runs COMMAND there.

The default COMMAND is every test (tests/vm/guest.py). The exit status is the command's; 77 says what is missing;
124 is the timeout. Files that the command leaves in $CAISSON_VM_OUT come back to out/vm/KERNEL/.
"""
import argparse
import ctypes
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "engines")]
from images import MACHINES, image  # noqa: E402
from record import record  # noqa: E402
from sandbox import SOURCE, Unavailable  # noqa: E402

RESULT_BYTES = 64 << 20
ALL = "/usr/bin/python3 -B tests/vm/guest.py all"
# What the guest does once the tree is mounted. The second serial line carries words for boot.py alone.
START = """#!/bin/bash
# Runs the command, says its status, brings its files out, switches off.
export PATH=/root/caisson/out/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# /tmp is a tmpfs, which could not be idmapped before 6.3.
export TMPDIR=/var/tmp
export CAISSON_VM=1 CAISSON_VM_OUT=/root/caisson/out/vm CAISSON_BUILD=/root/caisson/out/build CAISSON_SOURCE=/root/caisson
chmod 0755 /root  # user 1000 runs what is in the tree
stty -F /dev/ttyS0 -onlcr 2>/dev/null
stty -F /dev/ttyS1 raw 2>/dev/null
echo up >/dev/ttyS1
mkdir -p "$CAISSON_VM_OUT"
cd /root/caisson || exit
bash .vm/command
status=$?
tar -C "$CAISSON_VM_OUT" -cf /run/disk-result . 2>/dev/null
sync
echo "status $status" >/dev/ttyS1
sleep 0.2
echo o >/proc/sysrq-trigger
sleep 60
"""


def say(text):
    print(f"vm: {text}", file=sys.stderr, flush=True)


def build_directory():
    return pathlib.Path(os.environ.get("CAISSON_BUILD", SOURCE / "out" / "build"))


def copy_tree(stage, command):
    """What tests need of the tree: sources that they read, what was built, the libraries it loads."""
    built = build_directory()
    if not (built / "caisson").exists():
        raise SystemExit(f"vm: {built}/caisson is not there: ./dev build")
    for name in ("tests", "bench", "tools", "caisson", "docs", "apps", "packaging"):
        shutil.copytree(SOURCE / name, stage / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    target = stage / "out" / "build"
    executables = [p for p in [*built.glob("*_test"), built / "caisson"] if os.access(p, os.X_OK)]
    executables += [p for p in built.glob("tests/*/*") if p.is_file() and os.access(p, os.X_OK)]
    executables += [p for p in built.glob("bench/*") if p.is_file() and os.access(p, os.X_OK)]
    for path in executables:
        copy = target / path.relative_to(built)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy)
    (stage / "out" / "bin").mkdir()
    for name in ("caisson", "caisson-runtime", "caisson-nest"):
        if name != "caisson":
            (target / name).symlink_to("caisson")
        (stage / "out" / "bin" / name).symlink_to("../build/caisson")
    libraries = stage / "out" / "lib"  # only those that a guest's Debian may have in another version
    libraries.mkdir()
    for path in executables:
        for line in subprocess.run(["ldd", path], capture_output=True, text=True, check=False).stdout.splitlines():
            words = line.split()
            if "boost" in line and len(words) > 2:
                shutil.copy(words[2], libraries / words[0])
    (stage / ".vm").mkdir()
    (stage / ".vm" / "command").write_text(command + "\n")
    (stage / ".vm" / "start").write_text(START)
    (stage / ".vm" / "start").chmod(0o755)


def tree_image(work, command):
    stage = work / "tree"
    stage.mkdir()
    copy_tree(stage, command)
    path = work / "tree.img"
    with open(path, "wb") as file:
        file.truncate(2 << 30)
    subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-E", "root_owner=0:0", "-d", stage, path], check=True)
    shutil.rmtree(stage)
    return path


def with_parent():
    """The machine ends with us, also when we are killed."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Guest:
    """One machine that is switched on until it ends by itself or `close` ends it."""

    def __init__(self, kernel, work, tree, bare=False, echo=True, interactive=False, small=False):
        base = image(kernel, small, say)
        self.status_path, self.result_path = work / "status", work / "result.img"
        self.status_path.write_bytes(b"")
        with open(self.result_path, "wb") as file:
            file.truncate(RESULT_BYTES)
        accel = os.environ.get("CAISSON_VM_ACCEL", "tcg,thread=multi")
        first = "init=/usr/local/sbin/caisson-init" if bare else "systemd.unit=caisson.target systemd.show_status=0"
        arguments = (f"root=/dev/nvme0n1 rw console=ttyS0 quiet loglevel=3 panic=-1 mitigations=off {first} "
                     "apparmor=1 security=apparmor systemd.unified_cgroup_hierarchy=1 net.ifnames=0 audit=0")
        command = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
                   "-accel", accel, "-cpu", "max", "-smp", os.environ.get("CAISSON_VM_CPUS", "2"), "-m", "4096",
                   "-kernel", base / "vmlinuz", "-append", arguments,
                   "-serial", "stdio", "-serial", f"file:{self.status_path}"]
        # The root is found by its name, and the kernel names one NVMe disk alone always the same.
        for name, file, device, more in (("root", base / "root.img", "nvme", "on"), ("tree", tree, "virtio-blk-pci", "on"),
                                         ("result", self.result_path, "virtio-blk-pci", "off")):
            command += ["-drive", f"file={file},format=raw,if=none,id={name},cache=unsafe,snapshot={more}",
                        "-device", f"{device},drive={name},serial={name}"]
        self.log = open(work / "log", "wb")
        self.echo, self.started = echo, time.monotonic()
        self.process = subprocess.Popen([str(c) for c in command], stdin=None if interactive else subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=with_parent,
                                        env={**os.environ, "TMPDIR": str(work)})
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        while data := os.read(self.process.stdout.fileno(), 65536):
            self.log.write(data)
            self.log.flush()
            if self.echo:
                sys.stdout.buffer.write(data.replace(b"\r\n", b"\n"))
                sys.stdout.buffer.flush()

    def words(self):
        return self.status_path.read_text(errors="replace").split()

    def wait(self, seconds, word=None):
        """True when the machine has ended, or has said `word`, within that time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None or word in self.words():
                return True
            time.sleep(0.1)
        return False

    def status(self):
        """The command's exit status, or None when the machine did not say one."""
        words = self.words()
        return int(words[words.index("status") + 1]) if "status" in words[:-1] else None

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join(10)
        self.log.close()


def bring_out(guest, kernel):
    target = SOURCE / "out" / "vm" / kernel
    target.mkdir(parents=True, exist_ok=True)
    subprocess.run(["tar", "-C", target, "-xf", guest.result_path], check=False, stderr=subprocess.DEVNULL)
    return target


def run(kernel, command, bare=False, timeout=3600, echo=True, interactive=False, small=False):
    """(exit status, seconds until the guest was up). A machine that does not come up is tried once more."""
    if not shutil.which("qemu-system-x86_64"):
        raise Unavailable("qemu-system-x86_64 is not installed (apt-get install qemu-system-x86)")
    (SOURCE / "out").mkdir(exist_ok=True)
    for left in (SOURCE / "out").glob("caisson-vm-*-*"):  # of a run that was killed
        if not os.path.exists(f"/proc/{left.name.split('-')[2]}"):
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f"caisson-vm-{os.getpid()}-", dir=SOURCE / "out") as directory:
        work = pathlib.Path(directory)
        tree = tree_image(work, command)
        for attempt in (1, 2):
            guest = Guest(kernel, work, tree, bare, echo, interactive, small)
            try:
                up = guest.wait(180, "up") and "up" in guest.words()
                seconds = time.monotonic() - guest.started
                if not up and attempt == 1:
                    say(f"the guest did not come up in {seconds:.0f} s; once more")
                    continue
                in_time = guest.wait(timeout, "status") and (guest.wait(30) or True)
            finally:
                guest.close()
                target = bring_out(guest, kernel)
                shutil.copy(work / "log", target / "console.log")
            if guest.status() is not None:
                return guest.status(), seconds
            say(f"{'the guest ended without a status' if in_time else f'not finished after {timeout} s: switched off'}; "
                f"console: {target}/console.log")
            return 125 if in_time else 124, seconds
    return 125, 0


def main():
    parser = argparse.ArgumentParser(prog="./dev vm", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernel", choices=[*MACHINES, "all"], default="6.1")
    parser.add_argument("--systemd", action="store_true", help="systemd is process 1 (the default)")
    parser.add_argument("--bare", action="store_true", help="a small script is process 1: no systemd, no D-Bus")
    parser.add_argument("--shell", action="store_true", help="a shell on the guest's console")
    parser.add_argument("--timeout", type=int, default=3600, metavar="SECONDS")
    parser.add_argument("--record", action="store_true", help="what guest.py found goes to bench/results/vm-lane.md")
    parser.add_argument("command", nargs=argparse.REMAINDER, help=f"a shell command, in the tree (default: {ALL})")
    options = parser.parse_args()
    words = options.command
    command = words[0] if len(words) == 1 else shlex.join(words) if words else "bash -i" if options.shell else ALL
    worst = 0
    for kernel in MACHINES if options.kernel == "all" else [options.kernel]:
        started, before = time.monotonic(), time.time()
        status, up = run(kernel, command, options.bare, options.timeout, interactive=options.shell)
        say(f"{kernel}: exit status {status} after {time.monotonic() - started:.0f} s (up after {up:.0f} s)")
        results = SOURCE / "out" / "vm" / kernel / "results.json"
        if options.record and results.exists() and results.stat().st_mtime >= before:
            record(kernel, results, f"'{command}'")
        worst = max(worst, status)
    return worst


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main())
    except Unavailable as reason:
        print(f"skipped: {reason}")
        sys.exit(77)

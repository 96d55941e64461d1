#!/usr/bin/python3
# Disk images of whole Debian machines, made from packages once and kept: what the kernel lane boots.
# Layer: tests. Used by boot.py.
# SPDX-License-Identifier: Apache-2.0
"""usage: images.py [6.1|6.12 ...]      makes what is missing and prints the directories"""
import fcntl
import hashlib
import inspect
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "engines"))
from sandbox import Unavailable, cache_directory  # noqa: E402

MIRROR = os.environ.get("CAISSON_DEBIAN_MIRROR", "http://deb.debian.org/debian")
SMALL = """linux-image-cloud-amd64 systemd systemd-sysv dbus libpam-systemd apparmor kmod udev python3 busybox-static iproute2
procps util-linux strace crun runc tini uidmap""".split()
ENGINES = """dbus-user-session python3-jsonschema docker.io containerd podman buildah skopeo conmon iptables jq netavark aardvark-dns
containernetworking-plugins fuse-overlayfs slirp4netns catatonit libseccomp2 ca-certificates""".split()
# kernel: Debian's suite, what it has besides
MACHINES = {"6.1": ("bookworm", []), "6.12": ("trixie", ["docker-cli", "criu"])}
BYTES = 12 << 30  # of the disk; the file is sparse

# The command runs as a delegated unit: so PID 1 keeps every controller given to the top cgroups.
UNIT = """[Unit]
Description=The command of ./dev vm
After=basic.target dbus.service systemd-logind.service apparmor.service
[Service]
Type=exec
ExecStart=/usr/local/sbin/caisson-guest
Environment=HOME=/root LANG=C.UTF-8 TERM=dumb
StandardInput=tty-force
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
Delegate=yes
KillMode=process
LimitNOFILE=1048576
TasksMax=infinity
OOMPolicy=continue
"""
TARGET = """[Unit]
Description=Caisson's guest
Requires=basic.target caisson-guest.service
Wants=dbus.service systemd-logind.service apparmor.service
After=basic.target
AllowIsolate=yes
"""
# Both ways to start end here; the rest is on the second disk, so that it can change without a new image.
GUEST = """#!/bin/bash
# Mounts the tree, known by its disk's serial number, and hands over to it.
modprobe -a virtio_pci virtio_blk
for disk in /sys/block/vd*; do ln -sf "/dev/${disk##*/}" "/run/disk-$(<"$disk/serial")"; done
mkdir -p /root/caisson
mount -t ext4 /run/disk-tree /root/caisson && exec /root/caisson/.vm/start
echo 'status 125' >/dev/ttyS1
echo o >/proc/sysrq-trigger
sleep 60
"""
BARE = """#!/bin/bash
# Process 1 of a guest without systemd.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM=dumb
mountpoint -q /proc || mount -t proc proc /proc
mountpoint -q /sys || mount -t sysfs sysfs /sys
mountpoint -q /dev || mount -t devtmpfs devtmpfs /dev
mount -t securityfs securityfs /sys/kernel/security
mount -t cgroup2 -o nsdelegate cgroup2 /sys/fs/cgroup
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
mkdir -p /dev/pts /dev/shm /dev/mqueue
mount -t devpts -o gid=5,mode=620,ptmxmode=0666 devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t mqueue mqueue /dev/mqueue
mount --make-rshared /
ip link set lo up
for c in $(cat /sys/fs/cgroup/cgroup.controllers); do echo "+$c" >/sys/fs/cgroup/cgroup.subtree_control; done
setsid -c /usr/local/sbin/caisson-guest </dev/ttyS0 >/dev/ttyS0 2>&1 &
while :; do wait; sleep 0.2; done
"""
QUIET = """apt-daily.timer apt-daily-upgrade.timer fstrim.timer e2scrub_all.timer e2scrub_reap.service dpkg-db-backup.timer
systemd-tmpfiles-clean.timer systemd-timesyncd.service getty.target systemd-networkd.service systemd-update-utmp.service
systemd-pcrphase.service systemd-pcrphase-sysinit.service systemd-boot-system-token.service systemd-hwdb-update.service
systemd-udev-trigger.service systemd-binfmt.service proc-sys-fs-binfmt_misc.automount modprobe@dm_mod.service
modprobe@loop.service modprobe@efi_pstore.service modprobe@fuse.service modprobe@configfs.service modprobe@drm.service
sys-kernel-debug.mount sys-kernel-tracing.mount dev-hugepages.mount ldconfig.service systemd-journal-catalog-update.service systemd-update-done.service systemd-machine-id-commit.service""".split()
UNWANTED = "docker.service docker.socket containerd.service podman.socket podman.service podman-restart.service podman-auto-update.timer"


def write(root, path, text, mode=0o644):
    full = pathlib.Path(root, path)
    full.parent.mkdir(parents=True, exist_ok=True)
    full.write_text(text)
    full.chmod(mode)


def customise(root):
    write(root, "etc/systemd/system/caisson-guest.service", UNIT)
    write(root, "etc/systemd/system/caisson.target", TARGET)
    write(root, "usr/local/sbin/caisson-guest", GUEST, 0o755)
    write(root, "usr/local/sbin/caisson-init", BARE, 0o755)
    write(root, "etc/machine-id", "ca155000ca155000ca155000ca155000\n")  # else systemd takes it for a first boot
    write(root, "etc/hostname", "guest\n")
    write(root, "etc/hosts", "127.0.0.1 localhost guest\n")
    write(root, "etc/fstab", "tmpfs /tmp tmpfs mode=1777 0 0\n")
    write(root, "etc/systemd/journald.conf.d/guest.conf", "[Journal]\nStorage=volatile\n")
    for unit in QUIET:
        link = pathlib.Path(root, "etc/systemd/system", unit)
        link.unlink(missing_ok=True)
        link.symlink_to("/dev/null")
    # The guest's own systemctl: this machine may have none.
    subprocess.run(["chroot", root, "systemctl", "--quiet", "disable", *UNWANTED.split()], check=False,
                   env={**os.environ, "SYSTEMD_OFFLINE": "1"}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    subprocess.run(["chroot", root, "/sbin/useradd", "-m", "-u", "1000", "-s", "/bin/bash", "user"], check=True)
    for path in pathlib.Path(root, "etc/apparmor.d").iterdir():
        if path.is_file():
            path.unlink()  # a profile takes seconds to compile here; engines bring their own
    for path in pathlib.Path(root, "boot").glob("initrd*"):
        path.unlink()  # NVMe and ext4 are in these kernels: nothing has to be loaded to find the root


def run(what, command, log, say, seconds=420):
    started = time.monotonic()
    with open(log, "ab") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
                                   env={**os.environ, "INITRD": "No"})
        while True:
            try:
                rc = process.wait(20)
                break
            except subprocess.TimeoutExpired:
                say(f"  ... {what}: {time.monotonic() - started:.0f} s")
                if time.monotonic() - started > seconds:
                    os.killpg(process.pid, signal.SIGKILL)
    if rc != 0:
        with open(log, errors="replace") as file:
            raise Unavailable(f"{what} failed ({rc}): {' '.join(file.read().split(chr(10))[-6:])}")


def make(suite, packages, path, say):
    for tool, package in (("mmdebstrap", "mmdebstrap"), ("mke2fs", "e2fsprogs")):
        if not shutil.which(tool):
            raise Unavailable(f"{tool} is not installed (apt-get install {package})")
    part, root, log = f"{path}.part", f"{path}.part/root", f"{path}.log"
    shutil.rmtree(part, ignore_errors=True)
    pathlib.Path(log).unlink(missing_ok=True)
    os.mkdir(part)
    try:
        say(f"making a Debian {suite} machine of {len(packages)} packages and what they need (once, a minute or two) ...")
        run(f"mmdebstrap {suite}", ["mmdebstrap", "--variant=minbase", "--include=" + ",".join(packages),
            "--aptopt=APT::Install-Recommends \"false\"", "--aptopt=Acquire::http::Timeout \"60\"", "--dpkgopt=force-unsafe-io",
            *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("man", "doc", "locale")),
            suite, root, MIRROR], log, say)
        customise(root)
        kernel, = pathlib.Path(root, "boot").glob("vmlinuz-*")
        shutil.copy(kernel, f"{part}/vmlinuz")
        with open(f"{part}/root.img", "wb") as image:
            image.truncate(BYTES)
        run("mke2fs", ["mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-d", root, f"{part}/root.img"], log, say)
        shutil.rmtree(root)
        os.rename(part, path)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def image(kernel, small=False, say=lambda text: print(text, file=sys.stderr, flush=True)):
    """A directory with root.img and vmlinuz. Must not be written to. Small: no engines, if there is none with them yet."""
    suite, extra = MACHINES[kernel]
    paths = []
    for packages in (SMALL + ENGINES + extra, SMALL):
        recipe = repr((suite, packages, UNIT, TARGET, GUEST, BARE, QUIET, UNWANTED, BYTES)) + inspect.getsource(customise)
        digest = hashlib.sha256(recipe.encode()).hexdigest()[:12]
        paths.append((cache_directory() / f"vm-{suite}-{digest}", packages))
    path, packages = paths[1] if small and not paths[0][0].exists() else paths[0]
    with open(cache_directory() / f"vm-{suite}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            for old in cache_directory().glob(f"vm-{suite}-*/"):
                if time.time() - old.stat().st_mtime > 24 * 3600:  # another branch may still want its own
                    shutil.rmtree(old, ignore_errors=True)
            make(suite, packages, str(path), say)
        os.utime(path)
    return path


if __name__ == "__main__":
    for name in sys.argv[1:] or MACHINES:
        print(image(name))

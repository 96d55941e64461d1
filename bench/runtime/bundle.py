# The bundle every runtime starts in the bench: what `runc spec` writes, without a terminal, on a busybox root.
# Layer: bench. Used by run.
# SPDX-License-Identifier: Apache-2.0
import json
import shutil

CAPABILITIES = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]
SAFE = ["nosuid", "noexec", "nodev"]
MOUNTS = [
    ("/proc", "proc", "proc", []),
    ("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
    ("/dev/pts", "devpts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
    ("/dev/shm", "tmpfs", "shm", SAFE + ["mode=1777", "size=65536k"]),
    ("/dev/mqueue", "mqueue", "mqueue", SAFE),
    ("/sys", "sysfs", "sysfs", SAFE + ["ro"]),
    ("/sys/fs/cgroup", "cgroup", "cgroup", SAFE + ["relatime", "ro"]),
]
MASKED = ["/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
          "/proc/sched_debug", "/sys/firmware", "/proc/scsi"]
READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]


def config(args, cgroups_path):
    sets = {name: CAPABILITIES for name in ("bounding", "effective", "permitted")}
    return {
        "ociVersion": "1.0.2",
        "process": {"user": {"uid": 0, "gid": 0}, "args": args, "cwd": "/", "env": ["PATH=/bin", "TERM=xterm"],
                    "capabilities": sets, "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
                    "noNewPrivileges": True},
        "root": {"path": "rootfs", "readonly": True},
        "hostname": "bench",
        "mounts": [{"destination": d, "type": t, "source": s, "options": o} for d, t, s, o in MOUNTS],
        "linux": {"resources": {"devices": [{"allow": False, "access": "rwm"}]}, "cgroupsPath": cgroups_path,
                  "namespaces": [{"type": t} for t in ("pid", "network", "ipc", "uts", "mount")],
                  "maskedPaths": MASKED, "readonlyPaths": READ_ONLY},
    }


def make_bundle(path, args, cgroups_path):
    """A bundle directory: rootfs/ and config.json."""
    root = path / "rootfs"
    for name in ("bin", "dev", "etc", "proc", "sys", "tmp"):
        (root / name).mkdir(parents=True, exist_ok=True)
    shutil.copy("/usr/bin/busybox", root / "bin" / "busybox")
    for applet in ("true", "sleep", "sh"):
        if not (root / "bin" / applet).exists():
            (root / "bin" / applet).symlink_to("busybox")
    (path / "config.json").write_text(json.dumps(config(args, cgroups_path)))
    return path

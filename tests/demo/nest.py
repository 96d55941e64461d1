# The demo's container: an ordinary, unprivileged config.json on a Debian 13 root, started by caisson-nest.
# Layer: tests. Used by run.
# SPDX-License-Identifier: Apache-2.0
import json
import os
import pathlib
import subprocess

CAPABILITIES = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID", "CAP_SETUID",
                "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE"]
SAFE = ["nosuid", "noexec", "nodev"]
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def config(args, cgroup, binds):
    """As `docker run IMAGE` writes it for a container that asked for nothing: no capability of importance, no devices."""
    sets = {name: CAPABILITIES for name in ("bounding", "effective", "permitted")}
    mounts = [
        ("/proc", "proc", "proc", SAFE),
        ("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
        ("/dev/pts", "devpts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
        ("/sys", "sysfs", "sysfs", SAFE + ["ro"]),
        ("/sys/fs/cgroup", "cgroup", "cgroup", SAFE + ["ro", "relatime"]),
        ("/dev/mqueue", "mqueue", "mqueue", SAFE),
        ("/dev/shm", "tmpfs", "shm", SAFE + ["mode=1777", "size=67108864"]),
    ] + [(inside, "bind", str(outside), ["rbind", "rprivate", "ro"]) for outside, inside in binds]
    return {
        "ociVersion": "1.0.2",
        "process": {"user": {"uid": 0, "gid": 0}, "args": args, "cwd": "/", "env": [f"PATH={PATH}", "HOME=/root"],
                    "capabilities": sets, "oomScoreAdj": 0},
        "root": {"path": "rootfs"},
        "hostname": "nest",
        "mounts": [{"destination": d, "type": t, "source": s, "options": o} for d, t, s, o in mounts],
        "linux": {"cgroupsPath": cgroup, "resources": {"devices": [{"allow": False, "access": "rwm"}]},
                  "namespaces": [{"type": t} for t in ("pid", "network", "ipc", "uts", "mount")],
                  "maskedPaths": ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/sched_debug", "/sys/firmware"],
                  "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]},
    }


class Failed(Exception):
    """A step of the demo did not do what it proves."""


class Nest:
    """`rootfs` is an overlay on `lower`, mounted in the private mount namespace that the demo runs in."""

    def __init__(self, program, work, name):
        self.program, self.work, self.name = program, pathlib.Path(work), name
        self.environment = {**os.environ, "CAISSON_NEST_STATE": str(self.work / "nests"), "CAISSON_NEST_RUN": str(self.work / "run")}

    def command(self, *words, check=True, **more):
        argv = [str(self.program), "--root", str(self.work / "state"), *map(str, words)]
        result = subprocess.run(argv, env=self.environment, text=True, stdin=subprocess.DEVNULL, capture_output=True, **more)
        if check and result.returncode != 0:
            raise Failed(f"{' '.join(argv)}: {result.returncode}\n{result.stdout}{result.stderr}")
        return result

    def start(self, lower, args, cgroup, binds, log):
        for name in ("rootfs", "upper", "overlay-work", "nests", "run", "state"):
            (self.work / name).mkdir(parents=True, exist_ok=True)
        options = f"lowerdir={lower},upperdir={self.work}/upper,workdir={self.work}/overlay-work"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, self.work / "rootfs"], check=True)
        (self.work / "config.json").write_text(json.dumps(config(args, cgroup, binds)))
        argv = [str(self.program), "--root", str(self.work / "state"), "run", "--detach", "--bundle", str(self.work), self.name]
        with open(log, "wb") as f:  # the container's own stdout and stderr
            rc = subprocess.run(argv, env=self.environment, stdin=subprocess.DEVNULL, stdout=f, stderr=f).returncode
        if rc != 0:
            raise Failed(f"{' '.join(argv)}: {rc}\n{pathlib.Path(log).read_text(errors='replace')}")

    def exec(self, *argv, check=True, timeout=180):
        return self.command("exec", self.name, *argv, check=check, timeout=timeout)

    def sh(self, script, **more):
        """stdout of a shell script in the nest, stripped."""
        return self.exec("sh", "-ec", script, **more).stdout.strip()

    def pid(self):
        return json.loads(self.command("state", self.name).stdout)["pid"]

    def remove(self):
        """Everything, with the data of the engine in it."""
        self.command("delete", "--force", self.name, check=False, timeout=60)
        self.command("forget", self.name, check=False, timeout=120)

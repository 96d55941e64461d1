"""What every test of failures stands on: a container as Docker asks for it, quick proofs that it is whole or wholly gone.

Layer: tests. Users: tests/faults/*_test.py, on tests/runtime/harness.py.
SPDX-License-Identifier: Apache-2.0
"""
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(SOURCE, "tests/runtime"))

from harness import LONG, PATIENCE, RUNTIME, RuntimeTest, built, cgroup_mounts, main, wait_until  # noqa: E402,F401 (re-exported)

# ctest's own limit is made for the long form. The short one must not hold up everything: an error, so that all is cleaned up.
SHORT_SECONDS = 420


def too_long(*_):
    raise TimeoutError(f"the short form did not end within {SHORT_SECONDS} s")


if not LONG:
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(SHORT_SECONDS)

SAME = """open_fds tty controlling_tty uid euid suid gid egid sgid groups umask pid sid pgid caps rlimits scheduler ioprio affinity
mempolicy no_new_privs seccomp dumpable keepcaps securebits pdeathsig personality oom_score_adj keyring blocked ignored hostname
domainname cgroup uid_map gid_map setgroups timens_offsets cwd args env""".split()


def inject_path():
    return built("CAISSON_TEST_INJECT", "faults_inject", [os.path.join(HERE, "inject.cc")], "-lseccomp")


def whole(text, container):
    """What the probe saw, without what differs from one start to the next."""
    seen = json.loads(text)
    out = {key: seen[key] for key in SAME}
    mounts = []
    for line in seen["mountinfo"].splitlines():
        left, _, right = line.partition(" - ")
        mounts.append(" ".join(left.split()[3:6]) + " " + right)
    out["mounts"] = mounts
    out["own"] = sorted(kind for kind, link in seen["namespaces"].items() if link != os.readlink(f"/proc/self/ns/{kind}"))
    return json.loads(re.sub(r";[0-9a-f]+;_ses", ";_ses", json.dumps(out)).replace(container.id, "ID"))


class Result:
    def __init__(self, rc, out, err):
        self.rc, self.out, self.err = rc, out, err

    def __str__(self):
        return f"rc {self.rc}, stdout {self.out[-500:]!r}, stderr {self.err[-1500:]!r}"


class FaultTest(RuntimeTest):
    program = RUNTIME

    def setUp(self):
        super().setUp()
        for mount in set(cgroup_mounts().values()):
            os.makedirs(os.path.join(mount, self.cgroup.lstrip("/")), exist_ok=True)
        os.makedirs(self.root, exist_ok=True)  # the first command must not take another way than the others

    def docker_like(self, *arguments):
        """config.json as Docker 26 writes it: seccomp, capabilities, binds, masks, devices, limits."""
        with open(os.path.join(SOURCE, "tests/nest/golden/docker-26.json")) as file:
            golden = json.load(file)
        c = self.container(*(arguments or ("/probe",)))
        for name in ("resolv.conf", "hostname", "hosts"):
            c.file(f"/etc/{name}")
            with open(os.path.join(self.directory, name), "w") as file:
                file.write("127.0.0.1 localhost\n")
        golden["process"]["args"] = c.process["args"]
        golden["root"] = c.config["root"]
        golden["linux"]["cgroupsPath"] = c.linux["cgroupsPath"]
        golden["linux"]["resources"]["pids"] = {"limit": 100}
        golden["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}]
        with open(os.path.join(SOURCE, "tests/data/seccomp/docker-default.json")) as file:
            golden["linux"]["seccomp"] = json.load(file)
        golden.pop("hooks")
        for mount in golden["mounts"]:
            if mount["type"] == "bind":
                mount["source"] = os.path.join(self.directory, os.path.basename(mount["source"]))
        c.config = golden
        return c

    # Calls without the harness's bookkeeping: there are thousands.
    def call(self, *arguments, wrap=(), seconds=PATIENCE, globals=(), **options):
        paths = [os.path.join(self.directory, f"{kind}") for kind in ("call.out", "call.err")]
        for path in paths:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        with open(paths[0], "wb") as out, open(paths[1], "wb") as err:
            process = subprocess.Popen([*wrap, self.program, "--root", self.root, *globals, *arguments], stdin=subprocess.DEVNULL,
                                       stdout=out, stderr=err, **options)
            try:
                rc = process.wait(seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                rc = 124
        # A container may write on after the call: these are its files, whatever their names become.
        self.last_paths = paths
        return Result(rc, *(self.text(path) for path in paths))

    @staticmethod
    def text(path):
        try:
            with open(path, errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def kept_output(self):
        """Descriptor-proof: opens what the last call writes to, for a container that goes on writing there."""
        return [open(path, errors="replace") for path in self.last_paths]

    def reap_all(self):
        """Takes every orphan's exit status; the pids of children that live on."""
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0] != 0:
                pass
        with open(f"/proc/self/task/{os.getpid()}/children") as file:
            return [int(pid) for pid in file.read().split()]

    def quick_leftovers(self, c, but=()):
        """Everything of one container that is still there: processes, mounts, cgroups, state, files in its bundle."""
        left = [f"process {pid}: {self.command(pid)}" for pid in self.reap_all() if pid not in but]
        with open("/proc/self/mountinfo") as file:
            left += [f"mount {line.split()[4]}" for line in file if self.directory in line]
        for mount in set(cgroup_mounts().values()):
            path = os.path.join(mount, c.linux["cgroupsPath"].lstrip("/"))
            if os.path.isdir(path):
                left.append(f"cgroup {path}")
        with contextlib.suppress(FileNotFoundError):
            left += [f"state {name}" for name in os.listdir(self.root)]
        left += [f"file {name}" for name in os.listdir(c.bundle) if name not in ("config.json", "rootfs", "pid")]
        left += [f"file {name}" for name in os.listdir(self.directory) if ".tmp" in name]
        return left

    def gone(self, c, seconds=PATIENCE, but=()):
        """What is left of it after the kernel had its time: an empty list is what we want."""
        deadline = time.monotonic() + seconds
        left = self.quick_leftovers(c, but)
        pause = 0.001
        while left and time.monotonic() < deadline:
            time.sleep(pause)
            pause = min(pause * 2, 0.05)
            left = self.quick_leftovers(c, but)
        return left

    def force(self, c):
        """delete --force as a shim does it: zombies are reaped meanwhile."""
        with open(os.path.join(self.directory, "force.err"), "w+") as err:
            process = subprocess.Popen([self.program, "--root", self.root, "delete", "--force", c.id], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=err)
            deadline = time.monotonic() + PATIENCE
            while process.poll() is None:
                if time.monotonic() > deadline:
                    process.kill()
                for pid in self.children():
                    if pid != process.pid:
                        with contextlib.suppress(ChildProcessError):
                            os.waitpid(pid, os.WNOHANG)
                time.sleep(0.001)
            err.seek(0)
            return Result(process.returncode, "", err.read())

    def clear_by_hand(self, c):
        """After a finding: the next point must not suffer from it."""
        self.force(c)
        for pid in self.reap_all():
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        for mount in set(cgroup_mounts().values()):
            for path, _, _ in os.walk(os.path.join(mount, c.linux["cgroupsPath"].lstrip("/")), topdown=False):
                with contextlib.suppress(OSError), open(os.path.join(path, "cgroup.procs")) as procs:
                    for pid in procs.read().split():
                        os.kill(int(pid), signal.SIGKILL)
        time.sleep(0.1)
        self.reap_all()
        for mount in set(cgroup_mounts().values()):
            for path, _, _ in os.walk(os.path.join(mount, c.linux["cgroupsPath"].lstrip("/")), topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(path)
        subprocess.run(["rm", "-rf", "--one-file-system", self.root], check=False)
        os.makedirs(self.root, exist_ok=True)
        for name in os.listdir(c.bundle):
            if ".tmp" in name:
                os.unlink(os.path.join(c.bundle, name))

"""What every black-box test of the runtime stands on: bundles, containers, and the proof that nothing is left behind.

Layer: tests. Users: tests/runtime/*_test.py and tests/escape. Run one file alone:
    CAISSON_TEST_RUNTIME=/usr/sbin/runc /usr/bin/python3 tests/runtime/lifecycle_test.py -k NameOfALaw
SPDX-License-Identifier: Apache-2.0
"""
import atexit
import contextlib
import copy
import ctypes
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from machine import cgroup_mounts, own_cgroups, peer_of, without_limit  # noqa: F401 (re-exported)

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
RUNTIME = os.environ.get("CAISSON_TEST_RUNTIME") or os.path.join(SOURCE, "out/build/caisson-runtime")
LONG = os.environ.get("CAISSON_LONG") == "1"
PATIENCE = float(os.environ.get("CAISSON_PATIENCE", "60"))  # seconds; what a loaded machine may take, never what a test expects
PEER = peer_of(RUNTIME)
PR_SET_CHILD_SUBREAPER = 36
LIBC = ctypes.CDLL(None, use_errno=True)
APPLETS = """sh ls cat id echo sleep true false mount umount grep stat touch mkdir ln kill ps env pwd test head tail wc
readlink dd sort tr hostname mknod chmod chown find sed awk printf seq rm mv cp tty stty sync nice ip df du unshare
chroot setsid dirname basename cut expr yes""".split()


def since_runc(version, what):
    """For tests of the runtime that Debian's runc 1.1 cannot pass: they are skipped on that peer only."""
    return unittest.skipIf(PEER == "runc-1.1", f"peer: runc has {what} since {version}")


def not_on(peer, why):
    """For laws that a peer is known to break."""
    return unittest.skipIf(PEER == peer, f"peer: {why}")


def wait_until(condition, what, seconds=PATIENCE):
    """Polls until condition() is truthy and returns it."""
    deadline = time.monotonic() + seconds
    pause = 0.002
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


def built(variable, name, sources, *flags):
    """A test program: built by CMake, which names it in `variable`, or here in out/ when a file is run by hand."""
    path = os.environ.get(variable)
    if path:
        return path
    path = os.path.join(SOURCE, "out", name)
    if not os.path.exists(path) or os.path.getmtime(path) < max(os.path.getmtime(source) for source in sources):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        mine = f"{path}.{os.getpid()}"
        subprocess.run(["g++-12", "-std=c++23", "-D_GNU_SOURCE", "-Os", "-o", mine, *sources, *flags], check=True)
        os.rename(mine, path)
    return path


def probe_path():
    return built("CAISSON_TEST_PROBE", "runtime_probe", [os.path.join(HERE, "probe.cc")], "-static")


class Template:
    """One root file system of this process, hard-linked into every bundle."""

    directory = None

    @classmethod
    def get(cls):
        if cls.directory is None:
            cls.directory = tempfile.mkdtemp(prefix="caisson-template-")
            atexit.register(shutil.rmtree, cls.directory, ignore_errors=True)
            root = os.path.join(cls.directory, "rootfs")
            for name in "bin dev etc proc root run sys tmp usr var".split():
                os.makedirs(os.path.join(root, name))
            os.chmod(os.path.join(root, "tmp"), 0o1777)
            shutil.copy("/bin/busybox", os.path.join(root, "bin/busybox"))
            for name in APPLETS:
                os.symlink("busybox", os.path.join(root, "bin", name))
            shutil.copy(probe_path(), os.path.join(root, "probe"))
            with open(os.path.join(root, "etc/passwd"), "w") as passwd:
                passwd.write("root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/home/user:/bin/sh\n")
            with open(os.path.join(root, "etc/group"), "w") as group:
                group.write("root:x:0:\nuser:x:1000:\nextra:x:2000:user\n")
        return os.path.join(cls.directory, "rootfs")


def default_config():
    """What `runc spec` writes, without a terminal and with a root that can be written."""
    caps = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]
    mount = lambda destination, kind, source, *options: {  # noqa: E731
        "destination": destination, "type": kind, "source": source, "options": list(options)}
    return {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False, "user": {"uid": 0, "gid": 0}, "args": ["/probe"], "cwd": "/",
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
            "capabilities": {kind: list(caps) for kind in ("bounding", "effective", "permitted")},
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
            "noNewPrivileges": True,
        },
        "root": {"path": "rootfs", "readonly": False},
        "hostname": "caisson-test",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
            mount("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"),
            mount("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777", "size=65536k"),
            mount("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev"),
            mount("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", "ro"),
            mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime", "ro"),
        ],
        "linux": {
            "resources": {"devices": [{"allow": False, "access": "rwm"}]},
            "namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount")],
            "maskedPaths": ["/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
                            "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
        },
    }


class Outcome:
    """What one call of the runtime gave."""

    def __init__(self, arguments, rc, out, err):
        self.arguments, self.rc, self.out, self.err = arguments, rc, out, err

    def __str__(self):
        return f"{' '.join(self.arguments)}: rc {self.rc}\nstdout: {self.out[-3000:]}\nstderr: {self.err[-3000:]}"

    def json(self):
        return json.loads(self.out)

    @property
    def said(self):
        """Standard error without the quoting of a text log."""
        return self.err.replace('\\"', '"')


class Call:
    """A call of the runtime that is under way; its output goes to files, because a container may outlive it."""

    def __init__(self, test, arguments, stdin=None, **options):
        self.arguments = arguments
        number = next(test.counter)
        self.out_path, self.err_path = (os.path.join(test.directory, f"{kind}.{number}") for kind in ("out", "err"))
        with contextlib.ExitStack() as stack:
            files = [stack.enter_context(open(path, "wb")) for path in (self.out_path, self.err_path)]
            feed = stack.enter_context(tempfile.TemporaryFile())
            if isinstance(stdin, (bytes, str)):
                feed.write(stdin.encode() if isinstance(stdin, str) else stdin)
                feed.seek(0)
            options.setdefault("stdout", files[0])
            options.setdefault("stderr", files[1])
            options["stdin"] = feed if stdin is None or isinstance(stdin, (bytes, str)) else stdin
            self.process = subprocess.Popen(arguments, **options)
        test.calls.append(self)

    def out(self):
        with open(self.out_path, errors="surrogateescape") as file:
            return file.read()

    def err(self):
        with open(self.err_path, errors="surrogateescape") as file:
            return file.read()

    def wait(self, seconds=PATIENCE, meanwhile=None):
        deadline = time.monotonic() + seconds
        while True:
            try:
                rc = self.process.wait(0.05 if meanwhile else seconds)
                return Outcome(self.arguments, rc, self.out(), self.err())
            except subprocess.TimeoutExpired:
                if time.monotonic() > deadline:
                    raise AssertionError(f"hangs: {Outcome(self.arguments, None, self.out(), self.err())}") from None
                if meanwhile:
                    meanwhile()


class Container:
    """A bundle, an id, and the runtime's verbs on it. `config` is a plain dict; it is written at create or run."""

    def __init__(self, test, config, number):
        self.test, self.config = test, config
        self.id = f"t{os.getpid()}-{number}"
        self.bundle = os.path.join(test.directory, f"bundle{number}")
        self.rootfs = os.path.join(self.bundle, "rootfs")
        os.makedirs(self.bundle)
        shutil.copytree(Template.get(), self.rootfs, symlinks=True, copy_function=os.link)
        config["linux"].setdefault("cgroupsPath", f"{test.cgroup}/{self.id}")

    @property
    def process(self):
        return self.config["process"]

    @property
    def linux(self):
        return self.config["linux"]

    def file(self, path, text="", mode=None):
        """Makes a file in the root file system and returns its path on the host."""
        full = os.path.join(self.rootfs, path.lstrip("/"))
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w") as file:
            file.write(text)
        if mode is not None:
            os.chmod(full, mode)
        return full

    def mount(self, destination, source=None, kind="bind", options=("rbind",), **more):
        self.config["mounts"].append(
            {"destination": destination, "type": kind, "source": source or kind, "options": list(options), **more})

    def namespace(self, kind, path=None):
        """Sets, or with path=False removes, one namespace."""
        rest = [n for n in self.linux["namespaces"] if n["type"] != kind]
        self.linux["namespaces"] = rest if path is False else rest + [{"type": kind, **({"path": path} if path else {})}]

    def user_namespace(self, size=65536, host=100000):
        """Gives it its own user namespace, and the root file system to its root."""
        self.namespace("user")
        for kind in ("uidMappings", "gidMappings"):
            self.linux[kind] = [{"containerID": 0, "hostID": host, "size": size}]
        for path, folders, files in os.walk(self.rootfs):
            for name in [""] + folders + files:
                full = os.path.join(path, name) if name else path
                if os.lstat(full).st_nlink == 1 or os.path.isdir(full):
                    os.chown(full, host, host, follow_symlinks=False)

    def write(self):
        with open(os.path.join(self.bundle, "config.json"), "w") as file:
            json.dump(self.config, file)

    def shell(self, script):
        self.process["args"] = ["/bin/sh", "-c", script]
        return self

    def run(self, *flags, rc=0, **options):
        self.write()
        return self.test.runtime("run", *flags, "--bundle", self.bundle, self.id, rc=rc, **options)

    def report(self, *flags):
        """Runs the probe and returns what it sees."""
        self.process["args"] = ["/probe"]
        return self.run(*flags).json()

    def create(self, *flags, rc=0, **options):
        self.write()
        outcome = self.test.runtime("create", *flags, "--bundle", self.bundle, self.id, rc=rc, **options)
        self.output = self.test.calls[-1]
        return outcome

    def start(self, rc=0, **options):
        return self.test.runtime("start", self.id, rc=rc, **options)

    def up(self, *flags):
        """Created and started, running until it is killed."""
        if self.process["args"] == ["/probe"]:
            self.process["args"] = ["/bin/sleep", "1000"]
        self.create(*flags)
        self.start()
        return self

    def state(self):
        return self.test.runtime("state", self.id).json()

    def status(self):
        return self.state()["status"]

    @property
    def pid(self):
        return self.state()["pid"]

    def kill(self, *arguments, rc=0):
        return self.test.runtime("kill", *[str(a) for a in (self.id, *arguments)], rc=rc)

    def delete(self, *flags, rc=0):
        return self.test.runtime("delete", *flags, self.id, rc=rc, meanwhile=self.test.reap)

    def exec(self, *arguments, flags=(), rc=0, **options):
        return self.test.runtime("exec", *flags, self.id, *arguments, rc=rc, **options)

    def wait_stopped(self):
        self.test.reap()
        wait_until(lambda: self.test.reap() or self.status() == "stopped", f"{self.id} is stopped")

    def wait_output(self, text):
        """Waits until the container's standard output (from create) has the text, and returns all of it."""
        return wait_until(lambda: text in self.output.out() and self.output.out(), f"output has {text!r}")

    def cgroup(self, controller, *names):
        """A path in the container's directory of that controller: its own hierarchy on v1, the only one on v2."""
        mounts = cgroup_mounts()
        return os.path.join(mounts.get(controller, mounts.get("unified")), self.linux["cgroupsPath"].lstrip("/"), *names)

    def cgroup_value(self, controller, name):
        with open(self.cgroup(controller, name)) as file:
            return file.read().strip()


class RuntimeTest(unittest.TestCase):
    """Base of all tests: a directory, a --root, a cgroup subtree of its own, and the check that all of it is empty again."""

    longMessage = True
    maxDiff = None

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="caisson-test-")
        os.chmod(self.directory, 0o755)
        self.root = os.path.join(self.directory, "state")
        self.cgroup = f"/caisson-test-{os.getpid()}"
        self.counter = itertools.count(1)
        self.calls, self.containers = [], []
        LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self.addCleanup(self.clean)

    def container(self, *arguments, config=None):
        number = next(self.counter)
        made = Container(self, copy.deepcopy(config) if config else default_config(), number)
        if arguments:
            made.process["args"] = list(arguments)
        self.containers.append(made)
        return made

    def begin(self, *arguments, globals=(), wrap=(), **options):
        """Starts a call of the runtime and does not wait for it."""
        line = [*wrap, RUNTIME, "--root", self.root, *globals, *[os.fspath(a) for a in arguments]]
        return Call(self, line, **options)

    def runtime(self, *arguments, rc=0, seconds=PATIENCE, meanwhile=None, **options):
        """Calls the runtime; rc is what it must return (None: anything).

        A pid namespace ends only when its zombies are reaped, and those of a detached exec are ours: like a shim we do
        that while a delete is under way (meanwhile)."""
        outcome = self.begin(*arguments, **options).wait(seconds, meanwhile)
        if rc is not None:
            self.assertEqual(outcome.rc, rc, outcome)
        return outcome

    def children(self):
        """Processes whose parent is this test, without the calls that it waits for itself."""
        own = {call.process.pid for call in self.calls}
        found = []
        for name in os.listdir("/proc"):
            if name.isdigit() and int(name) not in own:
                with contextlib.suppress(OSError):
                    with open(f"/proc/{name}/stat") as file:
                        if int(file.read().rpartition(")")[2].split()[1]) == os.getpid():
                            found.append(int(name))
        return found

    def reap(self):
        """Takes the exit status of what was reparented to us (we are its subreaper, as conmon and the shim are)."""
        for pid in self.children():
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)

    def leftovers(self):
        """Names of everything that containers of this test still hold, apart from what their ids are allowed to."""
        self.reap()
        left = []
        with open("/proc/self/mountinfo") as file:
            left += [f"mount {line.split()[4]}" for line in file if self.directory in line]
        for mount in set(cgroup_mounts().values()):
            below = os.path.join(mount, self.cgroup.lstrip("/"))
            for path, folders, _ in os.walk(below):
                left += [f"cgroup {os.path.join(path, name)}" for name in folders]
        for controller, own in own_cgroups().items():
            for container in self.containers:
                path = os.path.join(cgroup_mounts().get(controller, "/none"), own.lstrip("/"), container.id)
                if os.path.isdir(path):
                    left.append(f"cgroup {path}")
        left += [f"process {pid}: {self.command(pid)}" for pid in self.children()]
        left += [f"runtime process {pid}: {self.command(pid)}" for pid in self.runtime_processes()]
        if os.path.isdir(self.root):
            left += [f"state {name}" for name in os.listdir(self.root)]
        return left

    @staticmethod
    def command(pid):
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/cmdline") as file:
                return file.read().replace("\0", " ")
        return "gone"

    def runtime_processes(self):
        """Processes that have this test's --root on their command line and are not a call that we wait for."""
        own = {call.process.pid for call in self.calls} | {os.getpid()}
        return [int(name) for name in os.listdir("/proc")
                if name.isdigit() and int(name) not in own and self.root in self.command(name)]

    def assert_nothing_left(self, why=""):
        """Fails unless every mount, cgroup, process and state entry of this test goes away by itself."""
        deadline = time.monotonic() + PATIENCE
        left = self.leftovers()
        while left and time.monotonic() < deadline:  # the kernel frees a dead pid namespace asynchronously
            time.sleep(0.05)
            left = self.leftovers()
        self.assertEqual(left, [], f"left behind {why}")

    def clean(self):
        errors = []
        for container in self.containers:
            with contextlib.suppress(AssertionError, OSError):
                container.delete("--force", rc=None)
        for call in self.calls:
            if call.process.poll() is None:
                call.process.kill()
                call.process.wait()
        try:
            self.assert_nothing_left("by the test")
        except AssertionError as error:
            errors.append(str(error))
            self.sweep()
        for mount in set(cgroup_mounts().values()):
            with contextlib.suppress(OSError):
                os.rmdir(os.path.join(mount, self.cgroup.lstrip("/")))
        shutil.rmtree(self.directory, ignore_errors=True)
        if errors:
            self.fail("\n".join(errors))

    def sweep(self):
        """After a failure: kills and unmounts by force, so that one bug does not spoil the tests after it."""
        for pid in self.children() + self.runtime_processes():
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        for mount in set(cgroup_mounts().values()):
            for path, _, _ in os.walk(os.path.join(mount, self.cgroup.lstrip("/")), topdown=False):
                with contextlib.suppress(OSError), open(os.path.join(path, "cgroup.procs")) as procs:
                    for pid in procs.read().split():
                        os.kill(int(pid), signal.SIGKILL)
        time.sleep(0.2)
        self.reap()
        for mount in set(cgroup_mounts().values()):
            for path, _, _ in os.walk(os.path.join(mount, self.cgroup.lstrip("/")), topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(path)
        with open("/proc/self/mountinfo") as file:
            points = [line.split()[4] for line in file if self.directory in line]
        for point in reversed(points):
            LIBC.umount2(point.encode(), 2)


def main():
    """unittest.main with our exit codes: 77 when nothing could run; in CI a skip must be a listed machine limit."""
    if os.geteuid() != 0:
        print("skipped: needs root")
        sys.exit(1 if os.environ.get("CI") else 77)
    if not os.path.exists(RUNTIME):
        sys.exit(f"no runtime at {RUNTIME}: set CAISSON_TEST_RUNTIME")
    os.closerange(3, 1024)  # ctest leaves its log open; the tests count descriptors
    program = unittest.main(module="__main__", exit=False, verbosity=2)
    result = program.result
    if os.environ.get("CAISSON_TEST_RESULT"):
        failed = {str(getattr(test, "test_case", test)).split()[0] for test, _ in result.failures + result.errors}
        with open(os.environ["CAISSON_TEST_RESULT"], "w") as file:
            json.dump({"ran": result.testsRun, "failed": sorted(failed)}, file)
    bad = [f"{test}: {reason}" for test, reason in result.skipped if not reason.startswith(("machine:", "long:"))]
    if os.environ.get("CI") and bad:
        print("skipped in CI without a machine limit:\n  " + "\n  ".join(bad))
        sys.exit(1)
    sys.exit(not result.wasSuccessful())

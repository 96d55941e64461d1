# A sandbox: a place in which a container engine runs and from which nothing is left over.
# Layer: tests. Used by engine.py and by the demo.
# SPDX-License-Identifier: Apache-2.0
"""Own mount, network, pid, uts, ipc and cgroup namespaces, own cgroups, own directory on a real file system.

Everything in it ends with its process 1, and process 1 ends with the driver, also when the driver is killed: what is
left then, empty cgroups and a directory, is removed by the next run.
"""
import ctypes
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent.parent
PREFIX = "caisson-engines-"
SLOWNESS = float(os.environ.get("CAISSON_SLOWNESS", "1"))  # every deadline is that much later: an emulated machine


class Unavailable(Exception):
    """This machine lacks something the tests need: they are skipped, and the text says why."""


def poll(condition, seconds, what):
    """The value of `condition()` once it is true. The deadline is generous: it is met only by a failure."""
    seconds *= SLOWNESS
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds} s still not: {what}; last: {value!r}")
        time.sleep(0.05)


# --- cgroups -----------------------------------------------------------------------------------------------------

def own_cgroups():
    """[{type, where, options, directory}]: each mounted hierarchy and the directory of our own cgroup in it."""
    own = {}
    for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
        number, names, path = line.split(":", 2)
        own["v2" if number == "0" else frozenset(names.split(","))] = path
    found = []
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        before, after = line.split(" - ")
        where, (kind, _, options) = before.split()[4], after.split()
        if kind not in ("cgroup", "cgroup2") or any(h["where"] == where for h in found):
            continue
        names = [o for o in options.split(",") if o not in ("rw", "ro", "xattr", "nsdelegate", "seclabel")]
        path = own.get("v2" if kind == "cgroup2" else frozenset(names))
        if path is None:
            continue
        data = "" if kind == "cgroup2" else ",".join((["none"] if names[0].startswith("name=") else []) + names)
        directory = where + path.rstrip("/")
        found.append({"type": kind, "where": where, "options": data,
                      "directory": parent_for_groups(where, directory) if kind == "cgroup2" else directory})
    return found


def parent_for_groups(top, directory):
    """v2: the nearest cgroup from ours upwards that gives controllers to its children; the top one does, if told to."""
    def given(path):
        return "memory" in pathlib.Path(path, "cgroup.subtree_control").read_text().split()
    if "memory" not in pathlib.Path(top, "cgroup.controllers").read_text().split():
        return directory  # a hybrid machine: the controllers are elsewhere
    while directory != top and not given(directory):
        directory = os.path.dirname(directory)
    if not given(directory):
        enable_controllers(directory)
    return directory


def remove_cgroup(directory):
    """Removes a cgroup and those below it. Waits for the processes in it to be gone."""
    def gone():
        for path, _, _ in os.walk(directory, topdown=False):
            try:
                os.rmdir(path)
            except OSError:
                pass
        return not os.path.exists(directory)
    poll(gone, 30, f"{directory} removed")


def make_cgroup(hierarchy, name):
    directory = f"{hierarchy['directory']}/{name}"
    os.mkdir(directory)
    for setting in ("cpuset.cpus", "cpuset.mems"):
        if os.path.exists(f"{directory}/{setting}") and hierarchy["type"] == "cgroup":
            value = pathlib.Path(f"{hierarchy['directory']}/{setting}").read_text()
            pathlib.Path(f"{directory}/{setting}").write_text(value)
    return directory


def enable_controllers(directory):
    """v2 only: children of `directory` get every controller it has. Its processes must be in a leaf by now."""
    for controller in pathlib.Path(directory, "cgroup.controllers").read_text().split():
        try:
            pathlib.Path(directory, "cgroup.subtree_control").write_text("+" + controller)
        except OSError:
            pass  # a controller that cannot be delegated is one the engine has to do without


# --- directories -------------------------------------------------------------------------------------------------

def cache_directory():
    path = pathlib.Path(os.environ.get("CAISSON_CACHE", SOURCE / "out" / "cache"))
    path.mkdir(parents=True, exist_ok=True)
    return path


def open_to_all(path):
    """Whether every user may go there: the tree may lie below a directory of root's own."""
    return all(directory.stat().st_mode & 0o001 for directory in pathlib.Path(path).resolve().parents)


def work_directory(name, for_users):
    """A new directory on a file system that overlayfs accepts as an upper layer."""
    for base in (SOURCE / "out", pathlib.Path("/var/tmp")):
        base.mkdir(exist_ok=True)
        if for_users and not open_to_all(base / name):
            continue
        kind = subprocess.run(["stat", "-f", "-c", "%T", base], capture_output=True, text=True, check=True).stdout.strip()
        if kind not in ("overlayfs", "tmpfs", "fuseblk", "nfs"):
            path = base / f"{PREFIX}{os.getpid()}-{name}"
            path.mkdir(mode=0o711)
            return path
    raise Unavailable("no file system that can hold overlay layers: out/ and /var/tmp are on overlayfs or tmpfs")


def sweep():
    """Removes what killed drivers left behind."""
    def dead(name):
        match = re.match(PREFIX + r"(\d+)-", name)
        return match and not os.path.exists(f"/proc/{match[1]}")
    for hierarchy in own_cgroups():
        for name in os.listdir(hierarchy["directory"]):
            if dead(name):
                remove_cgroup(f"{hierarchy['directory']}/{name}")
    for base in (SOURCE / "out", pathlib.Path("/var/tmp")):
        for path in base.glob(PREFIX + "*"):
            if dead(path.name):
                shutil.rmtree(path, ignore_errors=True)


# --- the sandbox -------------------------------------------------------------------------------------------------

class Output:
    """What a finished process left: rc, out, err."""

    def __init__(self, argv, rc, out, err):
        self.argv, self.rc, self.out, self.err = argv, rc, out, err

    def __repr__(self):
        return f"{' '.join(map(str, self.argv))}\n  rc {self.rc}\n  out {self.out[-2000:]!r}\n  err {self.err[-2000:]!r}"


class Started:
    """A process in the sandbox that may still run."""

    def __init__(self, argv, reply):
        self.argv, self.reply, self.rc = argv, reply, None
        self.pid = json.loads(reply.recv(4096))["pid"]

    def wait(self, seconds):
        """Its exit code (negative: the signal), or None."""
        if self.rc is None and select.select([self.reply], [], [], seconds)[0]:
            self.rc = json.loads(self.reply.recv(4096))["status"]
            self.reply.close()
        return self.rc


class Terminal:
    """A process on a pseudo terminal, driven from here."""

    def __init__(self, started, master):
        self.started, self.master, self.text = started, master, ""

    def send(self, text):
        os.write(self.master, text.encode())

    def expect(self, pattern, seconds=60):
        """Reads until `pattern` matches what came since the last match. Returns the match."""
        seconds *= SLOWNESS
        deadline = time.monotonic() + seconds
        while True:
            match = re.search(pattern, self.text)
            if match:
                self.text = self.text[match.end():]
                return match
            if not select.select([self.master], [], [], max(0, deadline - time.monotonic()))[0]:
                raise AssertionError(f"terminal: no {pattern!r} in {seconds} s; got {self.text!r}")
            try:
                self.text += os.read(self.master, 65536).decode(errors="replace").replace("\r", "")
            except OSError:
                raise AssertionError(f"terminal: closed before {pattern!r}; got {self.text!r}") from None

    def finish(self, seconds=60):
        rc = self.started.wait(seconds * SLOWNESS)
        os.close(self.master)
        return rc


class Sandbox:
    """`root`: a directory to use as /, copied on write; else the host's, with /etc, /run, ... private.

    `for_users`: its directory is one that also those may enter who are not root.
    """

    def __init__(self, name, root=None, binds=(), tmpfs=("/run", "/dev/shm", "/tmp"), for_users=False):
        if os.geteuid() != 0:
            raise Unavailable("needs root: namespaces, mounts and cgroups of its own")
        sweep()
        self.name = f"{PREFIX}{os.getpid()}-{name}"
        self.work = work_directory(name, for_users)
        self.data = self.work / "data"  # the same path inside and outside
        self.data.mkdir()
        self.cgroups, self.unshare, self.control = [], None, None
        try:
            self._start(root, list(binds), list(tmpfs))
        except BaseException:
            self.close()
            raise

    def _plan(self, hierarchies, root, binds, tmpfs):
        plan = {"work": str(self.work), "cgroups": hierarchies, "binds": binds, "tmpfs": tmpfs, "copied": []}
        if root:
            for part in ("root", "upper", "overlay-work"):
                (self.work / part).mkdir()
            plan["root"] = str(self.work / "root")
            plan["overlay"] = f"lowerdir={root},upperdir={self.work}/upper,workdir={self.work}/overlay-work"
            plan["binds"] = [(str(self.data), str(self.data))] + plan["binds"]
        else:
            plan["copied"] = ["/etc"]
        return plan

    def _start(self, root, binds, tmpfs):
        hierarchies = own_cgroups()
        for hierarchy in hierarchies:
            self.cgroups.append((hierarchy["type"], make_cgroup(hierarchy, self.name)))
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        plan = self._plan(hierarchies, root, binds, tmpfs)
        libc = ctypes.CDLL(None)

        def prepare():
            libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: dies with the driver
            for kind, directory in self.cgroups:
                with open(f"{directory}/{'tasks' if kind == 'cgroup' else 'cgroup.procs'}", "w") as f:
                    f.write("0")

        self.unshare = subprocess.Popen(
            ["unshare", "--mount", "--net", "--pid", "--uts", "--ipc", "--cgroup", "--fork", "--kill-child=KILL",
             sys.executable, "-I", str(HERE / "agent.py"), str(theirs.fileno()), json.dumps(plan)],
            pass_fds=[theirs.fileno()], preexec_fn=prepare, stdin=subprocess.DEVNULL)
        theirs.close()
        answer = self.control.recv(1 << 16)
        if not answer or "error" in json.loads(answer):
            raise Unavailable(f"sandbox: {json.loads(answer)['error'] if answer else 'process 1 ended early'}")
        for kind, directory in self.cgroups:
            if kind == "cgroup2":
                leaf = pathlib.Path(directory, "init")
                leaf.mkdir()
                for pid in pathlib.Path(directory, "cgroup.procs").read_text().split():
                    (leaf / "cgroup.procs").write_text(pid)
                enable_controllers(directory)

    def environment(self, extra=None):
        path = f"{self.data}/bin:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
        return {"PATH": path, "HOME": str(self.data), "LANG": "C.UTF-8", "TERM": "xterm",
                "CAISSON_NEST_STATE": f"{self.data}/nests", "PODMAN_IGNORE_CGROUPSV1_WARNING": "1", **(extra or {})}

    def start(self, argv, stdin=None, stdout=None, stderr=None, tty=False, env=None):
        """Starts a process. The descriptors are borrowed; None is /dev/null."""
        null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        fds = [null if fd is None else fd for fd in (stdin, stdout, stderr)]
        reply, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        request = {"argv": [str(a) for a in argv], "env": self.environment(env), "tty": tty}
        socket.send_fds(self.control, [json.dumps(request).encode()], fds + [theirs.fileno()])
        theirs.close()
        os.close(null)
        return Started(request["argv"], reply)

    def run(self, argv, stdin=b"", timeout=90, env=None):
        """Runs a process to its end. Output goes to memory files: nobody who inherits them can make us wait."""
        timeout *= SLOWNESS
        files = [os.memfd_create(n, os.MFD_CLOEXEC) for n in ("in", "out", "err")]
        try:
            os.write(files[0], stdin.encode() if isinstance(stdin, str) else stdin)
            os.lseek(files[0], 0, os.SEEK_SET)
            started = self.start(argv, *files, env=env)
            rc = started.wait(timeout)
            texts = [os.pread(fd, 1 << 24, 0).decode(errors="replace") for fd in files[1:]]
            if rc is None:
                self.start(["kill", "-KILL", f"-{started.pid}"]).wait(10)
                raise AssertionError(f"not finished after {timeout} s: {Output(started.argv, None, *texts)}")
            return Output(started.argv, rc, *texts)
        finally:
            for fd in files:
                os.close(fd)

    def terminal(self, argv, rows=31, columns=97):
        import fcntl
        import struct
        import termios
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        started = self.start(argv, slave, slave, slave, tty=True)
        os.close(slave)
        return Terminal(started, master)

    def close(self):
        """Ends everything in the sandbox and removes it."""
        if self.control:
            self.control.close()
        if self.unshare:
            try:
                self.unshare.wait(20 * SLOWNESS)
            except subprocess.TimeoutExpired:
                self.unshare.kill()
                self.unshare.wait()
        for _, directory in self.cgroups:
            remove_cgroup(directory)
        poll(lambda: shutil.rmtree(self.work, ignore_errors=True) or not self.work.exists(), 30, f"{self.work} removed")

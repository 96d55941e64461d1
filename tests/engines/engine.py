# Engines: stock Docker and podman, each in a sandbox of its own, driven through their command lines.
# Layer: tests. Used by the laws; the demo starts its own.
# SPDX-License-Identifier: Apache-2.0
import json
import os
import pathlib
import platform
import re
import shutil

from debian_root import debian_root
from image import busybox_tar
from packaged import packaged
from sandbox import SOURCE, Unavailable, Sandbox, poll


def runtime_path(name="caisson-runtime"):
    """The runtime to test: CAISSON_TEST_RUNTIME, or the one just built. Nest: the link beside it, or None."""
    chosen = os.environ.get("CAISSON_TEST_RUNTIME")
    build = os.environ.get("CAISSON_BUILD", SOURCE / "out" / "build")
    path = pathlib.Path(chosen) if chosen else pathlib.Path(build) / "caisson-runtime"
    if name != "caisson-runtime":
        path = path.parent / name
        return path if path.exists() else None
    if not path.exists():
        raise Unavailable(f"{path} does not exist: build it or set CAISSON_TEST_RUNTIME")
    return path


def tool(name, package):
    path = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if not path:
        raise Unavailable(f"{name} is not installed (apt-get install {package})")
    return path


def is_this_machines(suite):
    """In a guest whose Debian is that suite the engine is the guest's own: nothing has to be made or fetched."""
    return "CAISSON_VM" in os.environ and platform.freedesktop_os_release().get("VERSION_CODENAME") == suite


class Engine:
    """What the laws see: `engine("run", "--rm", IMAGE, "true")` gives an Output."""

    image = "busybox:test"
    cli: list
    kind: str  # docker | podman
    program: str  # that is asked for its version
    build_options = ()
    expected = ""  # the version that a suite still in the making must have
    user = None  # the uid that it runs as, if not root
    suite = None  # the Debian suite whose root the engine runs in; None: the host's own

    def __init__(self, name):
        self.name = name
        if is_this_machines(self.suite):
            self.suite = None
        self.sandbox = None
        self.runtime = runtime_path()
        self.nest = runtime_path("caisson-nest")

    def __call__(self, *args, timeout=90, stdin=b"", env=None):
        return self.sandbox.run([*self.cli, *args], stdin=stdin, timeout=timeout, env=env)

    def ok(self, *args, **more):
        """Output of a command that must succeed, stripped."""
        result = self(*args, **more)
        if result.rc != 0:
            raise AssertionError(f"failed: {result!r}{self.log_tail()}")
        return result.out.strip()

    def inspect(self, name, template):
        return self.ok("inspect", "-f", template, name)

    def state(self, name):
        return json.loads(self.ok("inspect", name))[0]["State"]

    def wait_for(self, name, status, seconds=60):
        poll(lambda: self.state(name)["Status"] == status, seconds, f"{name} is {status}")

    def terminal(self, *args):
        return self.sandbox.terminal([*self.cli, *args])

    def nest_options(self):
        """(global options, options of run) that ask for a nest."""
        return ((), ("--runtime", "caisson-nest"))

    def load_image(self):
        self.ok("import", "-", self.image, stdin=busybox_tar(), timeout=120)

    def container_cgroups(self):
        """The cgroups of containers that exist in the sandbox, in any hierarchy."""
        found = []
        for _, directory in self.sandbox.cgroups:
            for path, _, _ in os.walk(directory):
                if re.search(r"/(docker/|libpod-)[0-9a-f]{64}$", path):
                    found.append(path)
        return found

    def runtime_states(self):
        """What `RUNTIME list -q` says below the engine's state directory."""
        return self.sandbox.run([self.runtime, *self.runtime_root, "list", "-q"]).out.split()

    def log_tail(self):
        return ""

    def enter_sandbox(self, *hidden):
        """A sandbox on the host's files, or on a root of the suite's with our runtime bound in, under each of its names."""
        root = debian_root(self.suite) if self.suite else None
        binds = [(str(p), str(p)) for p in {self.runtime, self.runtime.resolve(), self.nest} if p] if root else []
        self.sandbox = Sandbox(self.name, root=root, binds=binds, tmpfs=["/run", "/dev/shm", "/tmp", *hidden],
                               for_users=self.user is not None)
        if self.expected not in self.version():
            raise Unavailable(f"Debian {self.suite} has another version now: {self.version()}")

    def version(self):
        """What the engine's program says of itself."""
        return self.sandbox.run([f"/usr/bin/{self.program}", "--version"]).out.split("\n")[0]

    def install(self, path, text):
        """A file of the sandbox's own."""
        result = self.sandbox.run(["sh", "-c", f"mkdir -p $(dirname {path}) && cat > {path}"], stdin=text)
        if result.rc != 0:
            raise AssertionError(repr(result))

    def stop(self):
        if self.sandbox:
            self.sandbox.close()
            self.sandbox = None

    def name_runtime(self, name):
        """A file `name` first in the sandbox's PATH that is the runtime: for parts that know only one name."""
        path = self.sandbox.data / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'#!/bin/sh\necho "$*" >> {self.sandbox.data}/{name}.used\nexec {self.runtime} "$@"\n')
        path.chmod(0o755)
        return path


class Docker(Engine):
    kind = "docker"
    program = "docker"
    buildkit = True
    runtime_root = ("--root", "/run/docker/runtime-runc/moby")

    def runc_name_used(self):
        return (self.sandbox.data / "runc.used").exists()

    def start(self):
        self.enter_sandbox("/var/lib/cni", "/etc/docker")
        self.name_runtime("runc")  # BuildKit in dockerd knows only this name
        for directory in ("docker", "client"):
            (self.sandbox.data / directory).mkdir()
        self.socket = "/run/docker.sock"
        self.cli = ["/usr/bin/docker", "--config", str(self.sandbox.data / "client"), "-H", f"unix://{self.socket}"]
        self.log = self.sandbox.data / "dockerd.log"
        self.start_daemon()
        self.load_image()

    def start_daemon(self):
        argv = ["/usr/sbin/dockerd", "--data-root", self.sandbox.data / "docker", "--exec-root", "/run/docker",
                "--pidfile", "/run/docker.pid", "--exec-opt", "native.cgroupdriver=cgroupfs",
                "-H", f"unix://{self.socket}", "--config-file", self.sandbox.data / "daemon.json",
                "--default-runtime", "caisson"]
        (self.sandbox.data / "daemon.json").write_text(packaged("docker/daemon.json", self))
        with open(self.log, "ab") as log:
            self.daemon = self.sandbox.start(argv, stdout=log.fileno(), stderr=log.fileno())

        def up():
            if self.daemon.wait(0) is not None:
                raise AssertionError(f"dockerd ended with {self.daemon.rc}:{self.log_tail()}")
            return self("version", timeout=30).rc == 0
        poll(up, 120, "dockerd answers")

    def log_tail(self):
        lines = self.log.read_text(errors="replace").splitlines()[-25:]
        return "\n--- dockerd log\n" + "\n".join(lines)


class Docker20(Docker):
    def start(self):
        tool("dockerd", "docker.io")
        tool("containerd", "containerd")
        super().start()


class Docker26(Docker):
    suite = "trixie"


class Docker28(Docker):
    suite = "forky"
    expected = "version 28."


class Podman(Engine):
    kind = "podman"
    program = "podman"
    runtime_root = ()

    def nest_options(self):
        # podman makes the network namespace itself, as the host's root: it cannot be a nest's own
        return (("--runtime", "caisson-nest"), ("--network", "none"))

    def start(self):
        self.enter_sandbox("/var/lib/cni", "/var/lib/containers")
        data = self.sandbox.data
        self.install("/etc/containers/containers.conf.d/caisson.conf", packaged("podman/caisson.conf", self))
        for path in ("/etc/subuid", "/etc/subgid"):
            self.install(path, "containers:2000000000:1048576\n")  # for --userns=auto
        self.cli = ["/usr/bin/podman", "--root", data / "storage", "--runroot", "/run/containers-test", "--runtime", self.runtime.name,
                    "--cgroup-manager", "cgroupfs", "--events-backend", "file", "--network-config-dir", data / "networks",
                    "--storage-driver", "overlay", "--tmpdir", "/run/libpod-test"]
        self.load_image()


class Podman4(Podman):
    def start(self):
        tool("podman", "podman")
        tool("conmon", "conmon")
        super().start()


class Podman5(Podman):
    expected = "version 5."
    build_options = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")  # else it asks for a million of each
    suite = "trixie"


class Podman58(Podman5):
    suite = "forky"

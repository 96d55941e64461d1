# What CRI-O does with a runtime: conmon for create and exec, and calls of its own. CRI-O is no package of Debian's.
# Layer: tests. Used by crio_test.py and crio_laws.py.
# SPDX-License-Identifier: Apache-2.0
import io
import json
import pathlib
import tarfile
import tomllib

from engine import Engine, tool
from image import busybox_tar
from packaged import packaged
from sandbox import Unavailable, poll


class Crio(Engine):
    """Its argument lists are those of cri-o's internal/oci/runtime_oci.go."""

    kind = "crio"
    program = "conmon"

    def start(self):
        if not self.nest:
            raise Unavailable("caisson-nest is not beside the runtime")
        tool("conmon", "conmon")
        self.enter_sandbox()
        self.handlers = tomllib.loads(packaged("crio/10-caisson.conf", self))["crio"]["runtime"]["runtimes"]
        self.rootfs = self.sandbox.data / "rootfs"
        with tarfile.open(fileobj=io.BytesIO(busybox_tar())) as tar:
            tar.extractall(self.rootfs)
        for name in ("exits", "attach", "persist", "bundles"):
            (self.sandbox.data / name).mkdir()

    def direct(self, handler, *args, stdin=b""):
        """`RUNTIME --root R ARGS`, as CRI-O calls it by itself."""
        h = self.handlers[handler]
        return self.sandbox.run([h["runtime_path"], "--root", h["runtime_root"], *args], stdin=stdin)

    def bundle(self, name, args, terminal=False, **linux):
        path = self.sandbox.data / "bundles" / name
        path.mkdir()
        made = self.sandbox.run([self.runtime, "spec", "--bundle", path])
        if made.rc != 0:
            raise AssertionError(repr(made))
        spec = json.loads((path / "config.json").read_text())
        spec["root"] = {"path": str(self.rootfs), "readonly": False}
        spec["process"].update({"args": list(args), "terminal": terminal, "env": ["PATH=/usr/bin:/bin"]})
        spec["process"].pop("rlimits", None)
        spec["annotations"] = {"io.kubernetes.cri-o.ContainerType": "container", "io.kubernetes.container.name": name}
        spec["linux"].update({"cgroupsPath": f"/kubepods/{name}", **linux})
        (path / "config.json").write_text(json.dumps(spec))
        return path

    def conmon(self, handler, name, *more, log):
        """Runs conmon to its first answer: {"pid": N} or {"pid": -1, "message": TEXT}."""
        h, data = self.handlers[handler], self.sandbox.data
        sync, start = data / f"{log.name}.sync", data / f"{log.name}.start"
        start.write_bytes(b"ss")
        argv = ["/usr/bin/conmon", "-b", data / "bundles" / name, "-c", name, "--exit-dir", data / "exits", "-l", log, "--log-level", "info",
                "-n", f"k8s_{name}", "-P", data / f"{log.name}.conmon-pid", "-p", data / f"{log.name}.pid", "--persist-dir", data / "persist",
                "-r", h["runtime_path"], "--runtime-arg", f"--root={h['runtime_root']}", "--socket-dir-path", data / "attach", "-u", name, *more]
        script = f"exec 3>'{sync}' 4<'{start}'; exec \"$@\""
        conmon = self.sandbox.start(["sh", "-c", script, "sh", *argv], env={"_OCI_SYNCPIPE": "3", "_OCI_STARTPIPE": "4"})
        poll(lambda: sync.exists() and sync.read_text().endswith("\n"), 60, f"conmon's answer for {name}")
        return json.loads(sync.read_text().splitlines()[0]), conmon

    def log(self, name):
        return self.sandbox.data / f"{name}.log"

    def exit_code(self, name):
        path = self.sandbox.data / "exits" / name
        return int(poll(lambda: path.exists() and path.read_text(), 60, f"the exit file of {name}"))

    def log_lines(self, path):
        """[(stream, text)] of a log that a kubelet reads."""
        lines = [line.split(" ", 3) for line in pathlib.Path(path).read_text().splitlines()]
        return [(stream, text) for _, stream, _, text in lines]

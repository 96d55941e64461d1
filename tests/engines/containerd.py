# containerd by itself: its daemon in a sandbox, its command line, and its CRI.
# Layer: tests. Used by containerd_test.py and containerd_laws_*.py.
# SPDX-License-Identifier: Apache-2.0
import json
import pathlib
import re

import cri
from engine import Engine, tool
from image import docker_archive
from packaged import packaged
from sandbox import Unavailable, poll

SOCKET = "/run/containerd/containerd.sock"
NETWORK = {"cniVersion": "0.4.0", "name": "pods", "plugins": [
    {"type": "bridge", "bridge": "pods0", "isGateway": True,
     "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.88.77.0/24"}]], "dataDir": "/run/cni-ipam"}}]}
CAP_SYS_RESOURCE = 1 << 24


class Containerd(Engine):
    kind = "containerd"
    program = "containerd"
    image = "docker.io/library/busybox:test"
    config = "containerd/config-v2.toml"
    cri_plugin = '"io.containerd.grpc.v1.cri"'
    user_namespaces = False  # what its CRI knows of
    idmapped_volumes = False
    handler_features = False

    def start(self):
        if not self.nest:
            raise Unavailable("caisson-nest is not beside the runtime")
        if not self.suite:
            tool("containerd", "containerd")
        self.enter_sandbox("/opt", "/var/lib/cni")
        self.name_runtime("runc")  # what containerd takes when it is told nothing
        self.cli = ["/usr/bin/ctr", "--address", SOCKET]
        self.log = self.sandbox.data / "containerd.log"
        self.make_network()
        self.start_daemon()
        self.load_images()
        self.cri = None
        if cri.grpc:
            self.cri = cri.Client(f"/proc/{self.daemon_pid()}/root{SOCKET}")
            self.cri.wait_until_ready()

    def make_network(self):
        """Plugins are where Debian puts them, and where containerd looks for them."""
        script = f"mkdir -p /opt/cni /etc/cni/net.d && ln -s /usr/lib/cni /opt/cni/bin && echo '{json.dumps(NETWORK)}' > /etc/cni/net.d/10-pods.conflist"
        result = self.sandbox.run(["sh", "-c", f"rm -rf /etc/cni/net.d; {script}"])
        if result.rc != 0:
            raise AssertionError(repr(result))

    def own_settings(self):
        """Besides our drop-in file: a nest's handler that is given every annotation, and what this machine needs."""
        handler = f"plugins.{self.cri_plugin}.containerd.runtimes.annotated"
        text = f"""
[{handler}]
  runtime_type = "io.containerd.runc.v2"
  pod_annotations = ["*"]
  container_annotations = ["*"]
  [{handler}.options]
    BinaryName = "{self.nest}"
"""
        bounds = int(re.search(r"CapBnd:\s*(\w+)", pathlib.Path("/proc/self/status").read_text())[1], 16)
        if bounds & CAP_SYS_RESOURCE:
            return text
        return text + f"\n[plugins.{self.cri_plugin}]\n  restrict_oom_score_adj = true\n"  # nobody here may lower one

    def start_daemon(self):
        data = self.sandbox.data
        (data / "config.toml").write_text(packaged(self.config, self) + self.own_settings())
        argv = ["/usr/bin/containerd", "--config", data / "config.toml", "--root", data / "containerd", "--state", "/run/containerd",
                "--address", SOCKET]
        with open(self.log, "ab") as log:
            self.daemon = self.sandbox.start(argv, stdout=log.fileno(), stderr=log.fileno())

        def up():
            if self.daemon.wait(0) is not None:
                raise AssertionError(f"containerd ended with {self.daemon.rc}:{self.log_tail()}")
            return self("version", timeout=30).rc == 0
        poll(up, 120, "containerd answers")

    def daemon_pid(self):
        """A process of this pid namespace that sees the sandbox's files: unshare(1), which waits for its process 1."""
        pid = self.sandbox.unshare.pid
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return children[0]

    def load_images(self):
        """The image, and the same under the name of the pause image that this containerd wants."""
        default = self.sandbox.run(["/usr/bin/containerd", "config", "default"]).out
        pause = re.search(r"""(?:sandbox_image|sandbox) = ['"]([^'"]+)['"]""", default)[1]
        for namespace, names, entrypoint in (("default", [self.image], ()), ("k8s.io", [self.image], ()),
                                             ("k8s.io", [pause], ("/bin/sleep", "1000000"))):
            path = self.sandbox.data / "image.tar"
            path.write_bytes(docker_archive(*names, entrypoint=entrypoint))
            self.ok("-n", namespace, "images", "import", path, timeout=120)

    def runtime_ids(self, namespace="default"):
        """The containers that our runtime knows of: it was this one that containerd used."""
        return self.sandbox.run([self.runtime, "--root", f"/run/containerd/runc/{namespace}", "list", "-q"]).out.split()

    def cgroups(self, name):
        found = []
        for _, directory in self.sandbox.cgroups:
            found += [str(path) for path in pathlib.Path(directory).rglob(name)]
        return found

    def log_tail(self):
        lines = self.log.read_text(errors="replace").splitlines()[-25:]
        return "\n--- containerd log\n" + "\n".join(lines)

    def stop(self):
        if getattr(self, "cri", None):
            self.cri.close()
        super().stop()


class Containerd16(Containerd):
    pass


class Containerd17(Containerd):
    suite = "trixie"
    user_namespaces = True


class Containerd2(Containerd):
    suite = "forky"
    expected = " 2."
    config = "containerd/config-v3.toml"
    cri_plugin = "'io.containerd.cri.v1.runtime'"
    user_namespaces = True
    idmapped_volumes = True
    handler_features = True

# buildah with our runtime: `run` in a working container, and builds with OCI isolation.
# Layer: tests. Used by buildah1_28_test.py, buildah1_39_test.py and buildah_laws.py.
# SPDX-License-Identifier: Apache-2.0
from engine import Engine, tool
from image import busybox_tar
from packaged import packaged


class Buildah(Engine):
    kind = "buildah"
    program = "buildah"
    image = "localhost/busybox:test"
    limits = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")  # else it asks for a million of each

    def start(self):
        if not self.suite:
            tool("buildah", "buildah")
        self.enter_sandbox("/var/lib/cni", "/var/lib/containers")
        data = self.sandbox.data
        self.install("/etc/containers/containers.conf.d/caisson.conf", packaged("podman/caisson.conf", self))
        self.install("/etc/containers/policy.json", '{"default": [{"type": "insecureAcceptAnything"}]}')
        self.cli = ["/usr/bin/buildah", "--root", data / "storage", "--runroot", "/run/containers-test", "--storage-driver", "overlay"]
        (data / "root.tar").write_bytes(busybox_tar())
        scratch = self.ok("from", "scratch")
        self.ok("add", scratch, data / "root.tar", "/")
        self.ok("config", "--env", "PATH=/usr/bin:/bin", "--cmd", "sh", scratch)
        self.ok("commit", "--rm", scratch, self.image, timeout=120)
        self.recorder = data / "caisson-runtime"
        self.recorder.write_text(f'#!/bin/sh\necho "$*" >> {data}/calls\nexec {self.runtime} "$@"\n')
        self.recorder.chmod(0o755)

    def calls(self):
        path = self.sandbox.data / "calls"
        return path.read_text().splitlines() if path.exists() else []


class Buildah128(Buildah):
    pass


class Buildah139(Buildah):
    suite = "trixie"


class Buildah143(Buildah):
    suite = "forky"
    expected = "version 1."

"""What every workload stands on: a nest on a Debian root, in the profile that is tested, used through `exec`.

Layer: tests. Users: tests/e2e/*_test.py. Run one file alone:
    CAISSON_E2E_PROFILE=hardened CAISSON_TEST_NEST=out/build/caisson-nest /usr/bin/python3 tests/e2e/docker_test.py
SPDX-License-Identifier: Apache-2.0
"""
import os
import subprocess
import sys
import time

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(SOURCE, "tests/nest"), os.path.join(SOURCE, "tests/engines")]
from debian_root import debian_root  # noqa: E402
from nests import NestTest, main, wait_until  # noqa: E402,F401 (re-exported)
from sandbox import Unavailable  # noqa: E402

PROFILE = os.environ.get("CAISSON_E2E_PROFILE", "compat")
LONG = bool(os.environ.get("CAISSON_LONG"))
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# A root file system of one busybox, packed, from the nest's own Debian.
IMAGE = """set -e; mkdir -p /image/bin; cp /usr/bin/busybox /image/bin; cd /image/bin
for a in sh true cat id mount mknod nc sleep echo touch grep wget ps free nproc; do ln -sf busybox $a; done; tar -C /image -cf /image.tar ."""


def in_long(law):
    """A law that takes too long for every run: it is one only in ./dev test --long."""
    return law if LONG else None


class Workload(NestTest):
    def debian(self, *command, suite="trixie", name="layers"):
        """A nest of this command whose root is an overlay on the suite's Debian, as an engine makes it."""
        try:
            lower = debian_root(suite)
        except Unavailable as why:
            self.skipTest(f"machine: {why}")
        nest = self.nest(*command)
        nest.process["rlimits"] = []
        nest.process["env"] = [f"PATH={PATH}", "HOME=/root", "container=oci"]
        nest.config.setdefault("annotations", {})["io.caisson.profile"] = PROFILE
        upper, work = (os.path.join(self.directory, name, part) for part in ("diff", "work"))
        for path in (upper, work):
            os.makedirs(path)
        options = f"lowerdir={lower},upperdir={upper},workdir={work}"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, nest.rootfs], check=True)
        self.mounted.append(nest.rootfs)
        self.addCleanup(self.forget, nest)
        return nest

    def forget(self, nest):
        """Its inner data too: what it stored is the test's."""
        nest.delete("--force", rc=None)
        self.runtime("forget", nest.id, rc=None)

    def sh(self, nest, script, rc=0, seconds=180):
        """stdout of a shell script in the nest, stripped."""
        return nest.exec("/bin/bash", "-ec", script, rc=rc, seconds=seconds).out.strip()

    def idle(self, **more):
        return self.debian("/bin/sleep", "100000", **more).up()

    def systemd(self, **more):
        """A nest that has booted."""
        nest = self.debian("/sbin/init", **more).up()
        def booted():
            return nest.exec("systemctl", "is-system-running", rc=None).out.strip() in ("running", "degraded")
        wait_until(booted, "systemd has booted", 180)
        return nest

    def docker_answers(self, nest, seconds=120):
        def answers():
            return nest.exec("docker", "version", rc=None).rc == 0
        deadline = time.monotonic() + seconds
        while not answers():
            if time.monotonic() > deadline:
                self.fail(self.sh(nest, "journalctl -u docker --no-pager | tail -n 40; tail -n 40 /root/dockerd.log", rc=None))
            time.sleep(0.2)

"""An unmodified dockerd from Debian packages, in a nest whose root is an overlay as engines make it.

Layer: tests. Users: ctest (tests.nest.dockerd). The Debian root is made once by tests/engines/debian_root.py.
SPDX-License-Identifier: Apache-2.0
"""
import os
import subprocess
import sys

from nests import SOURCE, NestTest, main, wait_until

sys.path.insert(0, os.path.join(SOURCE, "tests/engines"))
from debian_root import debian_root  # noqa: E402
from sandbox import Unavailable  # noqa: E402

DAEMON = "mkdir -p /run /root; exec dockerd > /root/dockerd.log 2>&1"
IMAGE = """set -e; mkdir -p /image/bin; cp /bin/busybox /image/bin; cd /image/bin
for a in sh true cat id mount nc sleep echo touch grep; do ln -sf busybox $a; done
tar -C /image -c . | docker import - image"""
SLEEP = "31415"  # seconds: how the innermost process is found among the host's


class Dockerd(NestTest):
    def daemon(self):
        try:
            lower = debian_root()
        except Unavailable as why:
            self.skipTest(f"machine: {why}")
        nest = self.nest("/bin/sh", "-c", DAEMON)
        nest.process["rlimits"] = []
        nest.process["env"] = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"]
        # The overlay's lower layer is the shared Debian root, which the nest sees as its own and cannot change.
        upper, work = (os.path.join(self.directory, "layers", name) for name in ("diff", "work"))
        for path in (upper, work):
            os.makedirs(path)
        options = f"lowerdir={lower},upperdir={upper},workdir={work}"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, nest.rootfs], check=True)
        self.mounted.append(nest.rootfs)
        return nest

    def start(self, nest):
        nest.up()
        wait_until(lambda: nest.exec("docker", "version", rc=None).rc == 0 or self.alive(nest), "dockerd answers", 120)

    def alive(self, nest):
        """Raises with dockerd's log if it ended; always false."""
        if nest.status() != "running":
            with open(os.path.join(self.directory, "layers/diff/root/dockerd.log")) as log:
                self.fail(log.read()[-3000:])
        return False

    def docker(self, nest, *arguments, rc=0):
        return nest.exec("docker", *arguments, rc=rc, seconds=120).out

    def host_process(self, nest):
        """pid on the host of the innermost `sleep`, and its NSpid: one number a level."""
        first = self.first_id(nest)
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{name}/cmdline") as file:
                    if file.read().split("\0")[:3] != ["/bin/sleep", SLEEP, ""]:
                        continue
                with open(f"/proc/{name}/status") as file:
                    status = dict(line.split(":", 1) for line in file)
            except OSError:
                continue
            if int(status["Uid"].split()[0]) == first:
                return status["NSpid"].split()
        return []

    def test_it_does_what_it_does_on_a_host(self):
        nest = self.daemon()
        self.start(nest)
        self.assertEqual(self.docker(nest, "info", "--format", "{{.Driver}}").strip(), "overlay2")
        nest.exec("/bin/sh", "-c", IMAGE)
        nest.exec("/bin/sh", "-c", "mkdir /b; printf 'FROM image\\nRUN echo built > /made\\nRUN cat /made\\n' > /b/Dockerfile")
        nest.exec("/usr/bin/env", "DOCKER_BUILDKIT=0", "docker", "build", "-t", "built", "/b", seconds=180)
        self.assertEqual(self.docker(nest, "run", "--rm", "built", "/bin/cat", "/made"), "built\n")
        limited = ("run", "--rm", "--memory", "64m", "--cpus", "0.5", "-v", "kept:/v")
        self.docker(nest, *limited, "image", "/bin/touch", "/v/file")
        self.docker(nest, *limited, "image", "/bin/cat", "/v/file")
        privileged = self.docker(nest, "run", "--rm", "--privileged", "image", "/bin/sh", "-c",
                                 "mount -t tmpfs x /mnt 2>/dev/null || { /bin/busybox mkdir /mnt; mount -t tmpfs x /mnt; } && echo yes")
        self.assertEqual(privileged, "yes\n")
        self.docker(nest, "run", "-d", "--name", "web", "-p", "8080:80", "image", "/bin/sleep", SLEEP)
        self.assertEqual(self.docker(nest, "exec", "web", "/bin/id", "-u"), "0\n")
        pids = wait_until(lambda: self.host_process(nest), "the innermost process is seen from the host")
        self.assertEqual(len(pids), 3, "host, nest, inner container")
        self.docker(nest, "rm", "-f", "web")

        nest.kill("TERM")
        nest.wait_stopped()
        nest.delete()
        self.start(nest)
        self.assertIn("built", self.docker(nest, "images"), "images are there again after delete and create")
        nest.delete("--force")
        self.runtime("forget", nest.id)


if __name__ == "__main__":
    main()

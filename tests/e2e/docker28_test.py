"""Docker 28 in a nest: its runc opens /proc only where nothing covers it, and refuses what looks unsafe.

Layer: tests. Users: ctest (tests.e2e.docker28.*).
SPDX-License-Identifier: Apache-2.0
"""
from workload import IMAGE, Workload, main


class Docker28(Workload):
    def test_it_builds_and_runs(self):
        nest = self.debian("/bin/sh", "-c", "mkdir -p /root; exec dockerd > /root/dockerd.log 2>&1", suite="forky").up()
        self.docker_answers(nest)
        self.assertRegex(self.sh(nest, "docker version -f '{{.Server.Version}}'"), "^2[89]")
        self.sh(nest, IMAGE + "; docker import /image.tar image")
        self.assertEqual(self.sh(nest, "docker run --rm image id -u"), "0")
        self.assertEqual(self.sh(nest, "docker run --rm --sysctl net.ipv4.ip_forward=1 -m 64m image cat /proc/sys/net/ipv4/ip_forward"), "1")
        self.assertEqual(self.sh(nest, "docker run --rm --privileged image sh -c 'busybox mkdir /m; mount -t proc p /m && ls -d /m/self'"), "/m/self")
        self.sh(nest, "mkdir /b; printf 'FROM image\\nRUN echo built > /made\\n' > /b/Dockerfile; docker build -t built /b 2>&1")
        self.assertEqual(self.sh(nest, "docker run --rm built cat /made"), "built")


if __name__ == "__main__":
    main()

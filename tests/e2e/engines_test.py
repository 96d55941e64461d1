"""Other engines in a nest: podman by root and by a user, buildah, containerd's ctr.

Layer: tests. Users: ctest (tests.e2e.engines.*).
SPDX-License-Identifier: Apache-2.0
"""
from workload import IMAGE, Workload, main

USER = """useradd -m joe; echo joe:20000:10000 | tee /etc/subuid /etc/subgid; loginctl enable-linger joe
for i in $(seq 100); do [ -S /run/user/$(id -u joe)/bus ] && break; sleep 0.2; done"""
RUN = "--network none"


class Engines(Workload):
    def as_joe(self, nest, script):
        return self.sh(nest, f"exec su - joe -c 'export XDG_RUNTIME_DIR=/run/user/$(id -u) PODMAN_IGNORE_CGROUPSV1_WARNING=1; {script}'")

    def test_podman_runs_for_root_and_for_a_user_and_buildah_builds(self):
        nest = self.systemd()
        self.sh(nest, IMAGE + "; podman import /image.tar image")
        self.assertEqual(self.sh(nest, "podman run --rm image echo rootful"), "rootful")
        self.assertEqual(self.sh(nest, f"podman run --rm {RUN} --privileged image sh -c 'busybox mkdir /m; mount -t proc p /m && ls -d /m/self'"), "/m/self")
        self.sh(nest, "printf 'FROM image\\nRUN echo built > /made\\n' > /tmp/Containerfile; buildah build -t built -f /tmp/Containerfile /tmp")
        self.assertEqual(self.sh(nest, f"podman run --rm {RUN} built cat /made"), "built")

        self.sh(nest, USER)
        self.as_joe(nest, "podman import /image.tar image")
        self.assertEqual(self.as_joe(nest, "podman info --format {{.Store.GraphDriverName}}"), "overlay")
        self.assertEqual(self.as_joe(nest, f"podman run --rm {RUN} image id -u"), "0")
        self.assertEqual(self.as_joe(nest, f"podman run --rm {RUN} image cat /proc/self/uid_map").split()[1:3], ["1000", "1"])

    def test_containerd_runs_containers(self):
        nest = self.systemd()
        self.sh(nest, IMAGE + "; systemctl start containerd; docker import /image.tar image && docker save image -o /saved.tar")
        self.sh(nest, "ctr image import /saved.tar")
        name = self.sh(nest, "ctr image ls -q | head -n 1")
        self.assertEqual(self.sh(nest, f"ctr run --rm {name} one /bin/id -u"), "0")


if __name__ == "__main__":
    main()

"""Debian's Docker 26 under systemd in a nest: builds, compose, swarm, remapped users, privileged containers.

Layer: tests. Users: ctest (tests.e2e.docker.*).
SPDX-License-Identifier: Apache-2.0
"""
import json
import subprocess

from workload import IMAGE, Workload, in_long, main, wait_until

DOCKERFILE = """FROM image AS one
RUN echo built > /made && mknod /null c 1 3 2>/dev/null; true
FROM image
COPY --from=one /made /made
RUN --mount=type=cache,target=/c --mount=type=tmpfs,target=/t echo kept > /c/f && cat /made
CMD ["cat", "/made"]
"""
COMPOSE = """services:
  web:
    image: image
    command: sh -c 'mkdir -p /w; cp /shared/page /w/index.html; exec busybox httpd -f -p 80 -h /w'
    volumes: [shared:/shared]
    depends_on: {writer: {condition: service_completed_successfully}}
  writer:
    image: image
    command: sh -c 'echo composed > /shared/page'
    volumes: [shared:/shared]
volumes: {shared: {}}
"""


class Docker(Workload):
    def engine(self, **more):
        nest = self.systemd(**more)
        self.docker_answers(nest)
        self.sh(nest, IMAGE + "; docker import /image.tar image")
        return nest

    def test_it_builds_runs_saves_and_composes(self):
        nest = self.engine()
        self.assertEqual(self.sh(nest, "docker info -f '{{.Driver}} {{len .Warnings}}'").split()[0], "overlay2")
        self.sh(nest, f"mkdir /b; cat > /b/Dockerfile <<'END'\n{DOCKERFILE}END\ndocker build -t built /b 2>&1")
        self.assertEqual(self.sh(nest, "docker run --rm built"), "built")
        self.sh(nest, "docker save built -o /built.tar && docker rmi -f built && docker load -i /built.tar")
        self.assertEqual(self.sh(nest, "docker run --rm -m 64m --cpus 0.5 --read-only --tmpfs /x built"), "built")
        privileged = self.sh(nest, "docker run --rm --privileged image sh -ec 'mkdir /m; mount -t tmpfs x /m; mount -t proc p /m; ls -d /m/self'")
        self.assertEqual(privileged, "/m/self")
        self.sh(nest, f"mkdir /c; cat > /c/compose.yml <<'END'\n{COMPOSE}END\ncd /c && docker compose up -d 2>&1")
        page = "docker run --rm --network c_default image wget -qO- http://web/index.html"
        wait_until(lambda: nest.exec("/bin/bash", "-c", page, rc=None).out.strip() == "composed", "the page by the service's name", 60)
        self.sh(nest, "cd /c && docker compose down -v 2>&1")

    def test_it_remaps_users(self):
        nest = self.engine()
        self.sh(nest, """systemctl stop docker.socket docker; mkdir -p /etc/docker; echo '{"userns-remap": "default"}' > /etc/docker/daemon.json
useradd -r dockremap; echo dockremap:10000:50000 | tee /etc/subuid /etc/subgid; systemctl start docker""")
        self.docker_answers(nest)
        self.assertEqual(self.sh(nest, "docker info -f '{{.Driver}}'"), "overlay2")
        self.sh(nest, "docker import /image.tar image")
        self.assertEqual(self.sh(nest, "docker run --rm image cat /proc/self/uid_map").split(), ["0", "10000", "50000"])

    def connect(self, nests):
        """One wire between the network namespaces of two nests, made from outside."""
        pids = [nest.pid for nest in nests]
        ends = [f"wire{pids[0] % 100000}{i}" for i in range(2)]
        subprocess.run(["ip", "link", "add", ends[0], "type", "veth", "peer", "name", ends[1]], check=True)
        for i, (pid, end) in enumerate(zip(pids, ends)):
            subprocess.run(["ip", "link", "set", end, "netns", str(pid), "name", "eth0"], check=True)
            self.sh(nests[i], f"ip addr add 10.77.0.{i + 1}/24 dev eth0 && ip link set eth0 up && ip route add default via 10.77.0.{2 - i}")

    @in_long
    def test_two_nests_are_a_swarm(self):
        nests = [self.engine(name=f"layers{i}") for i in range(2)]
        self.connect(nests)
        self.sh(nests[0], "docker swarm init --advertise-addr 10.77.0.1")
        token = self.sh(nests[0], "docker swarm join-token -q worker")
        self.sh(nests[1], f"docker swarm join --token {token} 10.77.0.1:2377")
        self.sh(nests[0], "docker network create -d overlay --attachable wide")
        self.sh(nests[0], "docker service create --detach --no-resolve-image --name s --network wide --endpoint-mode dnsrr --replicas 2 image sleep 1000")

        def tasks():
            lines = self.sh(nests[0], "docker service ps s --format '{{json .}}'").splitlines()
            return {json.loads(line)["Node"] for line in lines if json.loads(line)["CurrentState"].startswith("Running")}
        wait_until(lambda: len(self.sh(nests[0], "docker service ps s --filter desired-state=running -q").split()) == 2 and tasks(), "both run", 120)
        answer = "docker run --rm --network wide image busybox nslookup s 127.0.0.11"
        wait_until(lambda: nests[0].exec("/bin/bash", "-c", answer, rc=None).out.count("10.0.") >= 2, "both by the service's name", 120)


if __name__ == "__main__":
    main()

# The same dockerd on the host and in a nest, and what it costs to use them.
# Layer: bench. Used by run. The host's engine is in the engine tests' sandbox: real root, namespaces of its own.
# SPDX-License-Identifier: Apache-2.0
import pathlib
import subprocess
import sys

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(SOURCE / "tests/engines"), str(SOURCE / "tests/demo")]
from debian_root import debian_root  # noqa: E402
from image import busybox_tar  # noqa: E402
from nest import Nest  # noqa: E402
from sandbox import Sandbox, poll  # noqa: E402

SUITE = "trixie"
FILES = 20000
PREPARE = f"""set -e
mkdir -p /srv/tree /srv/build /srv/large
cd /srv/tree
i=0; while [ $i -lt {FILES // 100} ]; do mkdir d$i; i=$((i+1)); done
busybox seq 1 {FILES} | busybox awk '{{ print "file " $1 > ("d" ($1 % {FILES // 100}) "/f" $1); close("d" ($1 % {FILES // 100}) "/f" $1) }}'
tar -cf /srv/tree.tar .
cd /srv; rm -rf tree
cp /bin/busybox build/some-file
cp /usr/bin/docker large/some-file
for d in build large; do
  printf 'FROM busybox:bench\\nCOPY some-file /f\\nRUN echo 1 > /1\\nRUN cat /f > /2\\nRUN rm /2\\n' > $d/Dockerfile
done
"""
TIMED = "s=$(date +%s%N); {{ {0} ; }} > /tmp/bench.log 2>&1 || {{ cat /tmp/bench.log >&2; exit 1; }}; e=$(date +%s%N); echo $((e - s)); {1}"
TASKS = {
    "untar of 20,000 files": ("mkdir /srv/out && tar -xf /srv/tree.tar -C /srv/out", "rm -rf /srv/out"),
    "docker build": ("DOCKER_BUILDKIT=1 docker build --no-cache -t built /srv/build", "docker rmi -f built >/dev/null 2>&1"),
    "docker build with layers of 30 MB": ("DOCKER_BUILDKIT=1 docker build --no-cache -t built /srv/large",
                                          "docker rmi -f built >/dev/null 2>&1"),
    "docker run": ("docker run --rm busybox:bench true", ":"),
}


class Host:
    def __init__(self):
        self.sandbox = Sandbox("bench", root=debian_root(SUITE))
        self.log = self.sandbox.data / "dockerd.log"
        with open(self.log, "wb") as log:
            self.sandbox.start(["dockerd", "--data-root", self.sandbox.data / "docker"], stdout=log.fileno(), stderr=log.fileno())

    def sh(self, script, stdin=b""):
        done = self.sandbox.run(["sh", "-c", script], stdin=stdin, timeout=600)
        return done.rc, done.out, done.err

    def close(self):
        self.sandbox.close()


class Inside:
    def __init__(self, work, cgroup):
        work.mkdir(parents=True)
        self.work = work
        self.nest = Nest(SOURCE / "out/bin/caisson-nest", work, "bench-engine")
        self.log = work / "dockerd.log"
        self.nest.start(debian_root(SUITE), ["dockerd"], f"{cgroup}/engine", [], self.log)

    def sh(self, script, stdin=b""):
        argv = [str(self.nest.program), "--root", str(self.work / "state"), "exec", self.nest.name, "sh", "-c", script]
        done = subprocess.run(argv, env=self.nest.environment, input=stdin, capture_output=True, timeout=600)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def close(self):
        self.nest.remove()
        subprocess.run(["umount", "-l", self.work / "rootfs"], check=False)


def must(place, script, stdin=b""):
    rc, out, err = place.sh(script, stdin)
    if rc != 0:
        raise SystemExit(f"bench: {type(place).__name__}: {script}: {rc}\n{out}{err}{place.log.read_text(errors='replace')[-2000:]}")
    return out


def ready(place):
    poll(lambda: place.sh("docker version")[0] == 0, 120, "dockerd answers")
    must(place, "docker import - busybox:bench", busybox_tar())
    must(place, PREPARE)


def measure(places, rounds):
    """{task: {place: [seconds]}}, the places in turn."""
    took = {task: {name: [] for name in places} for task in TASKS}
    for number in range(rounds + 1):
        for task, (timed, after) in TASKS.items():
            for name, place in (list(places.items()) if number % 2 else list(places.items())[::-1]):
                out = must(place, TIMED.format(timed, after))
                if number > 0:  # the first one fills caches
                    took[task][name].append(int(out.split()[0]) / 1e9)
        print(f"bench: engines {number}/{rounds}", file=sys.stderr, flush=True)
    return took

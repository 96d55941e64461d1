# What buildah asks of a runtime: create, start, state until it has stopped, delete; for `run` and for each RUN of a build.
# Layer: tests. Collected by laws.py for buildah.
# SPDX-License-Identifier: Apache-2.0
import itertools
import unittest

NUMBERS = itertools.count(1)


class BuildahLaws(unittest.TestCase):
    e = None
    alone = False
    longMessage = True
    maxDiff = None
    runtime = "caisson-runtime"

    def container(self, *options):
        """A working container."""
        name = self.e.ok("from", "--pull=never", *self.e.limits, *options, self.e.image)
        self.addCleanup(lambda: self.e("rm", name))
        return name

    def run_in(self, container, *command, options=(), rc=0, runtime=None):
        result = self.e("run", "--isolation", "oci", "--runtime", runtime or self.runtime, *options, container, "--", *command)
        self.assertEqual(result.rc, rc, repr(result))
        return result.out.strip()

    def directory(self, dockerfile):
        path = self.e.sandbox.data / f"dir{next(NUMBERS)}"
        path.mkdir()
        (path / "Dockerfile").write_text(dockerfile)
        return path


class RunLaws(BuildahLaws):
    def test_output_and_exit_code_come_back(self):
        name = self.container()
        result = self.e("run", "--isolation", "oci", "--runtime", self.runtime, name, "--", "sh", "-c", "echo out; echo err >&2; exit 7")
        self.assertEqual((result.rc, result.out), (7, "out\n"), repr(result))
        self.assertIn("err\n", result.err)

    def test_what_is_written_stays_in_the_working_container(self):
        name = self.container()
        self.run_in(name, "sh", "-c", "echo kept > /srv/f")
        self.assertEqual(self.run_in(name, "cat", "/srv/f"), "kept")

    def test_users_environment_directories_and_volumes(self):
        path = self.directory("")
        (path / "f").write_text("given")
        name = self.container()
        self.e.ok("config", "--user", "1000:2000", "--workingdir", "/srv", "--env", "X=y", name)
        script = 'id -u; id -g; pwd; echo $X; cat /mnt/f; touch /mnt/x 2>/dev/null || echo " kept"'
        out = self.run_in(name, "sh", "-c", script, options=("-v", f"{path}:/mnt:ro"))
        self.assertEqual(out.split(), ["1000", "2000", "/srv", "y", "given", "kept"])

    def test_capabilities_and_namespaces(self):
        name = self.container()
        plain = int(self.run_in(name, "grep", "CapEff", "/proc/self/status").split()[1], 16)
        more = int(self.run_in(name, "grep", "CapEff", "/proc/self/status", options=("--cap-add", "CAP_SYS_ADMIN")).split()[1], 16)
        self.assertEqual(more, plain | 1 << 21)
        here = self.e.sandbox.run(["readlink", "/proc/self/ns/net"]).out.strip()
        self.assertEqual(self.run_in(name, "readlink", "/proc/self/ns/net", options=("--network", "host")), here)
        self.assertNotEqual(self.run_in(name, "readlink", "/proc/self/ns/net", options=("--network", "none")), here)

    def test_a_terminal_is_a_terminal(self):
        t = self.e.terminal("run", "--isolation", "oci", "--runtime", self.runtime, "-t", self.container(), "--", "sh", "-c",
                            "test -t 0 && echo yes-a-terminal; exit 6")
        t.expect("yes-a-terminal")
        self.assertEqual(t.finish(), 6)

    def test_a_program_that_is_not_there_is_told(self):
        result = self.e("run", "--isolation", "oci", "--runtime", self.runtime, self.container(), "--", "nosuch")
        self.assertNotEqual(result.rc, 0)
        self.assertIn("executable file not found in $PATH", result.err)


class BuildLaws(BuildahLaws):
    DOCKERFILE = """
FROM {image} AS first
RUN echo built > /srv/f && id -u >> /srv/f && test -e /proc/self/status && echo x > /dev/null
USER app
RUN id -u > /tmp/who
FROM {image}
COPY --from=first /srv/f /f
COPY --from=first /tmp/who /who
RUN cat /f /who > /both
"""

    def test_every_step_of_a_build_is_run_by_our_runtime(self):
        image = f"localhost/built{next(NUMBERS)}"
        self.addCleanup(lambda: self.e("rmi", "-f", image))
        before = len(self.e.calls())
        self.e.ok("bud", "--isolation", "oci", "--runtime", self.e.recorder, *self.e.limits, "--no-cache", "-t", image,
                  self.directory(self.DOCKERFILE.format(image=self.e.image)), timeout=200)
        calls = self.e.calls()[before:]
        self.assertEqual(len([line for line in calls if "create --bundle " in line]), 3, calls)
        name = self.e.ok("from", *self.e.limits, image)
        self.addCleanup(lambda: self.e("rm", name))
        self.assertEqual(self.run_in(name, "cat", "/both").split(), ["built", "0", "1000"])

    def test_a_failing_step_fails_the_build(self):
        path = self.directory(f"FROM {self.e.image}\nRUN exit 41\n")
        result = self.e("bud", "--isolation", "oci", "--runtime", self.runtime, *self.e.limits, path, timeout=200)
        self.assertNotEqual(result.rc, 0)
        self.assertIn("41", result.out + result.err)


class NestLaws(BuildahLaws):
    runtime = "caisson-nest"

    def test_a_step_in_a_nest_may_mount_and_is_nobody_on_the_host(self):
        if not self.e.nest:
            self.skipTest("caisson-nest is not beside the runtime")
        script = "cat /proc/self/uid_map; mkdir -p /m; mount -t tmpfs x /m && echo mounted"
        lines = self.run_in(self.container(), "sh", "-c", script, options=("--network", "none")).splitlines()
        self.assertGreaterEqual(int(lines[0].split()[1]), 65536)
        self.assertEqual(lines[1], "mounted")

# What engines want to know of a runtime, and hand it besides a bundle: features, flags of its own, a JSON log, systemd.
# Layer: tests. Collected by laws.py.
# SPDX-License-Identifier: Apache-2.0
import json

from laws import Laws

FEATURES = "org.opencontainers.runtime-spec.features"


class DockerLaws(Laws):
    def setUp(self):
        self.only("docker", "Docker asks")

    def test_the_runtimes_of_the_packaged_file_are_there(self):
        names = json.loads(self.e.ok("info", "-f", "{{json .Runtimes}}"))
        self.assertLessEqual({"caisson", "caisson-nest"}, set(names))

    def test_features_are_read(self):
        runtimes = json.loads(self.e.ok("info", "-f", "{{json .Runtimes}}"))
        if "status" not in runtimes["caisson"]:
            self.skipTest("this Docker does not ask for features")
        for name in ("caisson", "caisson-nest"):
            features = json.loads(runtimes[name]["status"][FEATURES])
            self.assertIn("rro", features["mountOptions"])
            self.assertTrue(features["linux"]["mountExtensions"]["idmap"]["enabled"])
            self.assertTrue(features["linux"]["cgroup"]["v1"] and features["linux"]["seccomp"]["enabled"])

    def test_recursive_read_only_binds(self):
        path = self.directory()
        (path / "sub").mkdir()
        self.assertEqual(self.e.sandbox.run(["mount", "-t", "tmpfs", "below", path / "sub"]).rc, 0)
        self.addCleanup(lambda: self.e.sandbox.run(["umount", "-l", path / "sub"]))
        option = "bind-recursive=readonly,bind-propagation=rprivate,readonly"
        result = self.e("run", "--rm", "--mount", f"type=bind,src={path},dst=/mnt,{option}", self.e.image, "touch", "/mnt/sub/x")
        if "bind-recursive" in result.err:
            self.skipTest("this Docker knows no recursive read-only binds")
        self.assertEqual(result.rc, 1, repr(result))
        self.assertIn("Read-only file system", result.err)


class PodmanLaws(Laws):
    def setUp(self):
        self.only("podman", "podman's own ways")

    def arguments(self, *flags, command=("true",), options=()):
        """How the runtime was called by one `run`: its command lines; and the engine's Output."""
        path = self.directory() / self.e.runtime.name  # the name decides whether a JSON log is asked for
        path.write_text(f'#!/bin/sh\necho "$*" >> {path}.calls\nexec {self.e.runtime} "$@"\n')
        path.chmod(0o755)
        result = self.e("--runtime", path, *flags, "run", "--rm", *options, self.e.image, *command)
        return open(f"{path}.calls").read().splitlines(), result

    def test_a_json_log_is_asked_for_and_read(self):
        calls, result = self.arguments(command=("nosuch",))
        create = next(line for line in calls if " create " in line)
        if self.e.runtime.name == "caisson-runtime":
            self.assertRegex(create, "--log-format=json --log[= ]/")
        self.assertEqual(result.rc, 127, repr(result))
        self.assertRegex(result.err, 'nosuch.*executable file (`nosuch` )?not found in \\$PATH')

    def test_flags_of_the_runtimes_own_are_passed_on(self):
        calls, result = self.arguments("--runtime-flag", "debug")
        self.assertEqual(result.rc, 0, repr(result))
        self.assertTrue([line for line in calls if line.startswith("--debug") and " create " in line], calls)

    def test_a_container_made_for_systemd_has_its_places(self):
        script = "for d in /run /run/lock /tmp /var/log/journal; do grep -q \" $d tmpfs rw\" /proc/mounts && echo $d; done; echo $container"
        out = self.once("sh", "-c", script, options=("--systemd", "always"))
        self.assertEqual(out.split()[:4], ["/run", "/run/lock", "/tmp", "/var/log/journal"])
        self.assertIn(out.split()[4], ("podman", "oci"))


class PodmanNestLaws(Laws):
    def setUp(self):
        self.only("podman", "podman's own ways")
        if not self.e.nest:
            self.skipTest("caisson-nest is not beside the runtime")

    def nest(self, *options):
        """A running nest; returns its name."""
        name = self.name("nest")
        self.e.ok("--runtime", "caisson-nest", "run", "-d", "--name", name, *options, self.e.image, "sh", "-c",
                  "trap 'exit 0' TERM; while :; do sleep 1000 & wait $!; done")
        return name

    def file(self):
        path = self.directory() / "f"
        path.write_text("copied")
        return path

    def test_the_default_network_is_refused_and_told_why(self):
        result = self.e("--runtime", "caisson-nest", "run", "--rm", self.e.image, "true")
        self.assertNotEqual(result.rc, 0)
        self.assertIn("with podman use --userns=auto or --network none", result.err)

    def test_with_ids_of_the_callers_it_has_a_network_and_takes_copies(self):
        name = self.nest("--uidmap", "0:300000:65536", "--gidmap", "0:300000:65536")
        self.assertIn("eth0", self.exec(name, "ls", "/sys/class/net"))
        self.assertEqual(self.exec(name, "cat", "/proc/self/uid_map").split(), ["0", "300000", "65536"])
        self.e.ok("cp", self.file(), f"{name}:/srv/f")
        self.assertEqual(self.exec(name, "sh", "-c", "cat /srv/f; stat -c %u /srv/f"), "copied0")

    def test_with_automatic_ids_it_has_a_network(self):
        name = self.nest("--userns=auto:size=65536")
        self.assertIn("eth0", self.exec(name, "ls", "/sys/class/net"))
        self.assertGreaterEqual(int(self.exec(name, "cat", "/proc/self/uid_map").split()[1]), 65536)

    def test_copies_into_a_nest_of_its_own_ids_go_in_while_it_is_stopped(self):
        name = self.name("nest")
        self.e.ok("--runtime", "caisson-nest", "create", "--network", "none", "--name", name, self.e.image, "cat", "/srv/f")
        self.e.ok("cp", self.file(), f"{name}:/srv/f")
        self.e.ok("start", name)
        self.e.ok("wait", name)
        self.assertEqual(self.e.ok("logs", name), "copied")

    def test_a_copy_into_a_running_nest_is_refused_whole(self):
        """podman writes in the nest's mounts as the host's uid 0, which no id of the nest stands for."""
        name = self.nest("--network", "none")
        result = self.e("cp", self.file(), f"{name}:/srv/f")
        self.assertNotEqual(result.rc, 0, repr(result))
        self.assertIn("value too large", result.err)
        self.assertEqual(self.exec(name, "ls", "/srv"), "")

    def test_copies_into_a_running_nest_go_through_exec(self):
        name = self.nest("--network", "none")
        data = self.e.sandbox.run(["tar", "-c", "-C", self.file().parent, "f"])
        self.e.ok("exec", "-i", name, "tar", "-x", "-C", "/srv", stdin=data.out)
        self.assertEqual(self.exec(name, "sh", "-c", "cat /srv/f; stat -c %u /srv/f"), "copied0")

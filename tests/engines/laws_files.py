# Files: volumes, binds, tmpfs, read-only roots, cp, diff, commit, build, and the network.
# Layer: tests. Collected by laws.py.
# SPDX-License-Identifier: Apache-2.0
import itertools
import tarfile

from laws import Laws

PORTS = itertools.count(8101)


class VolumeLaws(Laws):
    def volume(self):
        name = self.name("v")
        self.e.ok("volume", "create", name)
        self.addCleanup(lambda: self.e("volume", "rm", "-f", name))
        return name

    def test_a_named_volume_outlives_containers(self):
        volume = self.volume()
        self.once("sh", "-c", "echo data > /srv/f", options=("-v", f"{volume}:/srv"))
        self.assertEqual(self.once("cat", "/srv/f", options=("-v", f"{volume}:/srv")), "data")

    def test_a_new_volume_gets_what_the_image_has_there(self):
        self.assertIn("passwd", self.once("ls", "/etc", options=("-v", f"{self.volume()}:/etc")))

    def test_a_bind_shows_both_ways(self):
        path = self.directory()
        (path / "from-host").write_text("h")
        out = self.once("sh", "-c", "cat /mnt/in/from-host; echo c > /mnt/in/from-container", options=("-v", f"{path}:/mnt/in"))
        self.assertEqual((out, (path / "from-container").read_text()), ("h", "c\n"))

    def test_a_read_only_bind_cannot_be_written(self):
        path = self.directory()
        out = self.once("sh", "-c", "touch /mnt/x 2>&1; mount -o remount,rw /mnt 2>&1; true", options=("-v", f"{path}:/mnt:ro"))
        self.assertIn("Read-only file system", out)
        self.assertEqual(list(path.iterdir()), [])

    def test_one_file_can_be_bound_and_mounts_can_nest(self):
        path = self.directory()
        (path / "f").write_text("file")
        options = ("-v", f"{path}/f:/etc/one", "-v", f"{self.volume()}:/srv", "-v", f"{path}:/srv/deep/er:ro")
        self.assertEqual(self.once("sh", "-c", "cat /etc/one /srv/deep/er/f", options=options), "filefile")

    def test_a_mount_made_later_reaches_a_slave_bind(self):
        path = self.directory()
        (path / "m").mkdir()
        name = self.sleeper("-v", f"{path}:/mnt:rslave")
        self.assertEqual(self.e.sandbox.run(["mount", "-t", "tmpfs", "late", path / "m"]).rc, 0)
        self.addCleanup(lambda: self.e.sandbox.run(["umount", path / "m"]))
        self.assertIn("late /mnt/m", self.exec(name, "cat", "/proc/mounts"))

    def test_tmpfs_has_its_options(self):
        out = self.once("sh", "-c", "grep ' /scratch ' /proc/mounts; stat -c %a /scratch; touch /scratch/x && echo wrote",
                        options=("--read-only", "--tmpfs", "/scratch:size=1m,mode=1700,noexec"))
        self.assertIn("size=1024k", out)
        self.assertIn("noexec", out)
        self.assertEqual(out.splitlines()[1:], ["1700", "wrote"])

    def test_mount_syntax(self):
        options = ("--mount", f"type=bind,source={self.directory()},target=/b,readonly", "--mount", "type=tmpfs,target=/t",
                   "--mount", f"type=volume,source={self.volume()},target=/v")
        self.assertEqual(self.once("sh", "-c", "touch /t/x /v/x && ! touch /b/x 2>/dev/null && echo right", options=options), "right")

    def test_a_read_only_root_cannot_be_written(self):
        result = self.e("run", "--rm", "--read-only", self.e.image, "touch", "/srv/x")
        self.assertEqual(result.rc, 1, repr(result))
        self.assertIn("Read-only file system", result.err)


class CopyLaws(Laws):
    def test_cp_goes_in_and_out_running_or_not(self):
        path = self.directory()
        (path / "d").mkdir()
        (path / "d" / "f").write_text("copied")
        name = self.sleeper("--tmpfs", "/mnt")
        self.e.ok("cp", path / "d", f"{name}:/srv")
        self.assertEqual(self.exec(name, "cat", "/srv/d/f"), "copied")
        self.exec(name, "sh", "-c", "echo back > /srv/d/g")
        self.e.ok("cp", f"{name}:/srv/d/g", path / "g")
        self.assertEqual((path / "g").read_text(), "back\n")
        self.e.ok("stop", name)
        self.e.ok("cp", path / "g", f"{name}:/srv/later")
        self.e.ok("start", name)
        self.assertEqual(self.exec(name, "cat", "/srv/later"), "back")

    def test_diff_commit_and_export_see_the_changes(self):
        name, image = self.name(), f"{self.name('i')}:latest"
        self.e.ok("run", "--name", name, self.e.image, "sh", "-c", "echo new > /srv/new; rm /noexec.sh")
        diff = self.e.ok("diff", name).splitlines()
        self.assertIn("A /srv/new", diff)
        self.assertIn("D /noexec.sh", diff)
        self.e.ok("commit", name, image)
        self.addCleanup(lambda: self.e("rmi", "-f", image))
        self.assertEqual(self.e.ok("run", "--rm", image, "cat", "/srv/new"), "new")
        path = self.directory() / "out.tar"
        self.e.ok("export", "-o", path, name)
        with tarfile.open(path) as tar:
            self.assertIn("srv/new", tar.getnames())


class NetworkLaws(Laws):
    def test_without_a_network_there_is_only_loopback(self):
        out = self.once("sh", "-c", "ls /sys/class/net; ip -o addr show lo", options=("--network", "none"))
        self.assertEqual(out.splitlines()[0], "lo")
        self.assertIn("127.0.0.1", out)

    def server(self, text, *options, name=None):
        script = f"echo {text} > /srv/index.html; exec httpd -f -p 80 -h /srv"
        return self.run_detached("sh", "-c", script, options=options, name=name)

    @staticmethod
    def request(address, port):
        """A shell command that prints the page: nc, as Debian 12's static busybox wget ends with a fault."""
        return ["sh", "-c", f"printf 'GET /index.html HTTP/1.0\\r\\n\\r\\n' | busybox nc -w 5 {address} {port}"]

    def test_a_published_port_reaches_the_container(self):
        port = next(PORTS)
        self.server("served", "-p", f"{port}:80")
        request = self.request("127.0.0.1", port)
        self.eventually(lambda: self.e.sandbox.run(request).out.endswith("\nserved\n"), "the page through the published port")

    def test_containers_on_one_bridge_reach_each_other(self):
        address = self.e.inspect(self.server("hello"), "{{.NetworkSettings.IPAddress}}")
        name, request = self.sleeper(), self.request(address, 80)
        self.eventually(lambda: self.e("exec", name, *request).out.endswith("\nhello\n"), "the page from the other container")

    def test_names_resolve_on_a_network_of_ones_own(self):
        self.only("docker", "podman's resolver needs a bus of systemd")
        network, name, other = self.name("n"), self.name(), self.name()
        self.addCleanup(lambda: self.e("network", "rm", network))
        self.addCleanup(lambda: self.e("rm", "-f", name, other))
        self.e.ok("network", "create", network)
        self.server("named", "--network", network, name=name)
        self.run_detached("sleep", "1000", options=("--network", network), name=other)
        address = self.e.inspect(name, "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}")
        self.eventually(lambda: address in self.e("exec", other, "nslookup", name).out, "the address by name")
        self.eventually(lambda: self.e("exec", other, *self.request(address, 80)).out.endswith("\nnamed\n"), "the page")

    def test_hosts_and_resolver_are_given(self):
        out = self.once("cat", "/etc/hosts", "/etc/resolv.conf", "/etc/hostname",
                        options=("--add-host", "friend:10.9.8.7", "--dns", "10.1.2.3", "--hostname", "me"))
        for text in ("10.9.8.7\tfriend", "nameserver 10.1.2.3", "me"):
            self.assertIn(text, out)


class BuildLaws(Laws):
    DOCKERFILE = """
FROM {image} AS first
WORKDIR /making
COPY input.txt .
RUN cat input.txt > built && echo $(id -u) >> built && test -e /proc/self/status && echo x > /dev/null
USER app
RUN id -u > /tmp/who

FROM {image}
ENV GREETING=hi
COPY --from=first /making/built /built
COPY --from=first /tmp/who /who
USER 1000
WORKDIR /srv
ENTRYPOINT ["sh", "-c"]
CMD ["cat /built /who; echo $GREETING $(id -u) $(pwd)"]
"""

    def build(self, env):
        path, image = self.directory(), self.name("built") + ":latest"
        (path / "Dockerfile").write_text(self.DOCKERFILE.format(image=self.e.image))
        (path / "input.txt").write_text("from context\n")
        self.addCleanup(lambda: self.e("rmi", "-f", image))
        self.e.ok("build", "--no-cache", *self.e.build_options, "-t", image, path, env=env, timeout=200)
        out = self.e.ok("run", "--rm", image)
        self.assertEqual(out.splitlines(), ["from context", "0", "1000", "hi 1000 /srv"])

    def test_build(self):
        self.build({"DOCKER_BUILDKIT": "0"})

    def test_buildkit(self):
        self.only("docker", "podman builds with buildah")
        if self.e.buildkit is False:
            self.skipTest("this Docker's client has no BuildKit")
        self.build({"DOCKER_BUILDKIT": "1"})
        self.assertTrue(self.e.runc_name_used(), "BuildKit ran its steps through our runtime")

    def test_a_failing_step_fails_the_build(self):
        path = self.directory()
        (path / "Dockerfile").write_text(f"FROM {self.e.image}\nRUN exit 41\n")
        result = self.e("build", path, env={"DOCKER_BUILDKIT": "0"}, timeout=200)
        self.assertNotEqual(result.rc, 0)
        self.assertIn("41", result.out + result.err)

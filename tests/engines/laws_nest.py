# Nests: containers that the engine starts with caisson-nest as their runtime.
# Layer: tests. Collected by laws.py.
# SPDX-License-Identifier: Apache-2.0
import os

from debian_root import debian_root
from image import busybox_tar
from laws import Laws
from sandbox import Unavailable


class NestMaker(Laws):
    def setUp(self):
        if not self.e.nest:
            self.skipTest("caisson-nest is not beside the runtime")

    def nest(self, *command, options=(), name=None, image=None):
        """A running nest; returns its name."""
        before, after = self.e.nest_options()
        name = name or self.name("nest")
        self.e.ok(*before, "run", "-d", "--name", name, *after, *options, image or self.e.image, *command)
        return name

    def nest_sleeper(self, *options):
        script = "trap 'exit 0' TERM; while :; do sleep 1000 & wait $!; done"
        return self.nest("sh", "-c", script, options=options)

    def nest_once(self, *command, options=(), rc=0):
        before, after = self.e.nest_options()
        result = self.e(*before, "run", "--rm", *after, *options, self.e.image, *command)
        self.assertEqual(result.rc, rc, repr(result) + (self.e.log_tail() if result.rc in (125, 126, 127) else ""))
        return result.out.strip()


class NestLaws(NestMaker):
    def test_root_in_a_nest_is_nobody_on_the_host(self):
        inside, outside, size = map(int, self.nest_once("cat", "/proc/self/uid_map").split())
        self.assertEqual((inside, size), (0, 65536))
        self.assertGreaterEqual(outside, 65536)

    def test_exit_codes_are_as_without_a_nest(self):
        self.nest_once("sh", "-c", "exit 3", rc=3)
        self.nest_once("nosuch", rc=127)

    def test_a_nest_may_mount_and_make_namespaces(self):
        script = "mkdir -p /m && mount -t tmpfs x /m && unshare -m -p -f true && hostname inner && echo did"
        self.assertEqual(self.nest_once("sh", "-c", script), "did")

    def test_privileged_is_accepted_and_confined(self):
        script = ("head -1 /proc/self/uid_map; grep CapEff /proc/self/status; mkdir -p /m && mount -t tmpfs x /m && echo mounted;"
                  "(echo 1 > /proc/sys/vm/drop_caches) 2>&1; (echo c > /proc/sys/kernel/core_pattern) 2>&1; ls /dev/vd* /dev/sd* 2>/dev/null;"
                  "mknod /dev/disk b 254 0 && (cat < /dev/disk) 2>&1 | head -c 100; true")
        lines = self.nest_once("sh", "-c", script, options=("--privileged",)).splitlines()
        self.assertGreaterEqual(int(lines[0].split()[1]), 65536)
        self.assertNotEqual(int(lines[1].split()[1], 16) & 1 << 21, 0)
        self.assertEqual(lines[2], "mounted")
        for line in lines[3:5]:
            self.assertRegex(line, "denied|not permitted|Read-only")
        self.assertFalse([line for line in lines[5:] if line.startswith("/dev/")], lines)

    def test_its_own_sysctls_can_be_written(self):
        script = "echo 4321 > /proc/sys/net/core/somaxconn && cat /proc/sys/net/core/somaxconn"
        self.assertEqual(self.nest_once("sh", "-c", script), "4321")

    def test_volumes_have_the_ids_of_the_host(self):
        path = self.directory()
        (path / "given").write_text("given")
        out = self.nest_once("sh", "-c", "cat /v/given; touch /v/made && stat -c %u /v/given /v/made", options=("-v", f"{path}:/v"))
        self.assertEqual(out.split(), ["given0", "0"])
        self.assertEqual(os.stat(path / "made").st_uid, 0)

    def test_a_read_only_volume_stays_read_only(self):
        path = self.directory()
        script = "mount -o remount,bind,rw /v 2>&1; umount /v 2>&1; touch /v/x 2>&1; true"
        out = self.nest_once("sh", "-c", script, options=("-v", f"{path}:/v:ro", "--privileged"))
        self.assertIn("Read-only", out)
        self.assertEqual(list(path.iterdir()), [])

    def test_the_engine_sees_what_a_nest_writes(self):
        name = self.nest("sh", "-c", "echo new > /srv/new; rm /noexec.sh")
        self.e.ok("wait", name)
        diff = self.e.ok("diff", name).splitlines()
        self.assertIn("A /srv/new", diff)
        self.assertIn("D /noexec.sh", diff)

    def test_exec_pause_update_top_logs_and_cp(self):
        name = self.nest_sleeper("--memory", "64m", "--memory-swap", "64m")
        self.assertEqual(self.exec(name, "sh", "-c", "echo in; exit 4", rc=4), "in")
        self.assertEqual(self.exec(name, "id", "-u", options=("-u", "app")), "1000")
        self.assertEqual(self.exec(name, "cat", "/proc/self/uid_map"), self.exec(name, "cat", "/proc/1/uid_map"))
        self.assertIn("sleep", self.e.ok("top", name))
        self.e.ok("update", "--memory", "48m", "--memory-swap", "48m", name)
        self.assertEqual(self.cgroup_value("memory/memory.limit_in_bytes", "memory.max", name=name), str(48 << 20))
        self.e.ok("pause", name)
        self.assertTrue(self.e.state(name)["Paused"])
        self.e.ok("unpause", name)
        if self.e.kind == "docker":  # podman writes from in the nest's mounts as the host's uid 0: EOVERFLOW
            path = self.directory()
            (path / "f").write_text("copied")
            self.e.ok("cp", path / "f", f"{name}:/srv/f")
            self.assertEqual(self.exec(name, "sh", "-c", "cat /srv/f; stat -c %u /srv/f"), "copied0")
        self.e.ok("stop", "-t", "30", name)
        self.assertEqual(self.e.state(name)["ExitCode"], 0)

    def test_a_terminal_in_a_nest(self):
        name = self.nest_sleeper()
        t = self.e.terminal("exec", "-it", name, "sh")
        t.expect("# ")
        t.send("test -t 0 && echo on-$(tty)-\n")
        t.expect(r"on-/dev/pts/\d+-")
        t.send("exit 6\n")
        self.assertEqual(t.finish(), 6)

    def test_it_cannot_raise_its_own_limits(self):
        script = ("for f in /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max; do test -e $f && (echo 999m > $f) 2>&1; done;"
                  "mkdir /sys/fs/cgroup/memory/inner 2>/dev/null || mkdir /sys/fs/cgroup/inner; echo made $?")
        lines = self.nest_once("sh", "-c", script, options=("--memory", "64m")).splitlines()
        self.assertRegex(lines[0], "denied|not permitted")
        self.assertEqual(lines[-1], "made 0")

    def test_engine_data_is_kept_over_stop_and_start_and_restart(self):
        name = self.nest_sleeper()
        self.exec(name, "sh", "-c", "echo kept > /var/lib/docker/mark")
        self.e.ok("stop", "-t", "30", name)
        self.e.ok("start", name)
        self.assertEqual(self.exec(name, "cat", "/var/lib/docker/mark"), "kept")
        self.e.ok("restart", "-t", "30", name)
        self.assertEqual(self.exec(name, "cat", "/var/lib/docker/mark"), "kept")
        self.assertNotIn("/mark", self.e.ok("diff", name))

    def test_two_nests_have_different_ids(self):
        maps = [self.exec(self.nest_sleeper(), "cat", "/proc/self/uid_map").split() for _ in range(2)]
        self.assertGreaterEqual(abs(int(maps[0][1]) - int(maps[1][1])), 65536)


class InnerEngineLaws(NestMaker):
    """A stock dockerd, 26 or this engine's own version, in a container of this engine."""

    alone = True

    def inner(self, name, *args, stdin=b"", rc=0):
        result = self.e("exec", "-i", name, "docker", *args, stdin=stdin, timeout=180)
        self.assertEqual(result.rc, rc, repr(result) + self.e("logs", "--tail", "20", name).err)
        return result.out.strip()

    def import_debian(self):
        try:
            root = debian_root()
        except Unavailable as e:
            self.skipTest(str(e))
        self.only("docker", "the same under podman takes another import; tests.demo has it without an engine")
        source = "/" if self.e.suite else root
        command = " ".join(map(str, self.e.cli))
        unused = ("usr/libexec/buildah", "usr/libexec/podman", "usr/libexec/docker/cli-plugins", "usr/lib/podman", "usr/lib/cni", "usr/bin/podman",
                  "usr/bin/buildah", "usr/share/locale", "usr/share/doc", "usr/share/man",
                  "'run/*'", "'tmp/*'")  # the outer daemon's pid file is there, and may name a process of the nest
        tar = f"tar --one-file-system --anchored {' '.join(f'--exclude={u}' for u in unused)} -C {source} -c usr bin sbin lib lib64 etc var tmp root run dev proc sys mnt srv"
        out = self.e.sandbox.run(["sh", "-c", f"{tar} | {command} import - debian:docker"], timeout=300)
        self.assertEqual(out.rc, 0, repr(out))

    def up(self, name):
        self.eventually(lambda: self.e("exec", name, "docker", "version").rc == 0, "the inner dockerd answers", 120)

    def test_a_stock_dockerd_runs_in_a_container_and_keeps_its_images(self):
        self.import_debian()
        name = self.nest("docker-init", "--", "dockerd", image="debian:docker", options=("--memory", "1g"))
        self.up(name)
        self.assertEqual(self.inner(name, "info", "-f", "{{.Driver}}"), "overlay2")
        self.inner(name, "import", "-", "bb", stdin=busybox_tar())
        self.assertEqual(self.inner(name, "run", "--rm", "--memory", "32m", "bb", "echo", "deep"), "deep")
        self.assertEqual(self.inner(name, "run", "--rm", "--privileged", "bb", "sh", "-c", "mount -t tmpfs x /srv && echo deep"), "deep")
        self.e.ok("stop", "-t", "60", name, timeout=120)
        self.e.ok("start", name)
        self.up(name)
        self.assertEqual(self.inner(name, "run", "--rm", "bb", "echo", "again"), "again")
        self.e.ok("rm", "-f", "-v", name, timeout=120)
